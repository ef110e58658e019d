"""What runs: a worker trades a message's token for a token of its own, and says at the end what became of the job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from payproc.database.deferring import defer
from payproc.database.engine import Database, after_commit, rows_within, transaction_time
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


# The jobs that are still held under these tokens, locked in the order of their ids, as whoever takes several does: a
# worker that finishes a message and one that claims the same jobs after it would each wait for the other. Written out,
# for the builder of statements took longer over it than PostgreSQL; as arrays, which is one statement for any number.
_HELD = """ANY (ARRAY (
    SELECT jobs.id FROM jobs
    JOIN unnest(CAST(%(ids)s AS text[]), CAST(%(tokens)s AS uuid[])) AS held (id, token)
        ON jobs.id = held.id AND jobs.lease_token = held.token
    WHERE jobs.state = 'ready' ORDER BY jobs.id FOR UPDATE OF jobs {}
))"""
_WAITING_FOR_THEM, _PAST_LOCKED = _HELD.format(""), _HELD.format("SKIP LOCKED")
_CLAIMED = "RETURNING id, kind, queue, subject, payload, attempts, strikes, created_at, started_at"
_CLAIM = f"""
    UPDATE jobs SET attempts = attempts + 1, strikes = strikes + CASE WHEN started_at IS NULL THEN 0 ELSE 1 END,
        started_at = now(), leased_until = now() + %(lease)s, lease_token = %(token)s
    WHERE id = {_WAITING_FOR_THEM} {_CLAIMED}
"""  # noqa: S608 (our own words)
_CLAIM_AGAIN = f"UPDATE jobs SET leased_until = now() + %(lease)s WHERE id = {_WAITING_FOR_THEM} {_CLAIMED}"  # noqa: S608 (our own words)
_RENEW = f"UPDATE jobs SET leased_until = now() + %(lease)s WHERE id = {_PAST_LOCKED} RETURNING id"  # noqa: S608 (our own words)
_FINISH = f"""
    UPDATE jobs SET state = CASE WHEN wanted_again THEN 'ready' ELSE 'done' END,
        finished_at = CASE WHEN wanted_again THEN NULL ELSE now() END,
        wanted_again = false, leased_until = NULL, lease_token = NULL, started_at = NULL
    WHERE id = {_WAITING_FOR_THEM} RETURNING id
"""  # noqa: S608 (our own words)

_PUT_BACK = f"""
    UPDATE jobs SET due_at = now() + later.after, last_error = later.error, attempts = attempts - %(uncounted)s,
        leased_until = NULL, lease_token = NULL, started_at = NULL
    FROM unnest(CAST(%(jobs)s AS text[]), CAST(%(afters)s AS interval[]), CAST(%(errors)s AS text[]))
        AS later (id, after, error)
    WHERE jobs.id = later.id AND jobs.id = {_WAITING_FOR_THEM} RETURNING jobs.id
"""  # noqa: S608 (our own words)


def claim(
    database: Database, dispatched: Sequence[tuple[str, UUID]], *, token: UUID, lease: timedelta
) -> list[Claimed]:
    """Claim the jobs whose message's token is still good, and count the start before anything can go wrong.

    It is a transaction of its own. `token` is the run's: asked again under it, after an answer that was lost, this
    returns what was claimed then. A start that was never reported (its worker died) counts as a crash of the job.
    Raises one of PASSING_TROUBLE.
    """
    asked_at = moment()
    rows = database.rows(_CLAIM, {**_named(dispatched), "token": token, "lease": lease})
    if len(rows) < len(dispatched):
        held = _named([(job_id, token) for job_id, _ in dispatched])
        rows = database.rows(_CLAIM_AGAIN, {**held, "lease": lease})
    places = {job_id: place for place, (job_id, _) in enumerate(dispatched)}
    found = [_claimed(row, token, Hold(lease, asked_at=asked_at)) for row in rows]
    return sorted(found, key=lambda job: places[job.id])


def _named(tokens: Sequence[tuple[str, UUID]]) -> dict[str, Any]:
    return {"ids": [job_id for job_id, _ in tokens], "tokens": [token for _, token in tokens]}


def renew(session: Session, held: Sequence[Claimed], *, lease: timedelta) -> None:
    """Hold on to jobs that are still run, for another `lease`; those that have ended, or are another's, stay so."""
    asked_at = moment()
    # What is locked is ending this moment, and wants no lease: its end must not wait for this, nor this for it.
    named = _named([(job.id, job.token) for job in held])
    still_ours = {job_id for (job_id,) in rows_within(session, _RENEW, {**named, "lease": lease})}
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


def _claimed(row: tuple[Any, ...], token: UUID, hold: Hold) -> Claimed:
    job_id, kind, queue, subject, payload, attempts, crashes, staged_at, started_at = row
    return Claimed(
        id=job_id,
        kind=Kind(kind),
        queue=queue,
        subject=subject,
        token=token,
        payload=payload,
        attempts=attempts,
        crashes=crashes,
        staged_at=staged_at,
        started_at=started_at,
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
    finished = rows_within(session, _FINISH, _named([(job.id, job.token) for job in done]))
    _check_that_all(done, finished)


def _check_that_all(held: Sequence[Claimed], found: Sequence[tuple[Any, ...]]) -> None:
    if lost := {job.id for job in held}.difference(job_id for (job_id,) in found):
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


@dataclass(frozen=True, kw_only=True)
class Later:
    """A job that is put back, when it is due again from now, and why, for people to read."""

    job: Claimed
    after: timedelta
    error: str


def retry_all_later(session: Session, later: Sequence[Later]) -> None:
    """Put several jobs back by one statement. Raises LeaseLost when another run has claimed one of them."""
    _put_back(session, later, uncounted=0)


def await_turns(session: Session, later: Sequence[Later]) -> None:
    """Put several jobs back as if they had not begun. Raises LeaseLost when another run has claimed one of them."""
    _put_back(session, later, uncounted=1)


def _put_back(session: Session, later: Sequence[Later], *, uncounted: int) -> None:
    told = {
        "jobs": [each.job.id for each in later],
        "afters": [each.after for each in later],
        "errors": [each.error for each in later],
        "uncounted": uncounted,
    }
    jobs = [each.job for each in later]
    _check_that_all(jobs, rows_within(session, _PUT_BACK, told | _named([(job.id, job.token) for job in jobs])))


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
