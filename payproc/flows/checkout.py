"""Take a payment in: write it down, and stage what carries it to its provider."""

from datetime import timedelta
from typing import assert_never

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Order, Payment, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.payment_request import PaymentRequest
from payproc.domain.phones import masked, normalised
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import OPEN, PaymentStatus
from payproc.errors import Conflict, InvalidRequest
from payproc.flows import poll
from payproc.flows.provider_requests import start_request
from payproc.flows.push_quota import admit_push
from payproc.flows.redirects import check_redirect
from payproc.providers.answers import PostForm, StartResult
from payproc.providers.base import PostingForms
from payproc.providers.requests import Payer, StartMode
from payproc.records import outcomes, payments
from payproc.records.orders import payable_order

# The hosted pages of both wallets take a form for a day.
_FORM_LIFE = timedelta(hours=24)


def take_payment(
    app: Application, session: Session, request: PaymentRequest, *, user: User, method: PaymentMethod
) -> Payment:
    """Write a payment down with the work that starts it; nobody is called here.

    Raises InvalidRequest, Conflict or TooManyRequests, and then nothing is written.
    """
    payment = _create_payment(app, session, request, user=user, method=method)
    provider = app.provider(method)
    match provider.start_mode(payment.dialect):
        case StartMode.IDEMPOTENT:
            jobs.stage(session, jobs.Kind.START_PAYMENT, payment.id, method=method)
        case StartMode.SINGLE_SHOT:
            _admit_push(app, session, payment, request)
            jobs.stage(session, jobs.Kind.PUSH_PAYMENT, payment.id, method=method)
        case StartMode.FORM_POST:
            _hand_out_form(app, session, payment)
        case mode:
            assert_never(mode)
    return payment


def _create_payment(
    app: Application, session: Session, request: PaymentRequest, *, user: User, method: PaymentMethod
) -> Payment:
    provider = app.provider(method)
    for field_name in ("success_url", "cancel_url"):
        url = getattr(request, field_name)
        if url is not None:
            check_redirect(url, field=field_name, settings=app.settings)
    order = None if request.order_id is None else payable_order(session, request.order_id, user=user)
    usual = order.currency if order else app.settings.default_currency
    money = _price_of(order, offered=request.offered(usual_currency=usual), currency=request.currency)
    payer = Payer(phone=normalised(request.phone) if request.phone else None, cnic=request.cnic)
    payment = Payment(
        user_id=user.id,
        order_id=order.id if order else None,
        amount_minor=money.amount_minor,
        currency=money.currency.code,
        payment_method=method,
        dialect=provider.dialect,
        environment=app.settings.environment,
        live_mode=provider.live_mode,
        description=request.description,
        meta=request.meta,
        phone=masked(payer.phone) if payer.phone else None,
        encrypted_payer=app.payer_cipher.encrypt(payer),
        success_url=request.success_url,
        cancel_url=request.cancel_url,
    )
    payments.add(session, payment, provenance=Provenance(source=Source.API, evidence=user.id))
    provider.check(start_request(session, payment, payer=payer))
    return payment


def _admit_push(app: Application, session: Session, payment: Payment, request: PaymentRequest) -> None:
    # A provider that pushes has refused by now what names no phone.
    phone = normalised(request.phone) if request.phone else ""
    admit_push(session, payment, phone=phone, address=request.address, settings=app.settings)


def _price_of(order: Order | None, *, offered: Money | None, currency: str | None) -> Money:
    if order is None:
        if offered is None:
            raise InvalidRequest(
                "Say amount or amount_minor, or name an order_id.", code="amount_missing", field="amount"
            )
        return offered
    due = order.money
    if offered is not None and offered != due:
        raise InvalidRequest(
            f"Order {order.reference} is over {due}, not {offered}.", code="order_amount_differs", field="amount"
        )
    if currency is not None and currency != order.currency:
        raise InvalidRequest(f"Order {order.reference} is over {due}.", code="order_amount_differs", field="currency")
    return due


def _hand_out_form(app: Application, session: Session, payment: Payment) -> None:
    result = StartResult(
        next_action=_drawn_form(app, session, payment), references={}, expires_at=payment.created_at + _FORM_LIFE
    )
    outcomes.record_start(
        session, payment.id, result, provenance=Provenance(source=Source.API, evidence=payment.user_id)
    )
    poll.stage_next(app, session, payment, polled=0)


def has_begun(payment: Payment) -> bool:
    """Tell whether there is more to say of a payment than that it was taken."""
    return payment.next_action is not None or payment.status is not PaymentStatus.PENDING


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
    return _drawn_form(app, session, payment)


def _drawn_form(app: Application, session: Session, payment: Payment) -> PostForm:
    provider = app.provider_of(payment)
    if not isinstance(provider, PostingForms) or provider.start_mode(payment.dialect) is not StartMode.FORM_POST:
        raise Conflict(f"Payment {payment.id} begins without a form.", code="payment_has_no_form", subject=payment.id)
    return provider.form(start_request(session, payment))
