"""A circuit breaker per provider and operation: a sick gateway is left alone, then one call asks if it is back."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import KeyInUse, OutcomeUncertain, ProviderUnavailable, RateLimited, RepeatedOutcome
from payproc.providers.transport.call_log import logged_call
from payproc.providers.transport.pace import Pace

# It would load Redis' client for a storage that nobody uses here, which the front has no other use for: 6 MiB.
_NONE_OF_OURS = "redis" not in sys.modules
if _NONE_OF_OURS:
    sys.modules["redis"] = None  # type: ignore[assignment]  # as Python's documents say it: whoever asks is told no
import pybreaker  # noqa: E402 (after what it must not find)

if _NONE_OF_OURS:
    del sys.modules["redis"]

# Five failures in a row are an outage; a single one is the weather.
_FAILURES = 5
# Most outages are over in seconds, and a gateway that has been away for minutes is not asked every other second: the
# first rest is this part of the longest, and each failed probe doubles it.
_FIRST_REST = 4

# A process asks the others so often, at most, whether a gateway is back that it leaves alone.
_ASK_OTHERS_EVERY_SECONDS = 1.0


class CircuitStatus(Protocol):
    """What the processes that call a provider know of its circuit breakers from each other."""

    def record(self, method: PaymentMethod, operation: str, state: str) -> None:
        """Note that a breaker of this process is now "open", "half-open" or "closed"."""

    def is_closed(self, method: PaymentMethod, operation: str) -> bool:
        """Whether the last word of any process is that the gateway answers."""


class Unshared:
    """Serves where one process calls, and nobody looks at its breakers."""

    def record(self, method: PaymentMethod, operation: str, state: str) -> None:
        """Tell nobody."""

    def is_closed(self, method: PaymentMethod, operation: str) -> bool:  # noqa: ARG002 (the protocol's shape)
        """Know of nobody else."""
        return False


class CallTimedOut(OutcomeUncertain):
    """Sent, and nobody answered in time. On a call that waits for the customer that is no sign of an outage."""


class CircuitBreakers:
    """The circuit breakers of one provider in this process, made as they are needed, and the pace of its calls.

    `longest_rest` is how long a gateway that stays away is left alone between two probes.
    """

    def __init__(self, method: PaymentMethod, *, longest_rest: timedelta, status: CircuitStatus | None = None) -> None:
        self._method = method
        self._longest_rest = longest_rest
        self._status = status or Unshared()
        self._pace = Pace(method)
        self._lock = threading.Lock()
        self._breakers: dict[str, CircuitBreaker] = {}

    @contextmanager
    def guard(self, operation: str, *, patient: bool = False) -> Iterator[None]:
        """Let a call through, and count how it ends; a `patient` call may time out without being counted.

        Raises ProviderUnavailable without letting it through while the gateway cools down, and RateLimited while it
        is called more slowly and it is not this call's turn.
        """
        with (
            logged_call(self._method, operation),
            self._pace.kept(),
            self._breaker_of(operation).guard(patient=patient),
        ):
            yield

    def _breaker_of(self, operation: str) -> "CircuitBreaker":
        with self._lock:
            if operation not in self._breakers:
                self._breakers[operation] = CircuitBreaker(
                    f"{self._method} {operation}",
                    longest_rest=self._longest_rest,
                    on_change=lambda state: self._status.record(self._method, operation, state),
                    is_back=lambda: self._status.is_closed(self._method, operation),
                )
            return self._breakers[operation]


class _Listener(pybreaker.CircuitBreakerListener):
    def __init__(self, on_change: Callable[[str], None]) -> None:
        self._on_change = on_change

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 (the library's own shape)
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002 (the library's own shape)
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        self._on_change(new_state.name)


class _Rest(pybreaker.CircuitBreakerListener):
    """How long a gateway is left alone: ever longer, up to the longest; after a good call as short as at first."""

    def __init__(self, longest: timedelta) -> None:
        self._longest = longest.total_seconds()
        self.seconds = self._next = self._longest / _FIRST_REST

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002 (the library's own shape)
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        match new_state.name:
            case pybreaker.STATE_OPEN:
                cb.reset_timeout = self.seconds = self._next
                self._next = min(2 * self._next, self._longest)
            case pybreaker.STATE_CLOSED:
                self._next = self._longest / _FIRST_REST
            case _:
                pass

    def end_now(self, cb: pybreaker.CircuitBreaker) -> None:
        """Let the next call be a probe, as if this one had not been made."""
        cb.reset_timeout = 0
        self._next = self.seconds


def _is_of_the_healthy(error: BaseException) -> bool:
    # A refusal is a healthy answer, and so are "too many requests" and "I am still at it": who counts our calls is up.
    return isinstance(error, RateLimited | KeyInUse) or not isinstance(error, ProviderUnavailable | OutcomeUncertain)


class CircuitBreaker:
    """The circuit breaker of one thing that is called in this process.

    `on_change` hears when it is "open", "half-open" or "closed"; `is_back` says whether somebody else knows that what
    is left alone answers again.
    """

    def __init__(
        self, name: str, *, longest_rest: timedelta, on_change: Callable[[str], None], is_back: Callable[[], bool]
    ) -> None:
        self._name = name
        self._rest = _Rest(longest_rest)
        self._is_back = is_back
        self._asked_at = 0.0
        self._probing = threading.Lock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=_FAILURES,
            reset_timeout=self._rest.seconds,
            exclude=[_is_of_the_healthy],
            listeners=[self._rest, _Listener(on_change)],
            throw_new_error_on_trip=False,
            name=name,
        )

    @contextmanager
    def guard(self, *, patient: bool = False) -> Iterator[None]:
        """Let a call through, and count how it ends, as `CircuitBreakers.guard` does. Raises ProviderUnavailable."""
        late: CallTimedOut | None = None
        with self._one_probe() as is_probe:
            try:
                # `call` would hold the library's lock for as long as the gateway takes; `calling` does not.
                with self._breaker.calling():
                    try:
                        yield
                    except CallTimedOut as error:
                        if not patient:
                            raise
                        late = error
            except pybreaker.CircuitBreakerError:
                raise self._cooling_down() from None
            except RepeatedOutcome:
                # To whoever asks how the gateway is, it says nothing. It may be the first of hundreds that were begun
                # in the outage: each would prolong the rest of a gateway that is well.
                if is_probe:
                    self._rest.end_now(self._breaker)
                raise
        if late is not None:
            raise late

    @contextmanager
    def _one_probe(self) -> Iterator[bool]:
        # The library lets everybody through as soon as it is half open: forty threads would meet a gateway that has
        # just come back.
        if self._breaker.current_state == pybreaker.STATE_CLOSED:
            yield False
            return
        if not self._probing.acquire(blocking=False):
            raise self._cooling_down()
        try:
            self._ask_others()
            yield True
        finally:
            self._probing.release()

    def _ask_others(self) -> None:
        # Or each process would find out by itself, after a rest of its own, while it sends all away that it is given.
        if (
            self._breaker.current_state != pybreaker.STATE_OPEN
            or time.monotonic() < self._asked_at + _ASK_OTHERS_EVERY_SECONDS
        ):
            return
        self._asked_at = time.monotonic()
        if self._is_back():
            self._rest.end_now(self._breaker)

    def _cooling_down(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self._name} has failed {_FAILURES} times in a row and is left alone",
            code="circuit_open",
            retry_after=timedelta(seconds=self._rest.seconds),
        )
