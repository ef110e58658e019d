"""A fuse per provider and operation: a sick gateway is left alone, then asked by one call whether it is back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pybreaker

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import OutcomeUncertain, ProviderUnavailable

# Five failures in a row are an outage; a single one is the weather.
_FAILURES = 5

# Hears of a changed state: provider, operation, and "open", "half-open" or "closed".
Told = Callable[[PaymentMethod, str, str], None]


class CallTimedOut(OutcomeUncertain):
    """Sent, and nobody answered in time. On a call that waits for the customer that is no sign of an outage."""


def tell_nobody(_method: PaymentMethod, _operation: str, _state: str) -> None:
    """Serve where nobody looks at the fuses."""


class Circuits:
    """The fuses of one provider in this process, made as they are needed."""

    def __init__(self, method: PaymentMethod, *, rest: timedelta, told: Told = tell_nobody) -> None:
        self._method = method
        self._rest = rest
        self._told = told
        self._lock = threading.Lock()
        self._circuits: dict[str, _Circuit] = {}

    @contextmanager
    def guard(self, operation: str, *, patient: bool = False) -> Iterator[None]:
        """Let a call through, and count how it ends; a `patient` call may time out without being counted.

        Raises ProviderUnavailable without letting it through while the gateway rests.
        """
        with self._circuit(operation).guard(patient=patient):
            yield

    def _circuit(self, operation: str) -> "_Circuit":
        with self._lock:
            if operation not in self._circuits:
                self._circuits[operation] = _Circuit(
                    f"{self._method} {operation}",
                    rest=self._rest,
                    told=lambda state: self._told(self._method, operation, state),
                )
            return self._circuits[operation]


class _Teller(pybreaker.CircuitBreakerListener):
    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 (the library's own shape)
        old_state: pybreaker.CircuitBreakerState | None,  # noqa: ARG002 (the library's own shape)
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        self._told(new_state.name)


class _Circuit:
    def __init__(self, name: str, *, rest: timedelta, told: Callable[[str], None]) -> None:
        self._name = name
        self._rest = rest
        self._probing = threading.Lock()
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=_FAILURES,
            reset_timeout=rest.total_seconds(),
            # Only what says that the gateway is sick: a refusal is a healthy answer.
            exclude=[lambda error: not isinstance(error, ProviderUnavailable | OutcomeUncertain)],
            listeners=[_Teller(told)],
            throw_new_error_on_trip=False,
            name=name,
        )

    @contextmanager
    def guard(self, *, patient: bool) -> Iterator[None]:
        late: CallTimedOut | None = None
        with self._one_probe():
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
                raise self._resting() from None
        if late is not None:
            raise late

    @contextmanager
    def _one_probe(self) -> Iterator[None]:
        # The library lets everybody through as soon as it is half open: forty threads would meet a gateway that has
        # just come back.
        if self._breaker.current_state == pybreaker.STATE_CLOSED:
            yield
            return
        if not self._probing.acquire(blocking=False):
            raise self._resting()
        try:
            yield
        finally:
            self._probing.release()

    def _resting(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            f"{self._name} has failed {_FAILURES} times in a row and rests",
            code="circuit_open",
            retry_after=self._rest,
        )
