"""How far behind the work is, in a few numbers that mean something to whoever is on call."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Interval, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState, Payment, Review, Tick
from payproc.domain.states import OPEN
from payproc.jobs import READY

# One row, beside the clock's own, that is written anew: a probe leaves nothing behind.
_PROBE, _PROBE_PERIOD = "readyz", datetime.fromtimestamp(0, UTC)
# Whoever asks more often than this makes nobody wait for the row, and no more of its versions.
_PROVEN_FOR = timedelta(seconds=1)


def prove_writable(session: Session) -> None:
    """Write, for only that proves that one can: a demoted primary and a full disk answer every question.

    Raises one of PASSING_TROUBLE, at the latest when the caller commits.
    """
    row = insert(Tick).values(kind=_PROBE, period_start=_PROBE_PERIOD)
    old = Tick.created_at < func.now() - literal(_PROVEN_FOR, Interval)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Tick.kind, Tick.period_start], set_={Tick.created_at: func.now()}, where=old
        )
    )


def payments_by_status(session: Session) -> dict[tuple[str, str], int]:
    """Count the payments that have not ended, by payment method and status."""
    counted = select(Payment.payment_method, Payment.status, func.count()).where(Payment.status.in_(OPEN))
    rows = session.execute(counted.group_by(Payment.payment_method, Payment.status))
    return {(method, status.value): count for method, status, count in rows}


def backlog(session: Session) -> dict[str, int]:
    """Count the work that is due, how long the oldest has waited (seconds), the given-up and the undecided."""
    due = READY & (Job.due_at <= func.now())
    waited = func.coalesce(func.extract("epoch", func.now() - func.min(Job.due_at)), 0)
    jobs_due, oldest = session.execute(select(func.count(), waited).where(due)).one()
    return {
        "jobs_due": jobs_due,
        "oldest_due_seconds": int(oldest),
        "jobs_dead": session.scalars(select(func.count()).where(Job.state == JobState.DEAD)).one(),
        "reviews_open": session.scalars(select(func.count()).where(Review.resolved_at.is_(None))).one(),
    }
