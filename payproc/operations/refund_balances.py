"""How much of payments has been given back, and how much of them still can be."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.models import Dispute, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.states import DISPUTE_OPEN, REFUND_RESERVING, PaymentStatus, RefundStatus


@dataclass(frozen=True, kw_only=True)
class RefundBalance:
    """What of a payment has surely gone back, and what no refund has taken, or reserved, and no dispute holds."""

    refunded: Money
    refundable: Money


def refund_balances(session: Session, payments: Collection[Payment]) -> dict[str, RefundBalance]:
    """Return the balance of each payment by its id, with as many questions for many as for one."""
    ids = [payment.id for payment in payments]
    succeeded = func.sum(Refund.amount_minor).filter(Refund.status == RefundStatus.SUCCEEDED)
    sums = select(Refund.payment_id, func.coalesce(succeeded, 0), func.sum(Refund.amount_minor)).where(
        Refund.payment_id.in_(ids), Refund.status.in_(REFUND_RESERVING)
    )
    found = {
        payment_id: (int(refunded), int(reserved))
        for payment_id, refunded, reserved in session.execute(sums.group_by(Refund.payment_id))
    }
    disputed = select(Dispute.payment_id).where(Dispute.payment_id.in_(ids), Dispute.status.in_(DISPUTE_OPEN))
    held = set(session.scalars(disputed))
    return {
        payment.id: _balance(payment, *found.get(payment.id, (0, 0)), held=payment.id in held) for payment in payments
    }


def _balance(payment: Payment, refunded: int, reserved: int, *, held: bool) -> RefundBalance:
    # Only of a completed payment is there anything to give back, and nothing while its dispute is open.
    gives = payment.status is PaymentStatus.COMPLETED and not held
    left = payment.amount_minor - reserved if gives else 0
    return RefundBalance(
        refunded=Money.of(refunded, payment.currency), refundable=Money.of(max(left, 0), payment.currency)
    )
