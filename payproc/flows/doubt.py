"""After a restore: what stands here as still to be sent may have been sent in the time that was forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.held import hold_all
from payproc.database.models import CallState, Payment, Refund
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import OPEN, RefundStatus
from payproc.errors import OperationNotSupported
from payproc.flows.provider_requests import payment_ref
from payproc.providers.base import Refunding
from payproc.providers.requests import Operation, PreparedCall, RefundMode, RefundRequest, StartMode
from payproc.records import provider_calls

# An operator may have approved what waits here for one again.
_UNSENT = (RefundStatus.REQUESTED, RefundStatus.PENDING)


@dataclass(frozen=True, kw_only=True)
class Doubted:
    """How many wallet charges and refunds are asked about before they go out."""

    pushes: int
    refunds: int


def doubt_unsent(app: Application, session: Session) -> Doubted:
    """Have every wallet charge and refund that was not sent, as far as we know, asked about before it goes out.

    What begins under a key that its provider knows for a day needs none of it but for that day: a refund is doubted,
    for money leaves by it; a session is not, for by it none moves. Nobody is asked here. Harmless when run twice.
    """
    pushes = sum(_doubt_push(session, payment) for payment in _unsent_pushes(app, session))
    refunds = sum(_doubt_refund(app, session, refund) for refund in _unsent_refunds(session))
    return Doubted(pushes=pushes, refunds=refunds)


def _unsent_pushes(app: Application, session: Session) -> Iterator[Payment]:
    # By id, which is the order in which several are locked.
    waiting = select(Payment).where(Payment.status.in_(OPEN)).order_by(Payment.id).with_for_update()
    for payment in session.scalars(waiting):
        # One that is not set up any more sends nothing.
        provider = app.providers.get(PaymentMethod(payment.payment_method))
        if provider is not None and provider.start_mode(payment.dialect) is StartMode.SINGLE_SHOT:
            yield payment


def _doubt_push(session: Session, payment: Payment) -> bool:
    if provider_calls.state_of(session, Operation.START, payment.id) is CallState.ANSWERED:
        return False
    # What is in doubt is never sent again: there are no words to keep for it.
    unsent = PreparedCall(operation=Operation.START, parameters={})
    return provider_calls.record_doubt(session, Operation.START, payment.id, payment=payment, prepare=lambda: unsent)


def _unsent_refunds(session: Session) -> list[Refund]:
    waiting = list(session.scalars(select(Refund).where(Refund.status.in_(_UNSENT)).order_by(Refund.id)))
    hold_all(session, ((Payment.id.key, refund.payment_id) for refund in waiting))
    return waiting


def _doubt_refund(app: Application, session: Session, refund: Refund) -> bool:
    payment = session.get_one(Payment, refund.payment_id)
    provider = app.providers.get(PaymentMethod(payment.payment_method))
    if provider is None or not isinstance(provider, Refunding):
        return False
    if provider.refund_mode(payment.dialect) is RefundMode.MANUAL:
        return False
    if provider_calls.state_of(session, Operation.REFUND, refund.id) is CallState.ANSWERED:
        return False
    request = RefundRequest(
        refund_id=refund.id, payment=payment_ref(payment), money=refund.money, provider_id=refund.provider_refund_id
    )
    try:
        prepared = provider.prepare_refund(request)
    except OperationNotSupported:
        # Nor can it be sent.
        return False
    return provider_calls.record_doubt(session, Operation.REFUND, refund.id, payment=payment, prepare=lambda: prepared)
