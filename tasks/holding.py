"""Holding on to jobs: while a run lives its leases are renewed, and what it must note is noted as soon as it can be.

So a lease says one thing: how long a worker may be silent before it counts as dead. It is a few seconds long, whatever
a handler may take; docs/decisions/0001 says what happens where a silent worker turns out to live.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import structlog

from payproc import jobs
from payproc.database.engine import PASSING_TROUBLE, Database
from payproc.jobs import Claimed

log = structlog.get_logger()

Result = TypeVar("Result")

# How many signs of life fit into a lease: two may be lost.
_BEATS = 4
# Threads are ended by no time limit: one is believed in for so many of its limits, and so many more for what a message
# holds behind it.
_LIMITS_A_RUN = 2
# Short beside a lease, so that a server that is back hears of each worker before it gives one up.
_TRY_AGAIN_SECONDS = 0.5


@contextmanager
def held(database: Database, claimed: Sequence[Claimed], *, lease: timedelta) -> Iterator[None]:
    """Renew the lease of these jobs, which are of one kind, until it ends; not for ever where it never does."""
    ended, policy = threading.Event(), claimed[0].kind.policy
    rounds = -(-len(claimed) // policy.side_by_side)
    longest = _LIMITS_A_RUN * policy.limits.hard * rounds
    beat = threading.Thread(target=_renew, args=(database, claimed, lease, ended, longest), name="lease", daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()
        beat.join()


def _renew(
    database: Database, claimed: Sequence[Claimed], lease: timedelta, ended: threading.Event, longest: int
) -> None:
    last = time.monotonic() + longest
    pause = every = lease.total_seconds() / _BEATS
    while not ended.wait(pause) and time.monotonic() < last:
        try:
            with database.transaction() as session:
                jobs.renew(session, claimed, lease=lease)
            pause = every
        except PASSING_TROUBLE as trouble:
            log.warning("cannot renew leases", error=type(trouble).__name__)
            pause = min(every, _TRY_AGAIN_SECONDS)


def persistently(act: Callable[[], Result], *, longest: timedelta) -> Result:
    """Do something that is one transaction, and again where the database is away, for `longest` at most.

    It must be right to do it twice: a commit whose answer was lost may stand. Raises one of PASSING_TROUBLE.
    """
    last = time.monotonic() + longest.total_seconds()
    while True:
        try:
            return act()
        except PASSING_TROUBLE as trouble:
            if time.monotonic() > last:
                raise
            log.warning("the database is away; trying again", error=type(trouble).__name__)
            time.sleep(_TRY_AGAIN_SECONDS)
