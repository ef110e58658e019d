"""Asking for money back: what may be given back, by whom, and how much is left to give.

The money is reserved under the payment's row lock: what has been given back, is on its way, or waits for a person never
exceeds what was paid.
"""

from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.models import Payment, Refund, User
from payproc.domain.money import Money
from payproc.domain.states import REFUND_OPEN, PaymentStatus, RefundStatus
from payproc.errors import Conflict, InvalidRequest
from payproc.flows.provider_requests import refund_mode_of
from payproc.providers.requests import RefundMode
from payproc.records import disputes, payments, refunded, refunds
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from payproc.settings.types import RefundByOwner


def request_refund(
    app: Application,
    session: Session,
    payment_id: str,
    *,
    user: User,
    money: Money | None,
    reason: str | None = None,
    named: str | None = None,
) -> Refund:
    """Reserve money to give back, and stage the call that does; nobody is called here.

    `named` is the id that this very request has whenever it is made: where a restore has forgotten that it was, and its
    provider has told us of the refund again, that is what is returned. A key that was forgotten in time makes another.

    Without `money` all that is left goes back. Where the provider has no call for it the refund is `manual`, and a
    person is asked; where owners only ask (REFUND_BY_OWNER) an owner's is `requested`, and an operator decides. Raises
    NotFound, NotAllowed, InvalidRequest or Conflict, and then nothing is written.
    """
    payments.payment_for(session, Act.REFUND_PAYMENT, payment_id, user=user)
    payment = payments.locked(session, payment_id)
    mode = refund_mode_of(app, payment)
    # Under the payment's lock, so that nothing of it changes before the refund is written down. The database's clock
    # stamped the completion, and only it can say how long ago that was.
    now, reserved, disputed, is_taken = session.execute(
        select(
            func.now(),
            refunded.sum_reserved(payment).scalar_subquery(),
            disputes.is_in_the_way(payment),
            exists().where(Refund.id == named),
        )
    ).one()
    before = refunds.forgotten(session, payment, named, money=money) if named is not None and is_taken else None
    if before is not None:
        return before
    _check_refundable(app, payment, now=now)
    if disputed:
        _refuse_beside_dispute(session, payment)
    _check_alone(session, payment, mode)
    left = payment.money - Money.of(int(reserved), payment.currency)
    wanted = money or left
    _check_covered(payment, wanted, left=left)
    status = _first_status(app, user, mode)
    free = None if is_taken else named
    return refunds.begin(session, payment, wanted, status=status, mode=mode, user=user, reason=reason, refund_id=free)


def _check_refundable(app: Application, payment: Payment, *, now: datetime) -> None:
    if payment.status is not PaymentStatus.COMPLETED or payment.completed_at is None:
        raise Conflict(
            f"Payment {payment.id} is {payment.status}; only a completed payment can be refunded.",
            code="payment_not_refundable",
            subject=payment.id,
        )
    if now - payment.completed_at > timedelta(days=app.settings.refund_window_days):
        raise Conflict(
            f"Payment {payment.id} was completed more than {app.settings.refund_window_days} days ago.",
            code="refund_window_over",
            subject=payment.id,
        )


def _refuse_beside_dispute(session: Session, payment: Payment) -> None:
    if (dispute := disputes.dispute_in_the_way(session, payment)) is not None:
        raise Conflict(
            f"Payment {payment.id} is disputed ({dispute.provider_dispute_id}, {dispute.status}): a refund beside the "
            "dispute could pay the customer back twice.",
            code="payment_disputed",
            subject=payment.id,
        )


def _check_alone(session: Session, payment: Payment, mode: RefundMode) -> None:
    if mode is RefundMode.IDEMPOTENT:
        return
    in_flight = select(Refund.id).where(Refund.payment_id == payment.id, Refund.status.in_(REFUND_OPEN))
    if (other := session.scalar(in_flight)) is not None:
        raise Conflict(
            f"Refund {other} of this payment is still on its way; wait for it.", code="refund_in_flight", subject=other
        )


def _check_covered(payment: Payment, wanted: Money, *, left: Money) -> None:
    if wanted.currency != left.currency:
        raise InvalidRequest(f"Payment {payment.id} is in {left.currency.code.upper()}.", field="amount")
    if wanted.amount_minor > left.amount_minor or left.amount_minor <= 0:
        raise Conflict(
            f"Of payment {payment.id} {left} is left to refund, not {wanted}.",
            code="refund_exceeds_payment",
            subject=payment.id,
        )


def _first_status(app: Application, user: User, mode: RefundMode) -> RefundStatus:
    if app.settings.refund_by_owner is RefundByOwner.REQUEST and not permissions.reaches_all(
        Act.REFUND_PAYMENT, user=user
    ):
        return RefundStatus.REQUESTED
    return RefundStatus.MANUAL if mode is RefundMode.MANUAL else RefundStatus.PENDING
