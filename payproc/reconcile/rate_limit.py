"""How fast a provider is asked."""

import time
from collections.abc import Callable
from typing import TypeVar

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

Answer = TypeVar("Answer")

# A sandbox of Stripe's takes 25 requests a second ("Rate limits", November 2026), and payments must get their share.
# One run at a time, so the window of one process is the window of all.
_READS_A_SECOND = RateLimitItemPerSecond(15)
_LOOK_AGAIN_SECONDS = 0.02


class RateLimit:
    """Asks one after another, no faster than the provider bears, and counts."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self.calls = 0

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Wait for a turn, then ask. Raises what the question raises."""
        while not self._limiter.hit(_READS_A_SECOND, "reads"):
            time.sleep(_LOOK_AGAIN_SECONDS)
        self.calls += 1
        return question()
