"""How far behind the work is, in a few numbers that mean something to whoever is on call."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState, Payment, Review
from payproc.domain.states import OPEN
from payproc.jobs import READY


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
