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


class Crew:
    """The threads of a process, and who has a place among them.

    As many messages as there are workers' threads may arrive at once. The gateway, and our own database, are to see
    only so many calls of them, so they share one crew.
    """

    def __init__(self, *, threads: int = _MOST_AT_ONCE) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="job")
        self._most = threads
        self._free = threading.Semaphore(threads)
        # One message at a time gathers places: two that had half of theirs would wait for each other.
        self._gathering = threading.Lock()

    @contextmanager
    def places(self, count: int, *, longest: timedelta) -> Iterator["Places | None"]:
        """Wait for a place for each of a message's jobs; None where they are not free in so long.

        One job alone runs in the thread of its message.
        """
        wanted = 0 if count == 1 else min(count, self._most)
        if not self._gather(wanted, longest=longest.total_seconds()):
            yield None
            return
        taken = Places(self, wanted)
        try:
            yield taken
        finally:
            taken.leave()

    def submit(self, act: Callable[[], None]) -> Future[None]:
        """Run something in the next thread that is free."""
        return self._threads.submit(contextvars.copy_context().run, act)

    def leave(self, count: int) -> None:
        """Give places back."""
        if count:
            self._free.release(count)

    def stop(self) -> None:
        """End the threads, when they have done what they do."""
        self._threads.shutdown()

    def _gather(self, count: int, *, longest: float) -> bool:
        if not count:
            return True
        last = time.monotonic() + longest
        if not self._gathering.acquire(timeout=longest):
            return False
        try:
            for taken in range(count):
                if not self._free.acquire(timeout=max(0.0, last - time.monotonic())):
                    self.leave(taken)
                    return False
        finally:
            self._gathering.release()
        return True


class Places:
    """The places of one message. Each is free again as soon as its job has ended."""

    def __init__(self, crew: Crew, taken: int) -> None:
        self._crew = crew
        self._left = taken

    def submit(self, act: Callable[[], None]) -> Future[None]:
        """Run something in a place of its own."""
        running = self._crew.submit(act)
        if self._left:
            self._left -= 1
            running.add_done_callback(lambda _: self._crew.leave(1))
        return running

    def leave(self) -> None:
        """Give back what nothing was run in."""
        self._crew.leave(self._left)
        self._left = 0


# A cache does not wait for its first caller: many threads would make many pools.
_making = threading.Lock()


def crew_of_process() -> Crew:
    """Return the one crew of this process."""
    with _making:
        return _crew_of(os.getpid())


@functools.cache
def _crew_of(_pid: int) -> Crew:
    # A fork has another number, and none of its parent's threads.
    return Crew()
