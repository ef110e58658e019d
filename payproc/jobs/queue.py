"""What waits: staged in the transaction that causes the work, leased by the relay when it is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Interval, Row, Select, func, literal, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState
from payproc.domain.payment_methods import PaymentMethod
from payproc.jobs.kinds import Kind, provider_queue

_KNOWN_KINDS = tuple(kind.value for kind in Kind)
_MOST_DISPATCHED_A_QUEUE = 1000
# What a message is made of.
_SENT = (Job.id, Job.kind, Job.queue, Job.subject, Job.lease_token, Job.crashes)
# While the server was away no worker could renew a lease. Each notices within a second that it is back, and has this
# long for what it had begun before.
_TIME_TO_RENEW = timedelta(seconds=5)

# Spelt out, not a parameter: once a statement is prepared, PostgreSQL plans it without its parameters, and then it
# can no longer prove that a partial index fits. ON CONFLICT would fail from the eleventh staging on.
READY = Job.state == literal_column("'ready'")


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """A due job as the relay sends it."""

    job_id: str
    kind: Kind
    queue: str
    subject: str
    token: UUID
    crashes: int


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
    if queue is None:
        assert method is not None, f"{kind} needs a payment method"
        return provider_queue(method)
    return queue


def _dedupe_key(kind: Kind, subject: str) -> str:
    return f"{kind}:{subject}"


def dispatch(session: Session, *, limit: int, lease: timedelta, token: UUID | None = None) -> list[Dispatched]:
    """Lease up to `limit` due jobs for sending, oldest first. Two relays never get the same one.

    `token` names what was leased here, for `recall`; a new one unless given.
    """
    free = or_(Job.leased_until.is_(None), (Job.leased_until < func.now()) & _is_given_up())
    due = (
        select(Job.id)
        # A kind that this release does not know waits for one that does: during a roll-back there are such rows.
        .where(READY, Job.due_at <= func.now(), free, Job.kind.in_(_KNOWN_KINDS), Job.queue.not_in(_full_queues()))
        .order_by(Job.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    rows = session.execute(
        update(Job)
        .where(Job.id.in_(due))
        .values(leased_until=func.now() + lease, lease_token=token or uuid4())
        .returning(*_SENT)
        .execution_options(synchronize_session=False)
    )
    # PostgreSQL returns them in the order of its pages; their ids are in that of their making.
    return sorted((_dispatched(row) for row in rows), key=attrgetter("job_id"))


def recall(session: Session, token: UUID) -> list[Dispatched]:
    """Return what was leased under this token and has not begun: its commit may have gone unheard, or its message."""
    leased = select(*_SENT).where(READY, Job.leased_until >= func.now(), Job.lease_token == token)
    return [_dispatched(row) for row in session.execute(leased.where(Job.started_at.is_(None)))]


def _dispatched(row: Row[str, str, str, str, UUID | None, int]) -> Dispatched:
    assert row.lease_token is not None
    return Dispatched(
        job_id=row.id,
        kind=Kind(row.kind),
        queue=row.queue,
        subject=row.subject,
        token=row.lease_token,
        crashes=row.crashes,
    )


def _is_given_up() -> ColumnElement[bool]:
    # What was dispatched and not begun is nobody's as soon as its lease is over.
    server_began = func.pg_postmaster_start_time()
    in_time = server_began < func.now() - literal(_TIME_TO_RENEW, Interval)
    return or_(Job.started_at.is_(None), Job.started_at > server_began, in_time)


def _full_queues() -> Select[str]:
    # A queue whose workers are away gets no more messages than they could answer when they come back: else every row
    # would be dispatched again at the end of each lease, and Redis would fill with stale ones.
    return (
        select(Job.queue)
        .where(READY, Job.leased_until >= func.now(), Job.started_at.is_(None))
        .group_by(Job.queue)
        .having(func.count() >= _MOST_DISPATCHED_A_QUEUE)
    )
