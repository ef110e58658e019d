"""Which open reviews a digest tells: those opened since the digest before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session

from payproc.database.models import Email, EmailKind, Review

# Named one by one in a digest; the rest is counted.
LISTED = 50
# A question is dated by the start of its transaction, and seen at its end. None lasts as long as this, so that what
# is not seen yet falls to the next digest and not between two.
_LONGEST_TRANSACTION = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class OpenReviews:
    """Open reviews as a digest tells them: the first of the new ones, oldest first, how many are new, and all."""

    listed: Sequence[Review]
    new: int
    in_all: int


def open_reviews(session: Session, period: str) -> OpenReviews:
    """Return what the digest of the period that starts at `period` (ISO 8601, UTC) has to tell now."""
    still_open = Review.resolved_at.is_(None)
    new = and_(still_open, _opened_since_the_last(session, period))
    oldest_first = select(Review).where(new).order_by(Review.opened_at, Review.id).limit(LISTED)
    return OpenReviews(
        listed=session.scalars(oldest_first).all(),
        new=_count(session, new),
        in_all=_count(session, still_open),
    )


def _opened_since_the_last(session: Session, period: str) -> ColumnElement[bool]:
    # All periods are written alike, so that the later one is also the greater text. That no payment is named lets the
    # unique index answer.
    digests = and_(Email.payment_id.is_(None), Email.kind == EmailKind.DIGEST)
    before = select(func.max(Email.about)).where(digests, Email.about < period)
    last = session.scalar(before)
    since = true() if last is None else Review.opened_at >= _seen_by(last)
    return and_(since, Review.opened_at < _seen_by(period))


def _seen_by(period: str) -> datetime:
    return datetime.fromisoformat(period) - _LONGEST_TRANSACTION


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(Review).where(condition)).one()
