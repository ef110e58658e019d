"""Orders: what is to be paid, set by the merchant, followed by the payments."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select, true, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import transaction_time
from payproc.database.models import Order, OrderStatus, Payment, Role, User
from payproc.domain.ids import Prefix, is_id, new_id
from payproc.domain.money import parse_minor
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.order import OrderRequest
from payproc.domain.states import PaymentStatus
from payproc.errors import Conflict, InvalidRequest, NotFound
from payproc.outgoing.webhooks import outbox as events
from payproc.outgoing.webhooks.event_types import EventType
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act

# In which nobody has paid, and a payment may begin.
PAYABLE = frozenset({OrderStatus.OPEN, OrderStatus.PROCESSING})
_ENDED_UNPAID = frozenset({OrderStatus.EXPIRED, OrderStatus.CLOSED})


def create_order(session: Session, payer: User, wanted: OrderRequest, *, by: User | None = None) -> Order:
    """Write down an order that `payer` is to pay; `by` is the shop or the member of the staff who made it.

    Raises InvalidRequest for what cannot be charged or never be paid, Conflict where there is an order of that
    reference.
    """
    checked = parse_minor(wanted.money.amount_minor, wanted.money.currency.code)
    wanted.check(now=transaction_time(session))
    order_id = new_id(Prefix.ORDER)
    shop_id = by.id if by is not None and by.role is Role.SHOP else None
    reference = wanted.reference or order_id
    # Of two at one moment with the same reference one makes it, and the other is told of it.
    written = insert(Order).values(
        id=order_id,
        user_id=payer.id,
        shop_id=shop_id,
        reference=reference,
        amount_minor=checked.amount_minor,
        currency=checked.currency.code,
        status=OrderStatus.OPEN,
        description=wanted.description,
        items=[asdict(item) for item in wanted.items],
        methods=None if wanted.methods is None else list(wanted.methods),
        expires_at=wanted.expires_at,
        success_url=wanted.success_url,
        cancel_url=wanted.cancel_url,
        meta=wanted.meta,
    )
    order: Order | None = session.scalar(written.on_conflict_do_nothing().returning(Order))
    if order is None:
        whose = Order.shop_id == shop_id if shop_id else Order.user_id == payer.id
        same = session.scalar(select(Order.id).where(whose, Order.reference == reference))
        raise Conflict(f"There is an order {reference!r} already: {same}.", code="order_exists", subject=same)
    if order.expires_at is not None:
        jobs.stage(session, jobs.Kind.EXPIRE_ORDER, order.id, due_at=order.expires_at)
    return order


def payable_order(session: Session, order_id: str, *, user: User, method: PaymentMethod) -> Order:
    """Return the user's own order, if it can still be paid, and by this method.

    A foreign order is told apart from a missing one by nobody. Raises InvalidRequest or Conflict.
    """
    order = session.get(Order, order_id)
    if order is None or user.id not in order.owners:
        raise InvalidRequest(f"There is no order {order_id}.", code="order_not_found", field="order_id")
    check_payable(order, now=transaction_time(session))
    if order.methods is not None and method not in order.methods:
        raise InvalidRequest(
            f"Order {order_id} is paid by {', '.join(order.methods)}.", code="order_method_differs", field="order_id"
        )
    return order


def check_payable(order: Order, *, now: datetime) -> None:
    """Raise Conflict unless a payment of the order may begin now (UTC)."""
    if order.status in _ENDED_UNPAID or (order.expires_at is not None and order.expires_at <= now):
        code = "order_closed" if order.status is OrderStatus.CLOSED else "order_expired"
        raise Conflict(f"Order {order.id} can be paid no more.", code=code, subject=order.id)
    if order.status not in PAYABLE:
        raise Conflict(f"Order {order.id} is {order.status} already.", code="order_paid", subject=order.id)


def is_settled(session: Session, order_id: str) -> bool:
    """Tell whether an order wants no payment begun any more: it is paid, or has ended."""
    return session.get_one(Order, order_id, populate_existing=True).status not in PAYABLE


def visible_order(session: Session, name: str, *, user: User) -> Order:
    """Return the order of this id, or of the reference that its shop gave it, if this user may see it.

    Raises NotFound otherwise, and Conflict where several orders have the reference.
    """
    everybodys = permissions.reaches_all(Act.SEE_ORDER, user=user)
    return named_order(session, name, among=true() if everybodys else permissions.mine(Order, user))


def named_order(session: Session, name: str, *, among: ColumnElement[bool] | None = None) -> Order:
    """Return the order of this id or reference, of all or of those for which `among` holds.

    Raises NotFound, and Conflict where several have the reference.
    """
    named = Order.id == name if is_id(name, Prefix.ORDER) else Order.reference == name
    query = select(Order).where(named)
    found = list(session.scalars((query if among is None else query.where(among)).limit(2)))
    if len(found) > 1:
        raise Conflict(f"Several orders are called {name!r}: name one by its id.", code="order_ambiguous")
    if not found:
        raise NotFound(f"There is no order {name}.", code="order_not_found", subject=name)
    return found[0]


@dataclass(frozen=True, kw_only=True)
class OrderPage:
    """Orders and where the next page begins; None on the last."""

    orders: list[Order]
    next_cursor: str | None


def page_of_orders(
    session: Session, *, user: User, status: OrderStatus | None, limit: int, cursor: str | None
) -> OrderPage:
    """Return up to `limit` orders, newest first: a shop's or a customer's own, or everybody's for the staff.

    Raises InvalidRequest for a cursor that is not one of ours.
    """
    query = select(Order).order_by(Order.created_at.desc(), Order.id.desc()).limit(limit + 1)
    if not permissions.reaches_all(Act.SEE_ORDER, user=user):
        query = query.where(permissions.mine(Order, user))
    if status is not None:
        query = query.where(Order.status == status)
    if cursor is not None:
        query = query.where(tuple_(Order.created_at, Order.id) < read_cursor(cursor))
    found = list(session.scalars(query))
    last = found[limit - 1] if len(found) > limit else None
    return OrderPage(orders=found[:limit], next_cursor=cursor_of(last.created_at, last.id) if last else None)


def payments_of(session: Session, order: Order) -> list[Payment]:
    """Return the payments of an order, oldest first."""
    of_order = select(Payment).where(Payment.order_id == order.id)
    return list(session.scalars(of_order.order_by(Payment.created_at, Payment.id)))


def note_opened(session: Session, order: Order) -> None:
    """Keep when an order's page was first shown to anybody."""
    if order.opened_at is None:
        order.opened_at = transaction_time(session)


def close(session: Session, order_id: str) -> Order:
    """End an order that nobody has paid; what of it is open is called off. Closed twice it stays closed.

    Raises Conflict where it is paid already.
    """
    order = session.get_one(Order, order_id, with_for_update=True, populate_existing=True)
    if order.status in _ENDED_UNPAID:
        return order
    if order.status not in PAYABLE:
        raise Conflict(f"Order {order.id} is {order.status} already.", code="order_paid", subject=order.id)
    _end_unpaid(session, order, OrderStatus.CLOSED)
    return order


def expire(session: Session, order_id: str) -> None:
    """End an order whose time is over, unless it was paid. A payment of it that is paid all the same is counted."""
    order = session.get_one(Order, order_id, with_for_update=True, populate_existing=True)
    if order.status in PAYABLE:
        _end_unpaid(session, order, OrderStatus.EXPIRED)


def _end_unpaid(session: Session, order: Order, status: OrderStatus) -> None:
    order.status, order.closed_at = status, transaction_time(session)
    if status is OrderStatus.EXPIRED:
        events.tell_order(session, order, EventType.ORDER_EXPIRED)
    jobs.stage(session, jobs.Kind.SETTLE_ORDER, order.id)


@dataclass(frozen=True, kw_only=True)
class PaidBy:
    """An order by its reference, and which payments have paid it, oldest first: more than one is one too many."""

    reference: str
    payment_ids: list[str]


def follow_payments(session: Session, order_id: str) -> PaidBy:
    """Set the order's status from its payments, and return which have paid it.

    Call it after the payment's own change is flushed. Payment first, then order: that is the lock order everywhere.
    """
    order = session.get_one(Order, order_id, with_for_update=True, populate_existing=True)
    paid = list(
        session.scalars(
            select(Payment.id)
            .where(Payment.order_id == order_id, Payment.status == PaymentStatus.COMPLETED)
            .order_by(Payment.completed_at)
        )
    )
    before = order.status
    order.status = _order_status(session, order, paid=bool(paid))
    if order.status is OrderStatus.PAID and before is not OrderStatus.PAID:
        order.closed_at = None
        if before is not OrderStatus.REFUNDED:
            # One of which a refund was undone was told already.
            events.tell_order(session, order, EventType.ORDER_PAID, payment_id=paid[0])
        jobs.stage(session, jobs.Kind.SETTLE_ORDER, order.id)
    return PaidBy(reference=order.reference, payment_ids=paid)


def _order_status(session: Session, order: Order, *, paid: bool) -> OrderStatus:
    if paid:
        return OrderStatus.PAID
    statuses = set(session.scalars(select(Payment.status).where(Payment.order_id == order.id)))
    if PaymentStatus.REFUNDED in statuses:
        return OrderStatus.REFUNDED
    if order.status in _ENDED_UNPAID:
        return order.status
    if PaymentStatus.PROCESSING in statuses:
        return OrderStatus.PROCESSING
    return OrderStatus.OPEN
