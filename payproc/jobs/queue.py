"""What waits: staged in the transaction that causes the work, leased by the relay when it is due."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Interval,
    Row,
    ScalarSelect,
    Select,
    any_,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState
from payproc.domain.payment_methods import PaymentMethod
from payproc.jobs.kinds import Kind, Queue, Turn

# A kind that this release does not know waits for one that does: during a roll-back there are such rows.
_KINDS = {turn: tuple(kind.value for kind in Kind if kind.policy.turn is turn) for turn in Turn}
_A_MESSAGE = max(kind.policy.batch for kind in Kind if kind.policy.turn is Turn.LATER)
# A queue in which so many are dispatched and not begun gets no more, and how many are sent for at once. So a payment
# that starts finds three messages before it, at most, of what nobody waits for; and however much starts, those have
# their share.
_ENOUGH = {Turn.FIRST: 1000, Turn.LATER: _A_MESSAGE}
_MOST_LATER_AT_ONCE = 2 * _A_MESSAGE
# What a message is made of.
_SENT = (Job.id, Job.kind, Job.queue, Job.subject, Job.lease_token, Job.leased_until, Job.crashes)
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
    until: datetime  # by the database's clock; then its message is stale
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
    if isinstance(queue, Queue):
        return queue
    assert method is not None, f"{kind} needs a payment method"
    return queue(method)


def _dedupe_key(kind: Kind, subject: str) -> str:
    return f"{kind}:{subject}"


def dispatch(
    session: Session,
    *,
    limit: int,
    lease: timedelta,
    token: UUID | None = None,
    messages: Mapping[str, int] | None = None,
) -> list[Dispatched]:
    """Lease due jobs for sending, oldest first and up to `limit` of each turn. Two relays never get the same one.

    `token` names what was leased here, for `recall`; a new one unless given. `messages` says how many wait in each
    queue at the broker: where they are more than what is leased, some are stale, nobody takes them, and none is added.
    """
    leased = _dispatched_by_queue(session)
    crowded = [queue for queue, waiting in (messages or {}).items() if waiting > sum(leased[queue].values())]
    due = [_due(turn, leased, crowded, limit=limit) for turn in Turn]
    rows = session.execute(
        update(Job)
        .where(Job.id == any_(func.array(due[0]).op("||")(func.array(due[1]))))
        .values(leased_until=func.now() + lease, lease_token=token or uuid4())
        .returning(*_SENT)
        .execution_options(synchronize_session=False)
    )
    # PostgreSQL returns them in the order of its pages; their ids are in that of their making. The share of what nobody
    # waits for is sent first, or much that starts would make it stale in the list.
    found = (_dispatched(row) for row in rows)
    return sorted(found, key=lambda each: (each.kind.policy.turn is Turn.FIRST, each.job_id))


def _due(turn: Turn, leased: Mapping[str, Counter[Turn]], crowded: Sequence[str], *, limit: int) -> ScalarSelect[str]:
    full = [queue for queue, dispatched in leased.items() if dispatched[turn] >= _ENOUGH[turn]]
    free = or_(Job.leased_until.is_(None), (Job.leased_until < func.now()) & _is_given_up())
    due = READY & (Job.due_at <= func.now()) & Job.kind.in_(_KINDS[turn])
    return (
        select(Job.id)
        .where(due, free, Job.queue.not_in([*crowded, *full]))
        .order_by(Job.due_at)
        .limit(limit if turn is Turn.FIRST else min(limit, _MOST_LATER_AT_ONCE))
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )


def _dispatched_by_queue(session: Session) -> defaultdict[str, Counter[Turn]]:
    """Count what is dispatched and not begun.

    A queue whose workers are away gets no more messages than they could answer when they come back.
    """
    waiting = select(Job.queue, Job.kind, func.count()).where(
        READY, Job.leased_until >= func.now(), Job.started_at.is_(None)
    )
    counted: defaultdict[str, Counter[Turn]] = defaultdict(Counter)
    for queue, kind, count in session.execute(waiting.group_by(Job.queue, Job.kind)):
        counted[queue][Turn.LATER if kind in _KINDS[Turn.LATER] else Turn.FIRST] += count
    return counted


def recall(session: Session, token: UUID) -> list[Dispatched]:
    """Return what was leased under this token and has not begun: its commit may have gone unheard, or its message."""
    leased = select(*_SENT).where(READY, Job.leased_until >= func.now(), Job.lease_token == token)
    return [_dispatched(row) for row in session.execute(leased.where(Job.started_at.is_(None)))]


def _dispatched(row: Row[str, str, str, str, UUID | None, datetime | None, int]) -> Dispatched:
    assert row.lease_token is not None
    assert row.leased_until is not None
    return Dispatched(
        job_id=row.id,
        kind=Kind(row.kind),
        queue=row.queue,
        subject=row.subject,
        token=row.lease_token,
        until=row.leased_until,
        crashes=row.crashes,
    )


def _is_given_up() -> ColumnElement[bool]:
    # What was dispatched and not begun is nobody's as soon as its lease is over.
    server_began = func.pg_postmaster_start_time()
    in_time = server_began < func.now() - literal(_TIME_TO_RENEW, Interval)
    return or_(Job.started_at.is_(None), Job.started_at > server_began, in_time)
