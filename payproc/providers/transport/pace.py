"""How fast a provider is called. "Too many requests" is no outage: it is called again, more slowly, for a while."""

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import RateLimited

# Seconds without a call after a 429 that names no wait: doubling, and then not longer. One call in two seconds hurts
# nobody, and notices soon that all is well again.
_FIRST_HOLD, _LONGEST_HOLD = 0.5, 2.0
# Seconds between two calls after that. Each call that goes well shortens them, and below the least there are none:
# eight calls after a first 429.
_FIRST_GAP, _LONGEST_GAP, _LEAST_GAP = 0.25, 0.5, 0.05
_SLOWING, _RECOVERY = 1.5, 0.8
# A turn that is this near is waited for: what needs two calls in a row gets both, and no job goes round for it. Twice
# this and a start's two calls (46 s at worst) stay below a task's soft limit of 50 s.
_PATIENCE = 1.5
# A wait that a provider names is believed up to here: a mistyped header must not stop payments for a day.
_LONGEST_WAIT = 600.0
# Turns are not promised further ahead than this past the end of a wait.
_FARTHEST_PROMISE = 30.0

_SECONDS = re.compile(r"[0-9]{1,9}")


class Pace:
    """The pace of one provider's calls in this process: free, until it says 429.

    From then on calls have turns, a gap apart. Who would wait long for theirs is sent away, and told when to come back.
    """

    def __init__(
        self,
        method: PaymentMethod,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._method = method
        self._clock = clock
        self._wait = wait
        self._lock = threading.Lock()
        self._gap = 0.0
        self._hold = _FIRST_HOLD
        self._next_turn = self._last_promise = self._slowed_at = clock()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let a call through when it is its turn, and learn from how it ends.

        Raises RateLimited, with the wait, where its turn is far or the provider says 429.
        """
        self._wait(self._until_turn())
        began = self._clock()
        try:
            yield
        except RateLimited as limited:
            limited.retry_after = self._slow_down(limited.retry_after, began=began)
            raise
        self._speed_up()

    def _until_turn(self) -> float:
        with self._lock:
            now = self._clock()
            wait = max(0.0, self._next_turn - now)
            if wait <= _PATIENCE:
                self._next_turn = now + wait + self._gap
                return wait
            later = self._promise(now)
        raise RateLimited(f"{self._method} is called more slowly for a while", retry_after=later)

    def _slow_down(self, named: timedelta | None, *, began: float) -> timedelta:
        with self._lock:
            now = self._clock()
            hold = self._hold if named is None else min(named.total_seconds(), _LONGEST_WAIT)
            if began >= self._slowed_at:
                # Those that were under way together are told together: that is one 429 and not ten.
                self._gap = min(max(_SLOWING * self._gap, _FIRST_GAP), _LONGEST_GAP)
                self._hold = min(2 * self._hold, _LONGEST_HOLD)
                self._slowed_at = now
            # Other processes are told the same at the same moment.
            spread = secrets.randbelow(1000) / 1000
            wait = hold * (0.5 + spread / 2) if named is None else hold + self._gap * spread
            self._next_turn = max(self._next_turn, now + wait)
            return self._promise(now)

    def _speed_up(self) -> None:
        with self._lock:
            self._hold = _FIRST_HOLD
            self._gap *= _RECOVERY
            if self._gap < _LEAST_GAP:
                self._gap = 0.0

    def _promise(self, now: float) -> timedelta:
        # Who is sent away together must not come back together.
        turn = max(self._next_turn, self._last_promise + self._gap)
        self._last_promise = min(turn, self._next_turn + _FARTHEST_PROMISE)
        return timedelta(seconds=self._last_promise - now)


def named_wait(header: str | None) -> timedelta | None:
    """Read a `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). None for what is neither."""
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return timedelta(seconds=int(header))
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(timedelta(0), at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC))
