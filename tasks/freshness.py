"""Whether a message is still good, told without asking anybody.

A message is good until its row is sent for again. That is counted by the database's clock, as this process last heard
it: hosts disagree, and a worker whose own clock is wrong would drop all its work for ever.
"""

from datetime import datetime, timedelta

from payproc.jobs import moment

# However badly two clocks run, in a minute they run the same. Older than that, what was heard drops nothing.
_TRUSTED_SECONDS = 60


class DatabaseClock:
    """The database's clock. Safe to share between threads: each reads and writes one value."""

    def __init__(self) -> None:
        self._heard: tuple[datetime, float] | None = None

    def hear(self, told: datetime, *, asked_at: float) -> None:
        """Learn what the clock said; `asked_at` is this process's own time just before it was asked."""
        self._heard = (told, asked_at)

    def is_past(self, until: datetime) -> bool:
        """Tell whether a time is surely over; False where the clock was not heard of late."""
        if self._heard is None:
            return False
        told, asked_at = self._heard
        since = moment() - asked_at
        return since < _TRUSTED_SECONDS and told + timedelta(seconds=since) > until
