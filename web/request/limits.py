"""How many requests a minute somebody may make: each user, whichever of their keys they call with, and each address.

Not counted is what must not be lost, and what is cheap or capped already. A signed notice is money that moved, and its
sender may tell us of thousands a second from one address; unsigned ones, and browsers that come back from a wallet, are
capped by HINTS_PER_MINUTE. Probes are answered from memory, and files do not change. Pay pages count by their address
alone: whoever has the link may see them. A mobile network has thousands of customers behind one address: that limit is
wide on purpose.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog
from flask import Flask, Response, g, request
from limits import RateLimitItemPerMinute, WindowStats
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from payproc.errors import TooManyRequests
from payproc.flows.push_quota import holder_of
from payproc.settings import Settings

log = structlog.get_logger()

Told = TypeVar("Told")

_WINDOW_SECONDS = 60
# A Redis that does not answer must not be what requests wait for.
_REDIS_PATIENCE_SECONDS = 0.25
_REDIS_LEFT_ALONE_SECONDS = 5.0

_FREE_BLUEPRINTS = frozenset({"notices", "health"})
_FREE_ENDPOINTS = frozenset({"docs_script", "scalar.static", "pay.static", "pay_logo.image", "console.static"})


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is left of somebody's requests, and in how many seconds there are more; `policy` names whose."""

    policy: str
    quota: int
    remaining: int
    more_in: float


class Counters:
    """Counts in this process alone, or in a Redis that all processes share, for as long as it answers."""

    def __init__(self, url: str | None) -> None:
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = None if url is None else SlidingWindowCounterRateLimiter(_redis(url))
        self._shared_from = 0.0

    def hit(self, item: RateLimitItemPerMinute, *whose: str) -> bool:
        """Count a request of somebody's, and tell whether it is one of those that they may make."""
        return self._ask(lambda limiter: limiter.hit(item, *whose))

    def left(self, item: RateLimitItemPerMinute, *whose: str) -> WindowStats:
        """Return how many more they may make, and when that is more."""
        return self._ask(lambda limiter: limiter.get_window_stats(item, *whose))

    def _ask(self, question: Callable[[SlidingWindowCounterRateLimiter], Told]) -> Told:
        if self._shared is not None and time.monotonic() >= self._shared_from:
            try:
                return question(self._shared)
            except StorageError as trouble:
                self._shared_from = time.monotonic() + _REDIS_LEFT_ALONE_SECONDS
                log.warning("requests are counted by each process", error=type(trouble.storage_error).__name__)
        return question(self._own)


def _redis(url: str) -> RedisStorage:
    patience = _REDIS_PATIENCE_SECONDS
    return RedisStorage(url, wrap_exceptions=True, socket_timeout=patience, socket_connect_timeout=patience)


class RequestLimits:
    """The limits of one application; a quota of 0 is none. Who has found out whose a request is has it counted."""

    def __init__(self, settings: Settings) -> None:
        url = settings.request_limits_url
        self._counters = Counters(url.get_secret_value() if url else None)
        quotas = {"address": settings.requests_per_address, "user": settings.requests_per_user}
        self._items = {policy: RateLimitItemPerMinute(quota) for policy, quota in quotas.items() if quota}

    def count(self, policy: str, holder: str) -> None:
        """Count the present request.

        Raises TooManyRequests.
        """
        item = self._items.get(policy)
        if item is None:
            return
        g.counted_as = (policy, holder)
        if self._counters.hit(item, policy, holder):
            return
        standing = self.standing(policy, holder)
        raise TooManyRequests(
            f"More than {item.amount} requests in a minute by one {policy}.",
            code="too_many_requests",
            # When its window is over, what it holds weighs less from then on, and not nothing at once.
            retry_after=timedelta(seconds=standing.more_in + _WINDOW_SECONDS / item.amount),
        )

    def standing(self, policy: str, holder: str) -> Standing:
        """Return what is left to somebody whose requests are counted."""
        item = self._items[policy]
        left = self._counters.left(item, policy, holder)
        more_in = max(left.reset_time - time.time(), 0.0)
        return Standing(policy=policy, quota=item.amount, remaining=left.remaining, more_in=more_in)


def register(app: Flask, settings: Settings) -> None:
    """Count the requests of an application, and tell each caller what is left."""
    app.extensions["request_limits"] = limits = RequestLimits(settings)
    app.before_request(_counting_addresses(limits))
    app.after_request(_telling(limits))


def _counting_addresses(limits: RequestLimits) -> Callable[[], None]:
    def count_address() -> None:
        # Before anybody is asked who they are: guessing keys counts.
        if request.blueprint not in _FREE_BLUEPRINTS and request.endpoint not in _FREE_ENDPOINTS:
            limits.count("address", holder_of(request.remote_addr or "unknown"))

    return count_address


def _telling(limits: RequestLimits) -> Callable[[Response], Response]:
    def tell(response: Response) -> Response:
        """Name the last limit that was asked, and what is left of it: draft-ietf-httpapi-ratelimit-headers-10."""
        if "counted_as" in g:
            left = limits.standing(*g.counted_as)
            response.headers["RateLimit-Policy"] = f'"{left.policy}";q={left.quota};w={_WINDOW_SECONDS}'
            response.headers["RateLimit"] = f'"{left.policy}";r={left.remaining};t={math.ceil(left.more_in)}'
        return response

    return tell
