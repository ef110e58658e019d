"""How much of payments has been given back, and how much of them still can be."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.models import Payment, Refund
from payproc.domain.money import Money
from payproc.domain.states import REFUND_RESERVING, PaymentStatus, RefundStatus
from payproc.records import disputes


@dataclass(frozen=True, kw_only=True)
class RefundBalance:
    """What of a payment has surely gone back, and what no refund has taken, or reserved, and no dispute holds."""

    refunded: Money
    refundable: Money


def refund_balances(session: Session, payments: Collection[Payment]) -> dict[str, RefundBalance]:
    """Return the balance of each payment by its id, with as many questions for many as for one."""
    # Before a payment is paid there is nothing to ask about: so it is while somebody polls it.
    ids = [payment.id for payment in payments if payment.completed_at is not None]
    found = _sums(session, ids) if ids else {}
    held = disputes.refunds_barred(session, ids) if ids else set()
    return {
        payment.id: _balance(payment, *found.get(payment.id, (0, 0)), held=payment.id in held) for payment in payments
    }


def _sums(session: Session, ids: Collection[str]) -> dict[str, tuple[int, int]]:
    succeeded = func.sum(Refund.amount_minor).filter(Refund.status == RefundStatus.SUCCEEDED)
    sums = select(Refund.payment_id, func.coalesce(succeeded, 0), func.sum(Refund.amount_minor)).where(
        Refund.payment_id.in_(ids), Refund.status.in_(REFUND_RESERVING)
    )
    return {
        payment_id: (int(refunded), int(reserved))
        for payment_id, refunded, reserved in session.execute(sums.group_by(Refund.payment_id))
    }


def _balance(payment: Payment, refunded: int, reserved: int, *, held: bool) -> RefundBalance:
    # Only of a completed payment is there anything to give back, and nothing beside a dispute that bars it.
    gives = payment.status is PaymentStatus.COMPLETED and not held
    left = payment.amount_minor - reserved if gives else 0
    return RefundBalance(
        refunded=Money.of(refunded, payment.currency), refundable=Money.of(max(left, 0), payment.currency)
    )
