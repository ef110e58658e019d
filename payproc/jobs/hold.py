"""How long a job is ours for certain, by the clock of the process that holds it."""

import time
from datetime import timedelta

# What goes on while a process is stopped, and where the system tells it, while the machine sleeps.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def moment() -> float:
    """Return this process's own time, in seconds. Take it before a lease is asked for: the lease begins later."""
    return time.clock_gettime(_CLOCK)


class Hold:
    """What is left of a lease. The database counts it by its own clock, so two hosts need not agree on a time."""

    def __init__(self, lease: timedelta, *, asked_at: float) -> None:
        self.lease = lease
        self._ends = asked_at + lease.total_seconds()

    @property
    def left(self) -> timedelta:
        """How long nobody else can have the job; below nothing where somebody may have it."""
        return timedelta(seconds=self._ends - moment())

    def prolong(self, *, asked_at: float) -> None:
        """Count from a renewal that was committed."""
        self._ends = max(self._ends, asked_at + self.lease.total_seconds())
