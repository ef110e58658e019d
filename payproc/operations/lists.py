"""Pages of payments, newest first."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, tuple_
from sqlalchemy.orm import Session

from payproc.database.models import Payment, Role, User
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import PaymentStatus
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which payments; None asks nothing. Times are aware."""

    status: PaymentStatus | None = None
    payment_method: PaymentMethod | None = None
    order_id: str | None = None
    user_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Payments and where the next page begins; None on the last."""

    payments: list[Payment]
    next_cursor: str | None


def page_of_payments(session: Session, wanted: Filter, *, user: User, limit: int, cursor: str | None = None) -> Page:
    """Return up to `limit` payments this user may see.

    Raises InvalidRequest for a cursor that is not one of ours.
    """
    query = select(Payment).order_by(Payment.created_at.desc(), Payment.id.desc()).limit(limit + 1)
    if not permissions.reaches_all(Act.SEE_PAYMENT, user=user):
        query = query.where(permissions.mine(Payment, user))
    for column, value in (
        (Payment.user_id, None if user.role is Role.CUSTOMER else wanted.user_id),
        (Payment.order_id, wanted.order_id),
    ):
        if value is not None:
            query = query.where(column == value)
    for column, value in ((Payment.status, wanted.status), (Payment.payment_method, wanted.payment_method)):
        if value is not None:
            # Spelt out: of a parameter PostgreSQL knows neither that it is not 'completed', as the partial index asks,
            # nor that few have it.
            query = query.where(column == bindparam(column.key, value, column.type, literal_execute=True))
    if wanted.created_from is not None:
        query = query.where(Payment.created_at >= wanted.created_from)
    if wanted.created_to is not None:
        query = query.where(Payment.created_at < wanted.created_to)
    if cursor is not None:
        query = query.where(tuple_(Payment.created_at, Payment.id) < read_cursor(cursor))
    found = list(session.scalars(query))
    last = found[limit - 1] if len(found) > limit else None
    return Page(payments=found[:limit], next_cursor=cursor_of(last.created_at, last.id) if last else None)
