"""What runs: a worker trades a message's token for a token of its own, and says at the end what became of the job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, String, Uuid, case, column, false, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from payproc.database.deferring import defer
from payproc.database.engine import after_commit, transaction_time
from payproc.database.models import Job, JobState
from payproc.errors import PayprocError
from payproc.jobs.hold import Hold, moment
from payproc.jobs.kinds import Kind

# A job that killed its worker or met a bug this often is the likely cause: a person looks before it runs again.
MOST_CRASHES = 5
_LONGEST_RETRY = timedelta(minutes=10)
_TAKEN_OVER = "Another run has claimed this job."
# What a run needs to know of its job.
_CLAIMED = (
    Job.id,
    Job.kind,
    Job.queue,
    Job.subject,
    Job.lease_token,
    Job.payload,
    Job.attempts,
    Job.crashes,
    Job.created_at,
    Job.started_at,
)


class LeaseLost(PayprocError):
    """Another run has claimed this job since ours did; what ours did in this transaction must not stand."""

    code = "lease_lost"


class NotReached(PayprocError):
    """The time of a message was over before this job of it was begun."""

    code = "not_reached"


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A job as its worker holds it."""

    id: str
    kind: Kind
    queue: str
    subject: str
    token: UUID
    payload: dict[str, Any]
    attempts: int
    crashes: int
    staged_at: datetime
    started_at: datetime  # by the database's clock, as all times of a job
    hold: Hold


def claim(session: Session, dispatched: Sequence[tuple[str, UUID]], *, token: UUID, lease: timedelta) -> list[Claimed]:
    """Claim the jobs whose message's token is still good, and count the start before anything can go wrong.

    `token` is the run's own. Asked again under it, after a commit whose answer was lost, this returns what was claimed
    then. A start that was never reported (its worker died) counts as a crash of the job.
    """
    asked_at = moment()
    rows = session.execute(
        update(Job)
        .where(Job.id.in_(_held_rows(dispatched)))
        .values(
            attempts=Job.attempts + 1,
            crashes=Job.crashes + case((Job.started_at.is_not(None), 1), else_=0),
            started_at=func.now(),
            leased_until=func.now() + lease,
            lease_token=token,
        )
        .returning(*_CLAIMED)
        # No session holds these rows (nor those below): looking for them there cost a tenth of an inquiry.
        .execution_options(synchronize_session=False)
    ).all()
    if len(rows) < len(dispatched):
        held = _held_rows([(job_id, token) for job_id, _ in dispatched])
        again = update(Job).where(Job.id.in_(held)).values(leased_until=func.now() + lease)
        rows = session.execute(again.returning(*_CLAIMED).execution_options(synchronize_session=False)).all()
    places = {job_id: place for place, (job_id, _) in enumerate(dispatched)}
    found = [_claimed(row, Hold(lease, asked_at=asked_at)) for row in rows]
    return sorted(found, key=lambda job: places[job.id])


def _held_rows(tokens: Sequence[tuple[str, UUID]], *, skip_locked: bool = False) -> Select[str]:
    """Lock the jobs that are still held under these tokens.

    In the order of their ids, whoever takes several: a worker that finishes a message and one that claims the same jobs
    after it would each wait for the other. As arrays, which is one statement for any number of them: fifty pairs of
    `id = … AND token = …` were compiled anew for each length, and planned anew each time.
    """
    ids = literal([job_id for job_id, _ in tokens], ARRAY(String))
    named = func.unnest(ids, literal([token for _, token in tokens], ARRAY(Uuid)))
    held = named.table_valued(column("id", String), column("token", Uuid), name="held").render_derived()
    return (
        select(Job.id)
        .join(held, (Job.id == held.c.id) & (Job.lease_token == held.c.token))
        .where(Job.state == JobState.READY)
        .order_by(Job.id)
        .with_for_update(of=Job, skip_locked=skip_locked)
    )


def renew(session: Session, held: Sequence[Claimed], *, lease: timedelta) -> None:
    """Hold on to jobs that are still run, for another `lease`; those that have ended, or are another's, stay so."""
    asked_at = moment()
    # What is locked is ending this moment, and wants no lease: its end must not wait for this, nor this for it.
    rows = _held_rows([(job.id, job.token) for job in held], skip_locked=True)
    renewed = session.scalars(
        update(Job)
        .where(Job.id.in_(rows))
        .values(leased_until=func.now() + lease)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    still_ours = frozenset(renewed)
    for job in held:
        if job.id in still_ours:
            after_commit(session, partial(job.hold.prolong, asked_at=asked_at))


def secure(session: Session, job: Claimed) -> None:
    """Hold on to a job for a whole lease, in the transaction that writes down what cannot be taken back.

    Until that commits nobody can take the job over, and after it not before the lease is over. Raises LeaseLost.
    """
    asked_at = moment()
    held = session.scalar(
        update(Job)
        .where(Job.id == job.id, Job.lease_token == job.token, Job.state == JobState.READY)
        # By the clock and not by the transaction's begin: it may have waited for a payment's row meanwhile.
        .values(leased_until=func.clock_timestamp() + job.hold.lease)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    if held is None:
        raise LeaseLost(_TAKEN_OVER, subject=job.id)
    after_commit(session, partial(job.hold.prolong, asked_at=asked_at))


def check_held(job: Claimed) -> None:
    """Refuse to go on with less than half a lease, as after a process stood still. Raises LeaseLost.

    Ask right before what cannot be taken back. Half a lease is longer than a call takes to leave us (its turn, its
    connection). Its answer may take longer: whoever takes the job over by then finds it written down, and asks.
    """
    if job.hold.left < job.hold.lease / 2:
        raise LeaseLost("Too little of the lease is left to send anything.", subject=job.id)


def _claimed(job: Row[Any], hold: Hold) -> Claimed:
    assert job.lease_token is not None
    assert job.started_at is not None
    return Claimed(
        id=job.id,
        kind=Kind(job.kind),
        queue=job.queue,
        subject=job.subject,
        token=job.lease_token,
        payload=job.payload,
        attempts=job.attempts,
        crashes=job.crashes,
        staged_at=job.created_at,
        started_at=job.started_at,
        hold=hold,
    )


def finish(session: Session, job: Claimed) -> None:
    """Mark the job done in the transaction of its effect, so that both stand or neither does.

    Raises LeaseLost when another run has claimed it; within `deferring` that comes at the end, for all that it ends.
    """
    defer(session, finish_all, job)


def finish_all(session: Session, done: Sequence[Claimed]) -> None:
    """Mark several jobs done by one statement. Raises LeaseLost when another run has claimed one of them."""
    # For every job ends here. The same work may be staged again in this transaction: its insert must find the row
    # closed.
    again = Job.rerun
    finished = session.scalars(
        update(Job)
        .where(Job.id.in_(_held_rows([(job.id, job.token) for job in done])))
        .values(
            state=case((again, JobState.READY.value), else_=JobState.DONE.value),
            finished_at=case((again, null()), else_=func.now()),
            rerun=false(),
            leased_until=None,
            lease_token=None,
            started_at=None,
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).all()
    if lost := {job.id for job in done}.difference(finished):
        raise LeaseLost(_TAKEN_OVER, subject=min(lost))


def retry_later(session: Session, job: Claimed, *, error: str, after: timedelta) -> None:
    """Put the job back, due `after` from now; `error` is kept for people to read."""
    held = _held(session, job)
    held.due_at = transaction_time(session) + after
    held.last_error = error
    _release(held)


def await_turn(session: Session, job: Claimed, *, error: str, after: timedelta) -> None:
    """Put the job back, due `after` from now, as if it had not begun: waiting for a turn is no failed attempt."""
    held = _held(session, job)
    held.attempts -= 1
    held.due_at = transaction_time(session) + after
    held.last_error = error
    _release(held)


def resume_later(session: Session, job: Claimed) -> None:
    """Put the job back, due now: it has done a part of its work, and there is more."""
    held = _held(session, job)
    held.due_at = transaction_time(session)
    held.attempts = 0
    held.last_error = None
    _release(held)


def count_crash(session: Session, job: Claimed, *, error: str, after: timedelta) -> bool:
    """Count a bug against the job and put it back. Return False once it had enough: then bury it."""
    held = _held(session, job)
    held.crashes += 1
    if held.crashes >= MOST_CRASHES:
        return False
    retry_later(session, job, error=error, after=after)
    return True


def bury(session: Session, job: Claimed, *, error: str) -> None:
    """Set the job aside for a person. `last_error` says why; `requeue` brings it back."""
    bury_by_hand(session, _held(session, job), error=error)


def bury_by_hand(session: Session, job: Job, *, error: str) -> None:
    """Set a job aside on an operator's word, whoever holds its lease."""
    job.state = JobState.DEAD
    job.last_error = error
    job.finished_at = transaction_time(session)
    _release(job)


def requeue(session: Session, job: Job) -> None:
    """Make a dead job due now, with a clean slate."""
    job.state = JobState.READY
    job.due_at = transaction_time(session)
    job.crashes = job.attempts = 0
    job.rerun = False
    # Patience is counted from here: the time it lay dead was ours.
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


def _held(session: Session, job: Claimed) -> Job:
    found = session.scalar(
        select(Job).where(Job.id == job.id, Job.lease_token == job.token, Job.state == JobState.READY).with_for_update()
    )
    if found is None:
        raise LeaseLost(_TAKEN_OVER, subject=job.id)
    return found


def _release(job: Job) -> None:
    job.leased_until = None
    job.lease_token = None
    job.started_at = None
