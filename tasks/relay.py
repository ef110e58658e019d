"""`python -m tasks.relay`: send the ids of rows that are due. Two may run; they never send the same row.

It asks by polling, not by LISTEN: NOTIFY takes a lock at every commit of the hot path, while four small indexed
queries a second are what an idle relay costs (docs/decisions/0006).
"""

import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

import structlog
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy.exc import SQLAlchemyError

from payproc import jobs, settings
from payproc.bootstrap import check_room
from payproc.database.engine import Database
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
    with app.database.transaction() as session:
        dispatched = jobs.dispatch(session, limit=_BATCH, lease=app.settings.ring_lease, token=token, messages=messages)
    _send_all(dispatched)
    return len(dispatched)


def _send_again(app: Dispatching, token: UUID) -> None:
    # A message that did go out is there twice then, and starts its job once.
    with app.database.transaction() as session:
        leased = jobs.recall(session, token)
    _send_all(leased)


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
    celery.send_task(kind.value, args=[arguments], queue=queue, ignore_result=True)


def run(app: Dispatching, stop: threading.Event) -> None:
    """Dispatch until told to stop: at once while there is work, four times a second while there is none."""
    log.info("relay started")
    unsent: UUID | None = None
    while not stop.is_set():
        token = unsent or uuid4()
        try:
            if unsent:
                _send_again(app, unsent)
            found = dispatch_due(app, token)
            unsent = None
        except (BrokerDown, SQLAlchemyError, OSError) as trouble:
            log.warning("cannot dispatch; the rows stay due", error=type(trouble).__name__)
            unsent = token
            stop.wait(_TROUBLE_SECONDS)
            continue
        stop.wait(_BUSY_SECONDS if found else _IDLE_SECONDS)
    log.info("relay stopped")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        found = settings.servers()
        check_room(found)
    except SettingsInvalid as invalid:
        sys.exit("payproc relay cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))
    logs.configure(found)
    run(Relay(settings=found, database=Database(found.database_url, pool_size=1)), stop)


if __name__ == "__main__":
    main()
