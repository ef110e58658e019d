"""How much of a payment has been given back or is held for it."""

from collections.abc import Collection

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from payproc.database.held import held_payments
from payproc.database.models import Payment, Refund
from payproc.domain.money import Money
from payproc.domain.states import REFUND_RESERVING, RefundStatus


def amount(session: Session, payment: Payment) -> Money:
    """Return how much has surely been given back."""
    return _sum_of_refunds(session, payment, (RefundStatus.SUCCEEDED,))


def reserved(session: Session, payment: Payment) -> Money:
    """Return how much has been given back, is on its way, or waits for a person."""
    return _sum_of_refunds(session, payment, REFUND_RESERVING)


def exceeds(session: Session, payment: Payment) -> bool:
    """Whether more has been given back, is on its way or waits for a person than was paid."""
    return reserved(session, payment).amount_minor > payment.amount_minor


def is_full(session: Session, payment: Payment) -> bool:
    """Whether nothing of the payment is left."""
    return amount(session, payment).amount_minor >= payment.amount_minor


def sum_reserved(payment: Payment) -> Select[int]:
    """Return the question for what `reserved` returns, in minor units, to be asked with others."""
    return _sum(payment, REFUND_RESERVING)


def _sum_of_refunds(session: Session, payment: Payment, statuses: Collection[RefundStatus]) -> Money:
    if held_payments(session).has_no_refund(payment.id):
        return Money.of(0, payment.currency)
    return Money.of(int(session.scalars(_sum(payment, statuses)).one()), payment.currency)


def _sum(payment: Payment, statuses: Collection[RefundStatus]) -> Select[int]:
    return select(func.coalesce(func.sum(Refund.amount_minor), 0)).where(
        Refund.payment_id == payment.id, Refund.currency == payment.currency, Refund.status.in_(statuses)
    )
