"""Pages of payments, newest first, by cursor: a page number would shift under new payments."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from payproc.errors import InvalidRequest
from payproc.models import Payment, User
from payproc.providers.names import PaymentMethod
from payproc.states import PaymentStatus


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

    Raises InvalidRequest for a cursor that is not one of ours, or a time without its offset.
    """
    query = select(Payment).order_by(Payment.created_at.desc(), Payment.id.desc()).limit(limit + 1)
    owner = wanted.user_id if user.is_staff else user.id
    for column, value in (
        (Payment.user_id, owner),
        (Payment.status, wanted.status),
        (Payment.payment_method, wanted.payment_method),
        (Payment.order_id, wanted.order_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.created_from is not None:
        query = query.where(Payment.created_at >= _aware(wanted.created_from, "created_from"))
    if wanted.created_to is not None:
        query = query.where(Payment.created_at < _aware(wanted.created_to, "created_to"))
    if cursor is not None:
        query = query.where(tuple_(Payment.created_at, Payment.id) < _read_cursor(cursor))
    found = list(session.scalars(query))
    return Page(payments=found[:limit], next_cursor=_cursor(found[limit - 1]) if len(found) > limit else None)


def _aware(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise InvalidRequest(f"{field} needs its offset, such as Z or +05:00.", code="time_naive", field=field)
    return moment


def _cursor(payment: Payment) -> str:
    return base64.urlsafe_b64encode(f"{payment.created_at.isoformat()}|{payment.id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        moment, _, payment_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
    except (binascii.Error, ValueError):
        raise InvalidRequest("This cursor is not one of ours.", code="cursor_invalid", field="cursor") from None
    return _aware(created_at, "cursor"), payment_id
