"""When a delivery is tried again, and what makes an endpoint one that is given up."""

import secrets
from datetime import timedelta

# After each try the wait for the next: ten tries in three days and four hours.
AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
# An endpoint of which nothing was taken for so long is disabled: it is no outage any more.
GIVEN_UP_AFTER = timedelta(days=5)
# What failed together must not return together.
_JITTER = 0.1


def wait_after(tries: int, *, retry_after: timedelta | None) -> timedelta | None:
    """Return how long to wait after so many tries of a job; None where there were enough.

    An endpoint that names a longer wait has it.
    """
    if tries > len(AFTER):
        return None
    return spread(max(AFTER[tries - 1], retry_after or timedelta(0)))


def spread(wait: timedelta) -> timedelta:
    """Return a wait, or up to a tenth more."""
    return wait * (1 + _JITTER * secrets.randbelow(1000) / 1000)
