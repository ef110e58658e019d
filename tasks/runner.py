"""Run jobs, and decide what a failure means for them. The only place that catches whatever a handler met.

| the handler                | the job                                                                       |
|----------------------------|-------------------------------------------------------------------------------|
| returns                    | was finished or put back by the handler, in the transaction of its effect     |
| meets trouble that passes  | is tried again after longer and longer waits; buried when its patience is out |
| meets a refusal of keys    | is tried again as well, and one review asks a person for all that wait        |
| meets another refusal      | is buried: a person must mend something first                                 |
| meets a bug, or dies of it | is tried a few times more, then buried                                        |
| takes longer than it may   | the same; what its message holds behind it is put back as it was              |

Jobs that can share what they cost are run together first. A batch that fails has changed nothing, and goes one by one.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pkgutil import resolve_name
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import ReviewKind
from payproc.errors import OutcomeUncertain, PayprocError, ProviderUnavailable, RateLimited, Refusal, RequestRefused
from payproc.flows.inbox import apply
from payproc.jobs import Claimed, Kind, moment
from payproc.operations import logs
from payproc.outgoing.mail.smtp import MailTrouble, MailUnavailable
from payproc.records.reviews import ask_about_dead_job, close_if_open, open_review
from tasks.crew import Crew, Places, crew_of_process
from tasks.freshness import DatabaseClock
from tasks.holding import held, persistently
from tasks.time_limit import TimeLimitReached

log = structlog.get_logger()

Handler = Callable[[Application, Claimed], None]
BatchHandler = Callable[[Application, Sequence[Claimed]], Mapping[str, Exception]]

# All are resolved here and now: a worker that misses one does not start.
HANDLERS: dict[Kind, Handler] = {kind: resolve_name(kind.policy.handler) for kind in Kind}
BATCH_HANDLERS: dict[Kind, BatchHandler] = {
    kind: resolve_name(kind.policy.batch_handler) for kind in Kind if kind.policy.batch_handler
}


# One for the process, and it stays right after a fork: both clocks go on.
_clock = DatabaseClock()


def run(
    app: Application,
    dispatched: Sequence[tuple[str, UUID]],
    *,
    until: datetime | None = None,
    kind: Kind | None = None,
    crew: Crew | None = None,
) -> int:
    """Run the jobs whose token is still good, as many at once as their kind allows; return how many were claimed.

    After `until` (by the database's clock) none is: such a message is dropped, and as a rule without asking. `crew` is
    that of the process unless given. `kind` is the message's, where it is known: what shares what it costs is run in
    the thread of its message, and needs no place beside it.
    """
    crew = crew or crew_of_process()
    with crew.places(1 if kind in BATCH_HANDLERS else len(dispatched), longest=app.settings.ring_lease) as places:
        if places is None or (until is not None and _clock.is_past(until)):
            # It waited so long that its rows have been sent again: nothing was begun, and nothing is lost.
            return 0
        claimed = _claimed(app, dispatched)
        if claimed:
            with held(app.database, claimed, lease=app.settings.work_lease):
                _run_all(app, claimed, places)
        return len(claimed)


def _claimed(app: Application, dispatched: Sequence[tuple[str, UUID]]) -> list[Claimed]:
    token, asked_at = uuid4(), moment()

    def claim() -> tuple[list[Claimed], datetime]:
        claimed = jobs.claim(app.database, dispatched, token=token, lease=app.settings.work_lease)
        # Whoever gets nothing asks for the time, so that the next stale message costs no transaction.
        return claimed, claimed[0].started_at if claimed else app.database.single_statement("SELECT now()", {})

    # Longer than its dispatch no message is good, so that asking on would claim nothing.
    claimed, told = persistently(claim, longest=app.settings.ring_lease)
    # A claim found after a lost answer began earlier. So the clock is heard as late, and fewer are dropped.
    _clock.hear(told, asked_at=moment() if claimed else asked_at)
    return claimed


def _run_all(app: Application, claimed: Sequence[Claimed], places: Places) -> None:
    waiting = list(_portions(claimed))
    while waiting:
        try:
            left = _run_portion(app, waiting.pop(0), places)
        except TimeLimitReached:
            for portion in waiting:
                for job in portion:
                    _put_back(app, job)
            return
        waiting[:0] = [[job] for job in left]


def _put_back(app: Application, job: Claimed) -> None:
    said = "the time of its message was over"
    _settle(app, job, lambda session: jobs.await_turn(session, job, error=said, after=timedelta(0)))


def _portions(claimed: Sequence[Claimed]) -> Iterator[Sequence[Claimed]]:
    """Divide a message's jobs, which are of one kind, into what is run at a time."""
    for kind, found in groupby(claimed, key=lambda job: job.kind):
        alike = list(found)
        width = len(alike) if kind in BATCH_HANDLERS else kind.policy.side_by_side
        for first in range(0, len(alike), width):
            yield alike[first : first + width]


def _run_portion(app: Application, portion: Sequence[Claimed], places: Places) -> Sequence[Claimed]:
    """Run what is run at a time; return what of it is to be run one by one after that."""
    if len(portion) == 1:
        _run_one(app, portion[0])
        return ()
    batch_handler = BATCH_HANDLERS.get(portion[0].kind)
    if batch_handler is not None:
        # What may have killed a worker takes no others down with it.
        doubtful = [job for job in portion if job.crashes]
        fresh = [job for job in portion if not job.crashes]
        return [*_run_batch(app, fresh, batch_handler), *doubtful]
    running = [places.submit(partial(_run_one, app, job)) for job in portion]
    for each in running:
        each.result()
    return ()


def _run_batch(app: Application, batch: Sequence[Claimed], handler: BatchHandler) -> Sequence[Claimed]:
    """Run jobs together, and decide on those that are not done; return all where they are to go one by one.

    Whatever a batch meets is one job's fault or nobody's, and whose is found by trying each alone: a poisonous one ends
    as if it had come alone, and so do the others.
    """
    if len(batch) < 2:  # noqa: PLR2004 (one goes alone)
        return batch
    try:
        failed = handler(app, batch)
    except TimeLimitReached as limit:
        # No time is left to try them now. What has a crash is sent for alone.
        log.error("a batch took too long", kind=batch[0].kind, jobs=len(batch))  # noqa: TRY400 (no defect's trace)
        for job in batch:
            _count_crash(app, job, limit)
        raise
    except Exception as trouble:  # noqa: BLE001 (an edge: what it was, each of them meets alone)
        log.warning("a batch goes one by one", kind=batch[0].kind, jobs=len(batch), **logs.described(trouble))
        return batch
    for job in batch:
        with _named_in_log(job):
            if job.id in failed:
                _end(app, job, failed[job.id])
    waited = [job for job in batch if job.id not in failed and job.attempts > 1]
    if waited:
        _note_that_it_goes(app, waited[0])
    return ()


def _named_in_log(job: Claimed) -> AbstractContextManager[None]:
    return structlog.contextvars.bound_contextvars(
        job=job.id, kind=job.kind.value, subject=job.subject, attempt=job.attempts
    )


def _run_one(app: Application, job: Claimed) -> None:
    with _named_in_log(job):
        if job.crashes >= jobs.MOST_CRASHES:
            _give_up(app, job, f"its worker died {job.crashes} times")
            return
        try:
            HANDLERS[job.kind](app, job)
        except TimeLimitReached as limit:
            log.error("a handler took too long", seconds=job.kind.policy.limits.soft)  # noqa: TRY400 (no defect's trace)
            _count_crash(app, job, limit)
            raise
        except Exception as failure:  # noqa: BLE001 (an edge: a job must outlive any bug in its handler)
            _end(app, job, failure)
        else:
            _note_that_it_goes(app, job)


def _end(app: Application, job: Claimed, failure: Exception) -> None:
    """Decide what becomes of a job whose handler failed: the table above."""
    match failure:
        case jobs.LeaseLost():
            log.warning("another run of this job took over; this one changed nothing")
        case jobs.NotReached():
            _put_back(app, job)
        case ProviderUnavailable() | OutcomeUncertain() | MailUnavailable():
            _wait_out(app, job, failure)
        case RequestRefused():
            _refused(app, job, failure)
        case PayprocError():
            _give_up(app, job, f"{failure.code}: {failure.message}")
        case _ if isinstance(failure, PASSING_TROUBLE):
            _wait_out(app, job, failure)
        case _:
            log.error("a handler failed", **logs.described(failure))
            _count_crash(app, job, failure)


def _refused(app: Application, job: Claimed, refused: RequestRefused) -> None:
    if refused.refusal is not Refusal.CONFIGURATION:
        _give_up(app, job, f"{refused.code}: {refused.message}")
        return
    # Keys or rights: no fault of this job's, and every other that goes there meets the same.
    detail = f"{job.queue}: {refused.message}. Mend the keys or rights; what waits for it goes by itself then."
    _settle(app, job, lambda session: open_review(session, ReviewKind.CONFIGURATION, job.queue, detail=detail))
    _wait_out(app, job, refused)


def _note_that_it_goes(app: Application, job: Claimed) -> None:
    if job.attempts > 1:
        # Only what has waited can have waited for this.
        said = "what had waited goes again"
        _settle(app, job, lambda session: close_if_open(session, ReviewKind.CONFIGURATION, job.queue, resolution=said))


def _wait_out(app: Application, job: Claimed, trouble: Exception) -> None:
    # A database error's text quotes the statement and its values: its type is enough.
    error = trouble.message if isinstance(trouble, PayprocError) else type(trouble).__name__
    # What holds all mail up says nothing of this one: a person is asked about the server, and all of it waits.
    patience = None if isinstance(trouble, MailTrouble) else job.kind.policy.patience
    if patience is not None and datetime.now(UTC) - job.staged_at > patience:
        _give_up(app, job, f"gave up after {patience}: {error}")
        return
    after = _wait(app, job, trouble)
    log.info("will try again", error=error, seconds=round(after.total_seconds(), 1))
    put_back = jobs.await_turn if isinstance(trouble, RateLimited) else jobs.retry_later
    _settle(app, job, lambda session: put_back(session, job, error=error, after=after))


def _count_crash(app: Application, job: Claimed, defect: BaseException) -> None:
    error = f"defect: {type(defect).__name__}"
    # Four times as long each time: five crashes take about seven minutes, which a bad deploy may last.
    after = _backoff(app, 2 * job.crashes + 1)

    def note(session: Session) -> None:
        if not jobs.count_crash(session, job, error=error, after=after):
            _bury(session, job, error)

    _settle(app, job, note)


def _wait(app: Application, job: Claimed, trouble: Exception) -> timedelta:
    named = trouble.retry_after if isinstance(trouble, ProviderUnavailable) else None
    if named is None:
        return _backoff(app, job.attempts)
    if isinstance(trouble, RateLimited):
        # A turn of its own: whoever was told of one at the same moment was told of another.
        return named
    # All that failed together was told the same moment: half as long again spreads it.
    return named * (1 + secrets.randbelow(500) / 1000)


def _backoff(app: Application, attempts: int) -> timedelta:
    return jobs.backoff(attempts, base=app.settings.retry_base, jitter=secrets.randbelow(1000) / 1000)


def _give_up(app: Application, job: Claimed, error: str) -> None:
    _settle(app, job, lambda session: _bury(session, job, error))


def _settle(app: Application, job: Claimed, note: Callable[[Session], None]) -> None:
    def settle() -> None:
        with app.database.transaction() as session:
            note(session)

    # Tried again while the database is away. What cannot be noted at all ends with its lease, and by itself: whatever
    # else came with the same message has been claimed as well, and nobody else will run it.
    try:
        persistently(settle, longest=timedelta(seconds=job.kind.policy.limits.hard))
    except jobs.LeaseLost:
        log.warning("another run of this job took over before its failure was noted")
    except SQLAlchemyError as trouble:
        log.error("what became of a job could not be noted; its lease will run out", **logs.described(trouble))  # noqa: TRY400 (its text may quote a row)


def _bury(session: Session, job: Claimed, error: str) -> None:
    log.error("job buried", error=error)
    jobs.bury(session, job, error=error)
    if job.kind is Kind.APPLY_NOTICE:
        apply.bury_notice(session, job.subject, error=error)
    detail = f"{job.kind} of {job.subject} was given up: {error}. Mend the cause, then requeue {job.id}."
    ask_about_dead_job(session, job.id, job.subject, detail=detail)
