"""How much of payments has been given back, and how much of them still can be."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.engine import Database
from payproc.database.models import Payment, Refund, User
from payproc.database.rows import RowReader
from payproc.domain.money import Money
from payproc.domain.states import REFUND_RESERVING, PaymentStatus, RefundStatus
from payproc.records import disputes, payments

_PAYMENTS = RowReader(Payment)
_RESERVING = ", ".join(f"'{status}'" for status in sorted(REFUND_RESERVING))
# Before a payment is paid there is nothing to add up, and CASE asks nothing then.
_WITH_BALANCE = f"""
SELECT {_PAYMENTS.columns},
    CASE WHEN completed_at IS NOT NULL THEN (
        SELECT sum(amount_minor)::bigint FROM refunds WHERE payment_id = payments.id AND status = 'succeeded'
    ) END,
    CASE WHEN completed_at IS NOT NULL THEN (
        SELECT sum(amount_minor)::bigint FROM refunds WHERE payment_id = payments.id AND status IN ({_RESERVING})
    ) END,
    CASE WHEN completed_at IS NOT NULL THEN EXISTS (
        SELECT FROM disputes WHERE payment_id = payments.id AND {disputes.BARS_REFUNDS}
    ) END
FROM payments WHERE id = %(id)s
"""  # noqa: S608 (names of our own)


@dataclass(frozen=True, kw_only=True)
class RefundBalance:
    """What of a payment has surely gone back, and what no refund has taken, or reserved, and no dispute holds."""

    refunded: Money
    refundable: Money


def refund_balances(session: Session, found: Collection[Payment]) -> dict[str, RefundBalance]:
    """Return the balance of each payment by its id, with as many questions for many as for one."""
    # Before a payment is paid there is nothing to ask about: so it is while somebody polls it.
    ids = [payment.id for payment in found if payment.completed_at is not None]
    sums = _sums(session, ids) if ids else {}
    held = disputes.refunds_barred(session, ids) if ids else set()
    return {payment.id: _balance(payment, *sums.get(payment.id, (0, 0)), held=payment.id in held) for payment in found}


def payment_with_balance(database: Database, payment_id: str, *, user: User) -> tuple[Payment, RefundBalance]:
    """Return a payment and its balance, asked for in one statement, if this user may see it.

    Raises NotFound otherwise.
    """
    rows = database.rows(_WITH_BALANCE, {"id": payment_id})
    payment = payments.visible(_PAYMENTS.read(rows[0]) if rows else None, payment_id, user=user)
    refunded, reserved, held = rows[0][_PAYMENTS.width :]
    return payment, _balance(payment, refunded or 0, reserved or 0, held=bool(held))


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
