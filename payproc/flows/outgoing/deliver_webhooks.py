"""The jobs that deliver events to endpoints."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import EndpointState
from payproc.errors import PayprocError
from payproc.outgoing.webhooks.sending import health, noting, pending, retries
from payproc.outgoing.webhooks.sending.health import Held
from payproc.outgoing.webhooks.sending.lanes import Lane, Result, Work, by_endpoint, run_all
from payproc.outgoing.webhooks.sending.noting import Outcome
from payproc.outgoing.webhooks.sending.pending import Pending
from payproc.outgoing.webhooks.sending.sender import Sender
from payproc.settings import Environment

# What is not begun by then waits for another batch: one whose calls all take their time ends in 25 s, well within a
# message's limit.
_BEGIN_WITHIN_SECONDS = 5.0
# What an endpoint has taken and we have not noted goes out again if we die meanwhile, with the same `webhook-id`.
_NOTE_WITHIN_SECONDS = 0.2
_MOST_UNNOTED = 25
# Whoever resumes one makes what waits for it due.
_PAUSED_FOR = timedelta(hours=1)
_LOOK_AGAIN = timedelta(seconds=2)

Failures = dict[str, Exception]


def deliver_webhook(app: Application, job: jobs.Claimed) -> None:
    """Run a `webhook.deliver` job.

    A crash between an endpoint's answer and our commit delivers again, under the same `webhook-id`: that is how a
    receiver knows it. Raises what `deliver_webhooks` returns.
    """
    for trouble in deliver_webhooks(app, [job]).values():
        raise trouble


def deliver_webhooks(app: Application, claimed: Sequence[jobs.Claimed]) -> Mapping[str, Exception]:
    """Run `webhook.deliver` jobs side by side, with what each endpoint's connections and the database's cost shared.

    Returns those of which nothing could be noted, by their jobs' ids: a lost lease, the database's trouble, or a secret
    that cannot be read. Whatever an endpoint does is noted. What this raises came before anything was sent.
    """
    batch = _Batch(app, claimed)
    works = batch.begin()
    is_late = _late_after(_BEGIN_WITHIN_SECONDS)
    anywhere = app.settings.environment is not Environment.PRODUCTION
    with Sender(anywhere=anywhere) as sender:
        for told in run_all(batch.lanes(works), sender, is_late=is_late):
            batch.hear(told)
    batch.note()
    return batch.failed


def _late_after(seconds: float) -> Callable[[], bool]:
    last = time.monotonic() + seconds
    return lambda: time.monotonic() > last


class _Batch:
    """What is known of a batch's jobs while it runs, and has yet to be noted."""

    def __init__(self, app: Application, claimed: Sequence[jobs.Claimed]) -> None:
        self.failed: Failures = {}
        self._app = app
        self._claimed = claimed
        self._pending: Mapping[str, Pending] = {}
        self._outcomes: list[Outcome] = []
        self._held: list[jobs.Later] = []
        self._note_by = 0.0

    def begin(self) -> Sequence[Work]:
        """Read what is to be delivered, end what is not any more, and return the rest."""
        with self._app.database.transaction() as session:
            self._pending = pending.read(session, [job.subject for job in self._claimed])
            works = [(job, found) for job in self._claimed if (found := self._pending.get(job.subject))]
            ended = {job.id for job, found in works if found.has_ended}
            if over := [job for job in self._claimed if job.subject not in self._pending or job.id in ended]:
                jobs.finish_all(session, over)
            # Whoever ended an endpoint ended what waited for it, but for what a payment wrote down at that moment.
            if nobodys := [found.delivery_id for _, found in works if found.has_nobody]:
                noting.end_without_try(session, nobodys)
        waits = [(job, found) for job, found in works if job.id not in ended]
        self._hold((job for job, found in waits if _is_paused(found)), after=_PAUSED_FOR, error="its endpoint rests")
        return [(job, found) for job, found in waits if not _is_paused(found)]

    def lanes(self, works: Sequence[Work]) -> Sequence[Lane]:
        """Give each endpoint its lane; none where it is not called now."""
        found = ((self._lane(of_endpoint), of_endpoint) for of_endpoint in by_endpoint(works).values())
        return [lane for lane, _ in found if lane is not None]

    def _lane(self, works: Sequence[Work]) -> Lane | None:
        endpoint = works[0][1].endpoint
        known = health.of_process.of(endpoint.id)
        known.hear(delivers=endpoint.failing_since is None)
        try:
            known.check_pace()
            signed_by = pending.secrets_of(endpoint, cipher=self._app.webhook_cipher, now=datetime.now(UTC))
        except Held as held:
            self._hold((job for job, _ in works), after=held.retry_after or _LOOK_AGAIN, error=held.message)
        except PayprocError as sealed:
            self.failed.update((job.id, sealed) for job, _ in works)
        else:
            return Lane(works, signed_by=signed_by, health=known)
        return None

    def hear(self, told: Sequence[Result]) -> None:
        """Take what lanes tell, and note it as soon as there is enough, or time has passed."""
        if not self._outcomes:
            self._note_by = time.monotonic() + _NOTE_WITHIN_SECONDS
        for each in told:
            match each:
                case Outcome():
                    self._outcomes.append(each)
                case (job, Held() as held):
                    self._hold([job], after=held.retry_after or _LOOK_AGAIN, error=held.message)
                case (job, jobs.NotReached() as late):
                    self._hold([job], after=_LOOK_AGAIN, error=late.message)
                case (job, trouble):
                    self.failed[job.id] = trouble
        if len(self._outcomes) >= _MOST_UNNOTED or time.monotonic() > self._note_by:
            self.note()

    def _hold(self, held: Iterable[jobs.Claimed], *, after: timedelta, error: str) -> None:
        self._held += [jobs.Later(job=job, after=retries.spread(after), error=error) for job in held]

    def note(self) -> None:
        """Write down what is known by now."""
        outcomes, self._outcomes = self._outcomes, []
        held, self._held = self._held, []
        operator_mail = self._app.settings.operator_mail
        self._write(outcomes, lambda session, some: noting.note(session, some, operator_mail=operator_mail))
        self._write(held, lambda session, some: noting.put_off(session, some, self._pending))

    def _write(self, told: Sequence[Any], write: Callable[[Session, Any], None]) -> None:
        if not told:
            return
        try:
            with self._app.database.transaction() as session:
                write(session, told)
        except jobs.LeaseLost as lost:
            if len(told) == 1:
                self.failed[told[0].job.id] = lost
                return
            # One is another run's by now. That the others were told is noted all the same, or they would go again.
            for each in told:
                self._write([each], write)
        except PASSING_TROUBLE as trouble:
            # They go again, later, as after a crash.
            self.failed.update((each.job.id, trouble) for each in told)


def _is_paused(found: Pending) -> bool:
    return found.endpoint.state is EndpointState.PAUSED
