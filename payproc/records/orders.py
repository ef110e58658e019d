"""Orders: what is to be paid, set by the merchant, followed by the payments."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.database.models import Order, OrderStatus, Payment, ReviewKind, User
from payproc.domain.money import Money, parse_minor
from payproc.domain.states import PaymentStatus
from payproc.errors import Conflict, InvalidRequest
from payproc.records.reviews import open_review


def create_order(session: Session, user: User, *, reference: str, money: Money) -> Order:
    """Write down an order. `reference` is the merchant's own number of it, unique per user."""
    checked = parse_minor(money.amount_minor, money.currency.code)
    taken = select(Order.id).where(Order.user_id == user.id, Order.reference == reference)
    if session.scalar(taken):
        raise Conflict(f"{user.email} has an order {reference!r} already.", code="order_exists")
    order = Order(
        user_id=user.id,
        reference=reference,
        amount_minor=checked.amount_minor,
        currency=checked.currency.code,
        status=OrderStatus.OPEN,
    )
    session.add(order)
    session.flush()
    return order


def payable_order(session: Session, order_id: str, *, user: User) -> Order:
    """Return the user's own order, if it can still be paid.

    A foreign order is told apart from a missing one by nobody. Raises InvalidRequest or Conflict.
    """
    order = session.scalar(select(Order).where(Order.id == order_id, Order.user_id == user.id))
    if order is None:
        raise InvalidRequest(f"There is no order {order_id}.", code="order_not_found", field="order_id")
    if order.status in (OrderStatus.PAID, OrderStatus.REFUNDED):
        raise Conflict(f"Order {order_id} is {order.status} already.", code="order_paid", subject=order_id)
    return order


def follow_payments(session: Session, order_id: str) -> None:
    """Set the order's status from its payments; two that were paid open a review.

    Call it after the payment's own change is flushed. Payment first, then order: that is the lock order everywhere.
    """
    order = session.get_one(Order, order_id, with_for_update=True)
    paid = list(
        session.scalars(
            select(Payment.id)
            .where(Payment.order_id == order_id, Payment.status == PaymentStatus.COMPLETED)
            .order_by(Payment.completed_at)
        )
    )
    order.status = _order_status(session, order_id, paid=bool(paid))
    if len(paid) > 1:
        open_review(
            session,
            ReviewKind.PAID_TWICE,
            order_id,
            payment_id=paid[-1],
            detail=f"Order {order.reference} was paid {len(paid)} times: {', '.join(paid)}. Refund all but one.",
        )


def _order_status(session: Session, order_id: str, *, paid: bool) -> OrderStatus:
    if paid:
        return OrderStatus.PAID
    statuses = set(session.scalars(select(Payment.status).where(Payment.order_id == order_id)))
    if PaymentStatus.REFUNDED in statuses:
        return OrderStatus.REFUNDED
    if PaymentStatus.PROCESSING in statuses:
        return OrderStatus.PROCESSING
    return OrderStatus.OPEN
