"""How fast a provider is asked."""

import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from payproc.errors import RateLimited

Answer = TypeVar("Answer")

# A sandbox of Stripe's takes 25 requests a second ("Rate limits", November 2026), and payments must get their share.
# One run at a time, so the window of one process is the window of all.
_READS_A_SECOND = 15
_LOOK_AGAIN_SECONDS = 0.02
# What the provider asks us to wait is waited here while it is short: a page may take 25 s. Longer, and the run is put
# aside until then.
_SHORT_WAIT_SECONDS = 4.0


class RateLimit:
    """Asks one after another, no faster than the provider bears, and counts."""

    def __init__(self, *, wait: Callable[[float], None] = time.sleep) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._reads_a_second = _READS_A_SECOND
        self._wait = wait
        self.calls = 0

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Wait for a turn, then ask; once more where the provider asks for a short wait.

        Raises what the question raises, RateLimited where the wait is long or was in vain.
        """
        try:
            return self._asked(question)
        except RateLimited as limited:
            # This run's share is too large, for as long as it lasts.
            self._reads_a_second = max(1, self._reads_a_second // 2)
            if limited.retry_after is None or limited.retry_after.total_seconds() > _SHORT_WAIT_SECONDS:
                raise
            self._wait(limited.retry_after.total_seconds())
        return self._asked(question)

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        while not self._limiter.hit(self._share, "reads"):
            self._wait(_LOOK_AGAIN_SECONDS)
        self.calls += 1
        return question()

    @property
    def _share(self) -> RateLimitItem:
        return RateLimitItemPerSecond(self._reads_a_second)
