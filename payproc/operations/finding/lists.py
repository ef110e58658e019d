"""Pages of payments, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, select, tuple_, union
from sqlalchemy.orm import Session, aliased

from payproc.database.encryption import PhoneHasher
from payproc.database.models import Order, Payment, User
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import PaymentStatus
from payproc.errors import InvalidRequest
from payproc.operations.finding.search import Reading, readings
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act

# What no index answers is looked for in so many payments at a time: no page costs more, however few fit.
_MOST_LOOKED_THROUGH = 10_000


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which payments; None asks nothing. Times are aware; `text` is what they may be found by, and needs `phones`."""

    status: PaymentStatus | None = None
    payment_method: PaymentMethod | None = None
    order_id: str | None = None
    user_id: str | None = None
    customer_id: str | None = None
    shop_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    updated_from: datetime | None = None
    updated_to: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    phones: PhoneHasher | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Payments and where the next page begins; None on the last."""

    payments: list[Payment]
    next_cursor: str | None


def page_of_payments(
    session: Session,
    wanted: Filter,
    *,
    user: User,
    limit: int,
    cursor: str | None = None,
    look_through: int = _MOST_LOOKED_THROUGH,
) -> Page:
    """Return up to `limit` payments this user may see; what no index finds is looked for in so many at most.

    Raises InvalidRequest for a cursor that is not one of ours, and for a filter that names whom or what there is not.
    """
    _check_named(session, wanted, user=user)
    found_by = _indexed(wanted, user=user, cursor=cursor)
    looked_for = _looked_for(Payment, wanted)
    if wanted.text is not None:
        assert wanted.phones is not None
        meant = readings(session, wanted.text, phones=wanted.phones)
        return _page(_of_any(session, meant, [*found_by, *looked_for], limit=limit), limit=limit)
    if looked_for:
        return _looked_through(session, wanted, found_by, limit=limit, most=look_through)
    return _page(session.scalars(_newest(found_by, limit=limit + 1)).all(), limit=limit)


def _page(found: Sequence[Payment], *, limit: int) -> Page:
    last = found[limit - 1] if len(found) > limit else None
    return Page(payments=list(found[:limit]), next_cursor=_after(last))


def _after(last: Payment | None) -> str | None:
    return cursor_of(last.created_at, last.id) if last else None


def _newest(conditions: Sequence[ColumnElement[bool]], *, limit: int) -> Select[Payment]:
    return select(Payment).where(*conditions).order_by(Payment.created_at.desc(), Payment.id.desc()).limit(limit)


def _indexed(wanted: Filter, *, user: User, cursor: str | None) -> list[ColumnElement[bool]]:
    """Return what an index finds in the order of a page, or what few of those beside it lack."""
    conditions = _owned(user)
    for column, value in (
        (Payment.user_id, wanted.user_id),
        (Payment.user_id, wanted.customer_id),
        (Payment.shop_id, wanted.shop_id),
        (Payment.order_id, wanted.order_id),
    ):
        if value is not None:
            conditions.append(column == value)
    for column, value in ((Payment.status, wanted.status), (Payment.payment_method, wanted.payment_method)):
        if value is not None:
            # Spelt out: of a parameter PostgreSQL knows neither that it is not 'completed', as the partial index asks,
            # nor that few have it.
            conditions.append(column == bindparam(column.key, value, column.type, literal_execute=True))
    if wanted.created_from is not None:
        conditions.append(Payment.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        conditions.append(Payment.created_at < wanted.created_to)
    if cursor is not None:
        conditions.append(tuple_(Payment.created_at, Payment.id) < read_cursor(cursor))
    return conditions


def _owned(user: User) -> list[ColumnElement[bool]]:
    if permissions.reaches_all(Act.SEE_PAYMENT, user=user):
        return []
    return [permissions.mine(Payment, user)]


def _looked_for(payment: Any, wanted: Filter) -> list[ColumnElement[bool]]:  # noqa: ANN401 (Payment, or an alias of it)
    """Return what no index finds: it would be written with every change of every payment, and few ask."""
    conditions = [payment.meta[key].astext == value for key, value in wanted.metadata.items()]
    if wanted.updated_from is not None:
        conditions.append(payment.updated_at >= wanted.updated_from)
    if wanted.updated_to is not None:
        conditions.append(payment.updated_at < wanted.updated_to)
    return conditions


def _looked_through(
    session: Session, wanted: Filter, found_by: Sequence[ColumnElement[bool]], *, limit: int, most: int
) -> Page:
    """Look through the next payments that an index finds; where that is not all, the page goes on behind them."""
    candidates = _newest(found_by, limit=most)
    candidate = aliased(Payment, candidates.subquery())
    fitting = select(candidate).where(*_looked_for(candidate, wanted))
    fitting = fitting.order_by(candidate.created_at.desc(), candidate.id.desc()).limit(limit + 1)
    page = _page(session.scalars(fitting).all(), limit=limit)
    if page.next_cursor is not None:
        return page
    last = session.scalars(candidates.offset(most - 1).limit(1)).first()
    return Page(payments=page.payments, next_cursor=_after(last))


def _of_any(
    session: Session, meant: Sequence[Reading], conditions: Sequence[ColumnElement[bool]], *, limit: int
) -> list[Payment]:
    """Return the newest that any reading finds: each asks its own index, where one condition of all would ask none."""
    if not meant:
        return []
    each = (_newest([reading, *conditions], limit=limit + 1).with_only_columns(Payment.id) for reading in meant)
    ids = session.scalars(union(*(one.subquery().select() for one in each))).all()
    found = session.scalars(select(Payment).where(Payment.id.in_(ids)))
    return sorted(found, key=lambda payment: (payment.created_at, payment.id), reverse=True)[: limit + 1]


def _check_named(session: Session, wanted: Filter, *, user: User) -> None:
    for name in ("user_id", "customer_id", "shop_id"):
        named = getattr(wanted, name)
        if named is not None and not _reaches_user(session, named, user=user):
            raise InvalidRequest(f"There is no user {named}.", code="unknown_user", field=name)
    if wanted.order_id is not None and not _reaches_order(session, wanted.order_id, user=user):
        raise InvalidRequest(f"There is no order {wanted.order_id}.", code="unknown_order", field="order_id")


def _reaches_user(session: Session, user_id: str, *, user: User) -> bool:
    if user_id == user.id:
        return True
    found = session.get(User, user_id)
    return found is not None and (permissions.reaches_all(Act.SEE_PAYMENT, user=user) or found.shop_id == user.id)


def _reaches_order(session: Session, order_id: str, *, user: User) -> bool:
    found = session.get(Order, order_id)
    if found is None or permissions.reaches_all(Act.SEE_PAYMENT, user=user):
        return found is not None
    return user.id in (found.user_id, found.shop_id)
