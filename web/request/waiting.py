"""Waiting within a request until something is so, where its client asks for it (Prefer: wait, RFC 7240)."""

import threading
import time
from collections.abc import Callable

_LONGEST_SECONDS = 30
# The provider has answered about half a second after the request; asking the row more often gains nothing a person
# sees.
_LOOK_EVERY_SECONDS = 0.05
# A waiting request holds a thread of those for waiting (web/front/lanes.py), so only two may: the third gives who finds
# no slot the answer that waiting would have ended in.
_slots = threading.BoundedSemaphore(2)


def seconds_of(prefer: str | None) -> int:
    """Read how long a client waits from its header Prefer: 0 where it does not."""
    # What is not understood is passed over.
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        number = value.strip().strip('"')
        if name.strip().lower() == "wait" and number.isascii() and number.isdigit():
            return min(int(number[:4]), _LONGEST_SECONDS)
    return 0


def wait_until(is_so: Callable[[], bool], *, seconds: int) -> None:
    """Look again and again until it is so or the time is over; not at all where too many wait already."""
    if not _slots.acquire(blocking=False):
        return
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not is_so():
            time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        _slots.release()
