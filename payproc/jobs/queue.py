"""What waits: staged in the transaction that causes the work."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Select,
    func,
    literal,
    literal_column,
    or_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState
from payproc.domain.payment_methods import PaymentMethod
from payproc.jobs.kinds import Kind, Queue

# Spelt out, not a parameter: once a statement is prepared, PostgreSQL plans it without its parameters, and then it
# can no longer prove that a partial index fits. ON CONFLICT would fail from the eleventh staging on.
READY = Job.state == literal_column("'ready'")


def stage(
    session: Session,
    kind: Kind,
    subject: str,
    *,
    method: PaymentMethod | None = None,
    due_at: datetime | None = None,
    payload: dict[str, Any] | None = None,
) -> None:
    """Write down work inside the caller's transaction; `due_at` (UTC) defaults to now.

    `method` is whose provider will be called, where that decides the queue.

    The same work already open is brought forward rather than doubled, and learns what the new payload says. If it is
    running this moment, it may have looked before the caller's change: it is marked to run once more.
    """
    due = func.now() if due_at is None else literal(due_at, Job.due_at.type)
    row = insert(Job).values(
        kind=kind,
        queue=_queue(kind, method),
        subject=subject,
        dedupe_key=_dedupe_key(kind, subject),
        payload=payload or {},
        due_at=due,
    )
    running = Job.started_at.is_not(None)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Job.dedupe_key],
            index_where=READY,
            set_={
                Job.due_at: func.least(Job.due_at, row.excluded.due_at),
                Job.payload: Job.payload.op("||")(row.excluded.payload),
                Job.rerun: or_(Job.rerun, running),
            },
        )
    )


def bring_forward(session: Session, kind: Kind, subjects: Select[str]) -> None:
    """Make the work about these subjects due now; what has begun looks for itself."""
    session.execute(
        update(Job)
        .where(Job.kind == kind, Job.subject.in_(subjects), READY, Job.started_at.is_(None))
        .values(due_at=func.least(Job.due_at, func.now()))
        .execution_options(synchronize_session=False)
    )


def withdraw(session: Session, kind: Kind, subject: str) -> None:
    """Close work that is no longer wanted and has not begun; what runs already finds that out by itself."""
    session.execute(
        update(Job)
        .where(Job.dedupe_key == _dedupe_key(kind, subject), READY, Job.started_at.is_(None))
        .values(state=JobState.DONE, finished_at=func.now(), leased_until=None, lease_token=None)
        .execution_options(synchronize_session=False)
    )


def _queue(kind: Kind, method: PaymentMethod | None) -> str:
    queue = kind.policy.queue
    if isinstance(queue, Queue):
        return queue
    assert method is not None, f"{kind} needs a payment method"
    return queue(method)


def _dedupe_key(kind: Kind, subject: str) -> str:
    return f"{kind}:{subject}"
