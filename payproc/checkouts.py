"""Take a payment in: write it down, and stage what carries it to its provider."""

from datetime import timedelta
from typing import assert_never

from sqlalchemy.orm import Session

from payproc import jobs, outcomes, payments, polls
from payproc.application import Application
from payproc.errors import Conflict
from payproc.models import Payment, Source, User
from payproc.payments import PaymentRequest, Told
from payproc.provider_words import start_request
from payproc.providers.base import PostForm, PostingForms, StartMode, StartResult
from payproc.providers.names import PaymentMethod
from payproc.states import OPEN

# The hosted pages of both wallets take a form for a day.
_FORM_LIFE = timedelta(hours=24)


def take_payment(
    app: Application, session: Session, request: PaymentRequest, *, user: User, method: PaymentMethod
) -> Payment:
    """Write a payment down with the work that starts it; nobody is called here.

    Raises InvalidRequest or Conflict, and then nothing is written.
    """
    payment = payments.create_payment(app, session, request, user=user, method=method)
    provider = app.provider(method)
    match provider.start_mode(payment.dialect):
        case StartMode.BY_KEY:
            jobs.stage(session, jobs.Kind.START_PAYMENT, payment.id, method=method)
        case StartMode.ONCE:
            jobs.stage(session, jobs.Kind.PUSH_PAYMENT, payment.id, method=method)
        case StartMode.BY_FORM:
            _hand_out_form(app, session, payment)
        case mode:
            assert_never(mode)
    return payment


def _hand_out_form(app: Application, session: Session, payment: Payment) -> None:
    result = StartResult(
        next_action=_drawn(app, session, payment), references={}, expires_at=payment.created_at + _FORM_LIFE
    )
    outcomes.record_start(session, payment.id, result, told=Told(source=Source.API, evidence=payment.user_id))
    polls.stage_next(app, session, payment, polled=0)


def payment_form(app: Application, session: Session, payment: Payment) -> PostForm:
    """Draw the form with which the customer's browser begins this payment.

    Raises Conflict where it has ended or begins in another way.
    """
    if payment.status not in OPEN:
        raise Conflict(
            f"Payment {payment.id} is {payment.status}; only an open payment has a form.",
            code="payment_ended",
            subject=payment.id,
        )
    return _drawn(app, session, payment)


def _drawn(app: Application, session: Session, payment: Payment) -> PostForm:
    provider = app.provider_of(payment)
    if not isinstance(provider, PostingForms) or provider.start_mode(payment.dialect) is not StartMode.BY_FORM:
        raise Conflict(f"Payment {payment.id} begins without a form.", code="payment_has_no_form", subject=payment.id)
    return provider.form(start_request(session, payment))
