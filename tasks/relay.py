"""`python -m tasks.relay`: send the ids of rows that are due. Two may run; they never send the same row.

It asks by polling, not by LISTEN: NOTIFY takes a lock at every commit of the hot path (docs/decisions/0006). Four times
a second it goes through all that may be due; in between it looks for what was staged just now, which one small indexed
query tells.
"""

import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

import structlog
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy.exc import SQLAlchemyError

from payproc import jobs, settings
from payproc.database.engine import Database
from payproc.database.room import check_room
from payproc.errors import SettingsInvalid
from payproc.jobs import Dispatched, Kind
from payproc.operations import logs
from payproc.settings import Servers
from tasks.app import app as celery
from tasks.backlog import Backlog

log = structlog.get_logger()

backlog = Backlog(celery)

_BATCH = 200
_BUSY_SECONDS = 0.025
_IDLE_SECONDS = 0.25
# Where work comes, and where none came for a while: a look is a tenth of a millisecond of two processes.
_LOOK_SECONDS = 0.003
_LAZY_LOOK_SECONDS = 0.02
_WHILE_SECONDS = 10.0
# After trouble: long enough not to hammer a server that is coming back, short enough that nobody notices.
_TROUBLE_SECONDS = 1.0


class Dispatching(Protocol):
    """What a relay works with: an application has it, and so has whoever knows no provider's keys."""

    @property
    def settings(self) -> Servers:
        """How long what is sent is leased."""

    @property
    def database(self) -> Database:
        """Where the rows are."""


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A relay's own: it is told no secret but its servers' passwords."""

    settings: Servers
    database: Database


def dispatch_due(app: Dispatching, token: UUID | None = None) -> int:
    """Dispatch what is due, under `token` or a new one; return how many rows that was.

    Raises BrokerDown or SQLAlchemyError: then some may be leased whose messages were not sent.
    """
    messages = backlog.lengths()
    lease = app.settings.ring_lease
    dispatched = jobs.dispatch(app.database, limit=_BATCH, lease=lease, token=token, messages=messages)
    _send_all(dispatched)
    return len(dispatched)


def _send_again(app: Dispatching, token: UUID) -> None:
    # A message that did go out is there twice then, and starts its job once.
    _send_all(jobs.recall(app.database, token))


def _send_all(dispatched: Iterable[Dispatched]) -> None:
    for batch in _messages(dispatched):
        _send(batch)


def _messages(dispatched: Iterable[Dispatched]) -> Iterator[list[Dispatched]]:
    alike: dict[tuple[Kind, str], list[Dispatched]] = defaultdict(list)
    for job in dispatched:
        if job.crashes:
            # It may have killed its worker: it is tried alone, so that it takes no others down with it.
            yield [job]
        else:
            alike[job.kind, job.queue].append(job)
    for (kind, _), found in alike.items():
        size = kind.policy.batch
        for first in range(0, len(found), size):
            yield found[first : first + size]


def _send(batch: list[Dispatched]) -> None:
    kind, queue = batch[0].kind, batch[0].queue
    arguments = [
        {"job": job.job_id, "subject": job.subject, "ring": str(job.token), "until": job.until.isoformat()}
        for job in batch
    ]
    backlog.grows()
    celery.send_task(kind.value, args=[arguments], queue=queue, ignore_result=True, connection=backlog.connection())


def run(app: Dispatching, stop: threading.Event, *, idle_seconds: float = _IDLE_SECONDS) -> None:
    """Dispatch until told to stop; a pass comes `idle_seconds` after one that found nothing, whatever looks say."""
    log.info("relay started")
    rounds = _Rounds(app, stop, idle_seconds=idle_seconds)
    while not stop.is_set():
        try:
            rounds.next()
        except (BrokerDown, SQLAlchemyError, OSError) as trouble:
            log.warning("cannot dispatch; the rows stay due", error=type(trouble).__name__)
            _recover(stop)
        except Exception as defect:  # noqa: BLE001 (an edge: what else the broker's library raises, it does not say)
            # kombu 5.7 publishes on a channel that it has closed: AttributeError, each time on that connection.
            log.error("cannot dispatch; the rows stay due", **logs.described(defect))  # noqa: TRY400 (its text may quote a row)
            _recover(stop)
    log.info("relay stopped")


def _recover(stop: threading.Event) -> None:
    backlog.close()
    stop.wait(_TROUBLE_SECONDS)


class _Rounds:
    """A pass, and a pause: short while there was work; else until there is some, or a quarter of a second is over."""

    def __init__(self, app: Dispatching, stop: threading.Event, *, idle_seconds: float) -> None:
        self._app, self._stop, self._idle_seconds = app, stop, idle_seconds
        self._unsent: UUID | None = None
        self._found_at, self._sent_at = time.monotonic(), float("-inf")

    def next(self) -> None:
        if self._pass():
            self._stop.wait(_BUSY_SECONDS)
        else:
            self._wait_for_work()

    def _pass(self) -> int:
        token, again = self._unsent or uuid4(), self._unsent is not None
        # Until all of it was sent, it is not known to be.
        self._unsent = token
        if again:
            _send_again(self._app, token)
        found = dispatch_due(self._app, token)
        self._unsent = None
        if found:
            self._found_at = self._sent_at = time.monotonic()
        return found

    def _wait_for_work(self) -> None:
        end, held = time.monotonic() + self._idle_seconds, set[str]()
        while queue := self._look(held, until=end):
            if self._pass():
                return
            if time.monotonic() - self._sent_at < jobs.JUST_NOW.total_seconds():
                # It may be kept back for a fuller message.
                self._stop.wait(_BUSY_SECONDS)
                continue
            # It has enough, or its list is too long, or another relay was faster. Asked about again at once it would
            # say the same, over and over.
            held.add(queue)

    def _look(self, held: set[str], *, until: float) -> str | None:
        is_quiet = time.monotonic() - self._found_at > _WHILE_SECONDS
        pause = _LAZY_LOOK_SECONDS if is_quiet else _LOOK_SECONDS
        with jobs.looking(self._app.database) as look:
            while not self._stop.wait(pause) and time.monotonic() < until:
                if queue := look(held):
                    return queue
                backlog.settles()
        return None


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    try:
        found = settings.servers()
        check_room(found)
    except SettingsInvalid as invalid:
        sys.exit("payproc relay cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))
    logs.configure(found)
    serve(relay_of(found))


def relay_of(found: Servers) -> Relay:
    """Return what a relay works with; nothing is connected until it is used."""
    return Relay(settings=found, database=Database(found.database_url, pool_size=1, statements=1))


def serve(app: Dispatching) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    run(app, stop)


if __name__ == "__main__":
    main()
