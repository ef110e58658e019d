"""How this process finds endpoints: which are down, which ask for rest, and which take their time.

An endpoint that is down must not cost a connect time-out for each of ten thousand deliveries that wait for it, and one
that is slow must not have every thread of its worker.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import structlog

from payproc.errors import OutcomeUncertain, ProviderUnavailable
from payproc.outgoing.webhooks.sending.sender import AttemptResult
from payproc.providers.transport.circuit_breakers import CircuitBreaker

log = structlog.get_logger()

_LONGEST_REST = timedelta(minutes=2)
# A call that takes longer says that more of them would only wait beside it.
_SLOW_SECONDS = 1.0
_SLOW_REST = timedelta(seconds=3)


class EndpointDown(OutcomeUncertain):
    """An endpoint did not answer, or said that it does not work; what came of the try is `tried`."""

    code = "endpoint_down"

    def __init__(self, tried: AttemptResult) -> None:
        super().__init__(tried.trouble or f"answered {tried.status}")
        self.tried = tried


class Held(ProviderUnavailable):
    """An endpoint is left alone for `retry_after`: nothing was sent, and that is no try."""

    code = "endpoint_rests"


class EndpointHealth:
    """What this process knows of one endpoint."""

    def __init__(self, endpoint_id: str) -> None:
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._running: dict[object, float] = {}
        self._delivers = False
        self._breaker = CircuitBreaker(
            f"webhook endpoint {endpoint_id}",
            longest_rest=_LONGEST_REST,
            on_change=lambda state: log.info("webhook endpoint's circuit", endpoint=endpoint_id, state=state),
            is_back=lambda: self._delivers,
        )

    def hear(self, *, delivers: bool) -> None:
        """Learn whether the last word of any process is that the endpoint takes what it is sent."""
        self._delivers = delivers

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Let a call through whose EndpointDown is counted. Raises Held, and then it was not let through."""
        self._check_rest()
        call = object()
        try:
            with self._breaker.guard():
                self._running[call] = time.monotonic()
                yield
        except ProviderUnavailable as resting:
            raise Held(resting.message, retry_after=resting.retry_after) from None
        finally:
            self._running.pop(call, None)

    def judge(self, tried: AttemptResult) -> None:
        """Leave the endpoint alone for as long as it asked. Raises EndpointDown where it does not work."""
        if tried.wants_rest and tried.retry_after:
            with self._lock:
                self._rests_until = max(self._rests_until, time.monotonic() + tried.retry_after.total_seconds())
        if tried.is_outage:
            raise EndpointDown(tried)

    def check_pace(self) -> None:
        """Raise Held where a call has been under way for so long that nothing is to be begun beside it."""
        now = time.monotonic()
        if any(now - began > _SLOW_SECONDS for began in list(self._running.values())):
            raise Held("takes its time", retry_after=_SLOW_REST)

    def _check_rest(self) -> None:
        left = self._rests_until - time.monotonic()
        if left > 0:
            raise Held("asked for rest", retry_after=timedelta(seconds=left))


class Endpoints:
    """The endpoints that a process calls."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._known: dict[str, EndpointHealth] = {}

    def of(self, endpoint_id: str) -> EndpointHealth:
        """Return what is known of one."""
        with self._making:
            if endpoint_id not in self._known:
                self._known[endpoint_id] = EndpointHealth(endpoint_id)
            return self._known[endpoint_id]


# One for the process: what is known was learned by its own calls.
of_process = Endpoints()
