"""The job table: stage, ring, begin, finish, retry later, bury.

PostgreSQL is the record, Celery the doorbell. A row is staged in the transaction that causes the work. The relay
*rings*: it leases due rows and sends their ids. A worker *begins*: it trades the ring's token for a token of its
own, so a message delivered twice starts once. Whatever dies, a lease runs out and the row is due again.

All durations are measured by the database's clock: hosts disagree, the database does not disagree with itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Interval, Select, and_, case, false, func, literal, literal_column, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState
from payproc.domain.payment_methods import PaymentMethod


class Queue(StrEnum):
    """Queues of no provider. Each provider has its own: a sick one holds up neither another nor the notices."""

    NOTICES = "notices"
    MAIL = "mail"
    CLOCK = "clock"
    RECONCILE = "reconcile"


def provider_queue(method: PaymentMethod) -> str:
    """Name the queue of a provider's calls."""
    return f"provider.{method}"


class Kind(StrEnum):
    """The closed list of work."""

    START_PAYMENT = "payment.start"
    PUSH_PAYMENT = "payment.push"  # a start that waits for the customer, and must not go out twice
    INQUIRE_PAYMENT = "payment.inquire"
    CANCEL_PAYMENT = "payment.cancel"
    SEND_REFUND = "refund.send"
    INQUIRE_REFUND = "refund.inquire"
    APPLY_NOTICE = "notice.apply"
    SEND_MAIL = "mail.send"
    PRUNE = "clock.prune"
    CHECK_INVARIANTS = "clock.check_invariants"
    DIGEST = "clock.digest"
    RECONCILE_EVENTS = "reconcile.events"
    RECONCILE_OBJECTS = "reconcile.objects"
    RECONCILE_ALL_OBJECTS = "reconcile.all_objects"
    RECONCILE_MONEY = "reconcile.money"
    RECONCILE_WALLETS = "reconcile.wallets"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How a kind of work is rung for and run.

    `queue`: None where the payment's provider decides. `batch`: ids in a message. `side_by_side`: how many of a message
    run at once. `waits`: a customer may be waited for, so that it may take PUSH_TIMEOUT longer than other work.
    """

    queue: Queue | None
    batch: int = 1
    side_by_side: int = 1
    waits: bool = False


POLICIES: dict[Kind, Policy] = {
    Kind.START_PAYMENT: Policy(queue=None),
    # A gateway may hold a wallet's push until the customer has typed the MPIN.
    Kind.PUSH_PAYMENT: Policy(queue=None, waits=True),
    # Nearly all of an inquiry is waiting for the gateway: twenty wait together, for one message's cost.
    Kind.INQUIRE_PAYMENT: Policy(queue=None, batch=20, side_by_side=20),
    Kind.SEND_REFUND: Policy(queue=None),
    Kind.INQUIRE_REFUND: Policy(queue=None),
    Kind.CANCEL_PAYMENT: Policy(queue=None),
    # A notice is a few rows and no call: fifty share one message's cost.
    Kind.APPLY_NOTICE: Policy(queue=Queue.NOTICES, batch=50),
    Kind.SEND_MAIL: Policy(queue=Queue.MAIL),
    Kind.PRUNE: Policy(queue=Queue.CLOCK),
    Kind.CHECK_INVARIANTS: Policy(queue=Queue.CLOCK),
    Kind.DIGEST: Policy(queue=Queue.CLOCK),
    Kind.RECONCILE_EVENTS: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_OBJECTS: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_ALL_OBJECTS: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_MONEY: Policy(queue=Queue.RECONCILE),
    Kind.RECONCILE_WALLETS: Policy(queue=Queue.RECONCILE),
}

_WAITING_KINDS = tuple(kind.value for kind, policy in POLICIES.items() if policy.waits)
_KNOWN_KINDS = tuple(kind.value for kind in Kind)
_MOST_RINGS_A_QUEUE = 1000

# A job that killed its worker or met a bug this often is the likely cause: a person looks before it runs again.
MOST_STRIKES = 5
_LONGEST_RETRY = timedelta(minutes=10)

# Spelt out, not a parameter: once a statement is prepared, PostgreSQL plans it without its parameters, and then it
# can no longer prove that a partial index fits. ON CONFLICT would fail from the eleventh staging on.
READY = Job.state == literal_column("'ready'")


# No session holds the rows that these statements change: looking for them there cost a tenth of an inquiry.
_UNSEEN = {"synchronize_session": False}


class LeaseLost(Exception):
    """Another run of this job has begun since ours did; what ours did in this transaction must not stand."""


@dataclass(frozen=True, kw_only=True)
class Ring:
    """A due job as the relay sends it."""

    job_id: str
    kind: Kind
    queue: str
    subject: str
    token: UUID
    strikes: int


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A job as its worker holds it."""

    id: str
    kind: Kind
    subject: str
    token: UUID
    payload: dict[str, Any]
    attempts: int
    strikes: int
    staged_at: datetime


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

    The same work already open is brought forward rather than doubled. If it is running this moment, it may have
    looked before the caller's change: it is marked to run once more.
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
                "due_at": func.least(Job.due_at, row.excluded.due_at),
                "wanted_again": or_(Job.wanted_again, running),
            },
        )
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
    queue = POLICIES[kind].queue
    if queue is None:
        assert method is not None, f"{kind} needs a payment method"
        return provider_queue(method)
    return queue


def _dedupe_key(kind: Kind, subject: str) -> str:
    return f"{kind}:{subject}"


def ring(session: Session, *, limit: int, lease: timedelta) -> list[Ring]:
    """Lease up to `limit` due jobs for ringing, oldest first. Two relays never get the same one."""
    free = or_(Job.leased_until.is_(None), Job.leased_until < func.now())
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
        .values(leased_until=_from_now(lease), lease_token=func.gen_random_uuid())
        .returning(Job.id, Job.kind, Job.queue, Job.subject, Job.lease_token, Job.strikes)
        .execution_options(**_UNSEEN)
    )
    return [
        Ring(
            job_id=row.id,
            kind=Kind(row.kind),
            queue=row.queue,
            subject=row.subject,
            token=row.lease_token,
            strikes=row.strikes,
        )
        for row in rows
    ]


def _full_queues() -> Select[str]:
    # A queue whose workers are away gets no more rings than they could answer when they come back: else every row
    # would be rung again at the end of each lease, and Redis would fill with stale rings.
    return (
        select(Job.queue)
        .where(READY, Job.leased_until >= func.now(), Job.started_at.is_(None))
        .group_by(Job.queue)
        .having(func.count() >= _MOST_RINGS_A_QUEUE)
    )


def begin(
    session: Session,
    rings: Sequence[tuple[str, UUID]],
    *,
    lease: timedelta,
    wait: timedelta = timedelta(0),
) -> list[Begun]:
    """Start the jobs whose ring is still good, and count the start before anything can go wrong.

    `wait` is how much longer those that may wait for a customer are held.

    A start that was never reported (its worker died) is a strike against the job.
    """
    good = or_(false(), *(and_(Job.id == job_id, Job.lease_token == token) for job_id, token in rings))
    rows = session.execute(
        update(Job)
        .where(Job.state == JobState.READY, good)
        .values(
            attempts=Job.attempts + 1,
            strikes=Job.strikes + case((Job.started_at.is_not(None), 1), else_=0),
            started_at=func.now(),
            leased_until=case((Job.kind.in_(_WAITING_KINDS), _from_now(lease + wait)), else_=_from_now(lease)),
            lease_token=func.gen_random_uuid(),
        )
        .returning(Job)
        .execution_options(**_UNSEEN)
    )
    return [_begun(job) for job in rows.scalars()]


def _begun(job: Job) -> Begun:
    assert job.lease_token is not None
    return Begun(
        id=job.id,
        kind=Kind(job.kind),
        subject=job.subject,
        token=job.lease_token,
        payload=job.payload,
        attempts=job.attempts,
        strikes=job.strikes,
        staged_at=job.created_at,
    )


def finish(session: Session, job: Begun) -> None:
    """Mark the job done in the transaction of its effect, so that both stand or neither does.

    Raises LeaseLost when another run has begun.
    """
    # One statement, for every job ends here. The same work may be staged again in this transaction: its insert must
    # find this row closed.
    again = Job.wanted_again
    finished = session.scalar(
        update(Job)
        .where(Job.id == job.id, Job.lease_token == job.token, Job.state == JobState.READY)
        .values(
            state=case((again, JobState.READY.value), else_=JobState.DONE.value),
            finished_at=case((again, null()), else_=func.now()),
            wanted_again=false(),
            leased_until=None,
            lease_token=None,
            started_at=None,
        )
        .returning(Job.id)
        .execution_options(**_UNSEEN)
    )
    if finished is None:
        raise LeaseLost(job.id)


def retry_later(session: Session, job: Begun, *, error: str, after: timedelta) -> None:
    """Put the job back, due `after` from now; `error` is kept for people to read."""
    held = _held(session, job)
    held.due_at = _now(session) + after
    held.last_error = error
    _release(held)


def go_on(session: Session, job: Begun) -> None:
    """Put the job back, due now: it has done a part of its work, and there is more."""
    held = _held(session, job)
    held.due_at = _now(session)
    held.attempts = 0
    held.last_error = None
    _release(held)


def strike(session: Session, job: Begun, *, error: str, after: timedelta) -> bool:
    """Count a bug against the job and put it back. Return False once it had enough: then bury it."""
    held = _held(session, job)
    held.strikes += 1
    if held.strikes >= MOST_STRIKES:
        return False
    retry_later(session, job, error=error, after=after)
    return True


def bury(session: Session, job: Begun, *, error: str) -> None:
    """Set the job aside for a person. `last_error` says why; `requeue` brings it back."""
    held = _held(session, job)
    held.state = JobState.DEAD
    held.last_error = error
    held.finished_at = _now(session)
    _release(held)


def bury_by_hand(session: Session, job: Job, *, error: str) -> None:
    """Set a job aside on an operator's word, whoever holds its lease."""
    job.state = JobState.DEAD
    job.last_error = error
    job.finished_at = _now(session)
    _release(job)


def requeue(session: Session, job: Job) -> None:
    """Make a dead job due now, with a clean slate."""
    job.state = JobState.READY
    job.due_at = _now(session)
    job.strikes = job.attempts = 0
    job.wanted_again = False
    # Patience is counted from here (work.py): the time it lay dead was ours.
    job.created_at = job.due_at
    job.finished_at = None
    _release(job)


def backoff(attempts: int, *, base: timedelta, jitter: float) -> timedelta:
    """Wait before try number `attempts` + 1: doubling from `base` to ten minutes.

    `jitter` in [0, 1) spreads it over its upper half, so that what failed together does not return together.
    """
    full = min(base * 2 ** min(attempts - 1, 20), _LONGEST_RETRY)
    spread: timedelta = full * (0.5 + jitter / 2)
    return spread


def _held(session: Session, job: Begun) -> Job:
    found = session.scalar(
        select(Job).where(Job.id == job.id, Job.lease_token == job.token, Job.state == JobState.READY).with_for_update()
    )
    if found is None:
        raise LeaseLost(job.id)
    return found


def _release(job: Job) -> None:
    job.leased_until = None
    job.lease_token = None
    job.started_at = None


def _now(session: Session) -> datetime:
    moment: datetime = session.scalars(select(func.now())).one()
    return moment


def _from_now(length: timedelta) -> Any:  # noqa: ANN401 (an SQL expression)
    return func.now() + literal(length, Interval)
