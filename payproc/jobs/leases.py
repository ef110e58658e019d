"""What runs: a worker trades a message's token for a token of its own, and says at the end what became of the job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, false, func, null, or_, select, update
from sqlalchemy.orm import Session

from payproc.database.engine import after_commit
from payproc.database.models import Job, JobState
from payproc.errors import PayprocError
from payproc.jobs.hold import Hold, moment
from payproc.jobs.kinds import Kind

# A job that killed its worker or met a bug this often is the likely cause: a person looks before it runs again.
MOST_CRASHES = 5
_LONGEST_RETRY = timedelta(minutes=10)
_TAKEN_OVER = "Another run has claimed this job."


class LeaseLost(PayprocError):
    """Another run has claimed this job since ours did; what ours did in this transaction must not stand."""

    code = "lease_lost"


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
    # No session holds these rows (nor those below): looking for them there cost a tenth of an inquiry.
    rows = session.scalars(
        update(Job)
        .where(Job.state == JobState.READY, _named(dispatched))
        .values(
            attempts=Job.attempts + 1,
            crashes=Job.crashes + case((Job.started_at.is_not(None), 1), else_=0),
            started_at=func.now(),
            leased_until=func.now() + lease,
            lease_token=token,
        )
        .returning(Job)
        .execution_options(synchronize_session=False)
    ).all()
    if len(rows) < len(dispatched):
        held = _named([(job_id, token) for job_id, _ in dispatched])
        again = update(Job).where(Job.state == JobState.READY, held).values(leased_until=func.now() + lease)
        rows = session.scalars(again.returning(Job).execution_options(synchronize_session=False)).all()
    places = {job_id: place for place, (job_id, _) in enumerate(dispatched)}
    found = [_claimed(row, Hold(lease, asked_at=asked_at)) for row in rows]
    return sorted(found, key=lambda job: places[job.id])


def _named(tokens: Sequence[tuple[str, UUID]]) -> ColumnElement[bool]:
    return or_(false(), *(and_(Job.id == job_id, Job.lease_token == token) for job_id, token in tokens))


def renew(session: Session, held: Sequence[Claimed], *, lease: timedelta) -> None:
    """Hold on to jobs that are still run, for another `lease`; those that have ended, or are another's, stay so."""
    asked_at = moment()
    renewed = session.scalars(
        update(Job)
        .where(Job.state == JobState.READY, _named([(job.id, job.token) for job in held]))
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


def _claimed(job: Job, hold: Hold) -> Claimed:
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

    Raises LeaseLost when another run has claimed it.
    """
    # One statement, for every job ends here. The same work may be staged again in this transaction: its insert must
    # find this row closed.
    again = Job.rerun
    finished = session.scalar(
        update(Job)
        .where(Job.id == job.id, Job.lease_token == job.token, Job.state == JobState.READY)
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
    )
    if finished is None:
        raise LeaseLost(_TAKEN_OVER, subject=job.id)


def retry_later(session: Session, job: Claimed, *, error: str, after: timedelta) -> None:
    """Put the job back, due `after` from now; `error` is kept for people to read."""
    held = _held(session, job)
    held.due_at = _now(session) + after
    held.last_error = error
    _release(held)


def await_turn(session: Session, job: Claimed, *, error: str, after: timedelta) -> None:
    """Put the job back, due `after` from now, as if it had not begun: waiting for a turn is no failed attempt."""
    held = _held(session, job)
    held.attempts -= 1
    held.due_at = _now(session) + after
    held.last_error = error
    _release(held)


def resume_later(session: Session, job: Claimed) -> None:
    """Put the job back, due now: it has done a part of its work, and there is more."""
    held = _held(session, job)
    held.due_at = _now(session)
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
    job.finished_at = _now(session)
    _release(job)


def requeue(session: Session, job: Job) -> None:
    """Make a dead job due now, with a clean slate."""
    job.state = JobState.READY
    job.due_at = _now(session)
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


def _now(session: Session) -> datetime:
    moment: datetime = session.scalars(select(func.now())).one()
    return moment
