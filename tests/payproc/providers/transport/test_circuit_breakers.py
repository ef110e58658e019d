"""A gateway that is away is left alone ever longer; one that is back is noticed soon."""

from datetime import timedelta

import pytest

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import (
    OutcomeUncertain,
    ProviderError,
    ProviderUnavailable,
    Refusal,
    RepeatedOutcome,
    RequestRefused,
)
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from tests.support.fakes.circuit_status import FakeCircuitStatus
from tests.support.waiting import wait_until

# The first rest is a second, in which the gateway is found left alone on however busy a machine.
LONGEST = timedelta(seconds=4)
STATES = ("open", "half-open", "open", "half-open", "closed", "open")
AWAY, AGAIN = OutcomeUncertain("nobody answers"), RepeatedOutcome("500, as it was said before")


class Gateway:
    """What the calls of one process meet, and how its breaker changed."""

    def __init__(self, longest_rest: timedelta = LONGEST, status: FakeCircuitStatus | None = None) -> None:
        self.status = status or FakeCircuitStatus()
        self.calls = 0
        self._breakers = CircuitBreakers(PaymentMethod("wire"), longest_rest=longest_rest, status=self.status)

    def meets(self, failure: ProviderError | None) -> ProviderError | None:
        """Call once; return what the caller hears."""
        try:
            with self._breakers.guard("ask"):
                self.calls += 1
                if failure is not None:
                    raise failure
        except ProviderError as heard:
            return heard
        return None

    def is_away(self) -> None:
        for _ in range(5):
            self.meets(AWAY)

    def probe(self, failure: ProviderError | None) -> None:
        """Call until a call is let through."""
        before = self.calls

        def is_let_through() -> bool:
            self.meets(failure)
            return self.calls > before

        wait_until(is_let_through, what="a probe")

    @property
    def rest(self) -> timedelta | None:
        heard = self.meets(None)
        assert isinstance(heard, ProviderUnavailable), heard
        return heard.retry_after


def test_each_failed_probe_doubles_the_rest_up_to_the_longest() -> None:
    gateway = Gateway()
    gateway.is_away()
    rests = [gateway.rest]
    for _ in range(3):
        gateway.probe(AWAY)
        rests.append(gateway.rest)
    assert rests == [LONGEST / 4, LONGEST / 2, LONGEST, LONGEST]


def test_a_good_call_makes_the_next_rest_short_again() -> None:
    gateway = Gateway()
    gateway.is_away()
    gateway.probe(AWAY)
    gateway.probe(None)
    gateway.is_away()
    assert gateway.rest == LONGEST / 4
    assert gateway.status.told == [f"ask {state}" for state in STATES]


@pytest.mark.parametrize("said", [None, RequestRefused("no", refusal=Refusal.INPUT)], ids=["yes", "no"])
def test_whoever_answers_is_back(said: ProviderError | None) -> None:
    gateway = Gateway()
    gateway.is_away()
    gateway.probe(said)
    assert gateway.status.told[-1] == "ask closed"


def test_an_answer_that_is_said_again_tells_a_probe_nothing() -> None:
    gateway = Gateway()
    gateway.is_away()
    gateway.probe(AGAIN)
    before = gateway.calls
    assert gateway.meets(AGAIN) is AGAIN
    assert gateway.meets(None) is None
    assert (gateway.calls - before, gateway.status.told[-1]) == (2, "ask closed")


def test_answers_that_are_said_again_prolong_no_rest() -> None:
    gateway = Gateway()
    gateway.is_away()
    for _ in range(3):
        gateway.probe(AGAIN)
    gateway.probe(AWAY)
    assert gateway.rest == LONGEST / 2


def test_what_one_process_finds_out_the_others_try_at_once() -> None:
    status = FakeCircuitStatus()
    finds_out, rests = Gateway(status=status), Gateway(timedelta(hours=1), status)
    rests.is_away()
    finds_out.is_away()
    finds_out.probe(None)
    rests.probe(None)
    assert rests.meets(None) is None
    assert status.told[-2:] == ["ask half-open", "ask closed"]


def test_while_no_process_has_an_answer_none_is_asked_sooner() -> None:
    status = FakeCircuitStatus()
    one, another = Gateway(timedelta(hours=1), status), Gateway(timedelta(hours=1), status)
    one.is_away()
    another.is_away()
    assert (one.rest, another.rest) == (timedelta(minutes=15), timedelta(minutes=15))
    assert (one.calls, another.calls) == (5, 5)
