"""The threads of a process that run a message's jobs side by side, and the places among them.

A message waits for its places and is claimed then: a lease counts the work, and never the waiting for it.
"""

import contextvars
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

# Waiting 300 ms each they ask two hundred questions a second, more than one process can do the work of.
_MOST_AT_ONCE = 64


class _Crew:
    # As many messages as there are workers' threads may arrive at once. The gateway, and our own database, are to see
    # only so many calls of them, so they share one pool.
    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=_MOST_AT_ONCE, thread_name_prefix="job")
        self._free = threading.Semaphore(_MOST_AT_ONCE)
        # One message at a time gathers places: two that had half of theirs would wait for each other.
        self._gathering = threading.Lock()

    def gather(self, count: int, *, longest: float) -> int:
        """Take so many places, or none where they are not free in so many seconds; return how many were taken."""
        last = time.monotonic() + longest
        if not self._gathering.acquire(timeout=longest):
            return 0
        try:
            for taken in range(count):
                if not self._free.acquire(timeout=max(0.0, last - time.monotonic())):
                    self.leave(taken)
                    return 0
        finally:
            self._gathering.release()
        return count

    def leave(self, count: int) -> None:
        if count:
            self._free.release(count)


class Places:
    """The places of one message. Each is free again as soon as its job has ended."""

    def __init__(self, crew: _Crew, taken: int) -> None:
        self._crew = crew
        self._left = taken

    def submit(self, act: Callable[[], None]) -> Future[None]:
        """Run something in a place of its own."""
        running = self._crew.threads.submit(contextvars.copy_context().run, act)
        if self._left:
            self._left -= 1
            running.add_done_callback(lambda _: self._crew.leave(1))
        return running

    def leave(self) -> None:
        """Give back what nothing was run in."""
        self._crew.leave(self._left)
        self._left = 0


@contextmanager
def places(count: int, *, longest: timedelta) -> Iterator[Places | None]:
    """Wait for a place for each of a message's jobs; None where they are not free in so long.

    One job alone runs in the thread of its message.
    """
    if count == 1:
        yield Places(_crew(), 0)
        return
    wanted = min(count, _MOST_AT_ONCE)
    found = _crew().gather(wanted, longest=longest.total_seconds())
    if not found:
        yield None
        return
    taken = Places(_crew(), found)
    try:
        yield taken
    finally:
        taken.leave()


# A cache does not wait for its first caller: many threads would make many pools.
_making = threading.Lock()


def _crew() -> _Crew:
    with _making:
        return _crew_of(os.getpid())


@functools.cache
def _crew_of(_pid: int) -> _Crew:
    # A fork has another number, and none of its parent's threads.
    return _Crew()
