"""Reconciliation's own reads, and a provider that says 429 to them."""

import itertools
from datetime import timedelta

import pytest

from payproc.errors import RateLimited
from payproc.reconcile.rate_limit import RateLimit


class Provider:
    """Answers its numbered calls, but for those that are too many."""

    def __init__(self, *, too_many: range, retry_after: timedelta | None) -> None:
        self._numbers = itertools.count(1)
        self._too_many = too_many
        self._retry_after = retry_after

    def ask(self) -> int:
        number = next(self._numbers)
        if number in self._too_many:
            raise RateLimited("too many requests", retry_after=self._retry_after)
        return number


def test_a_short_wait_is_waited_out_and_the_question_asked_once_more() -> None:
    waited: list[float] = []
    limit = RateLimit(wait=waited.append)
    provider = Provider(too_many=range(1, 2), retry_after=timedelta(seconds=2))
    assert limit.ask(provider.ask) == 2
    assert (waited, limit.calls) == ([2.0], 2)


@pytest.mark.parametrize("retry_after", [None, timedelta(seconds=30)])
def test_a_long_wait_puts_the_run_aside(retry_after: timedelta | None) -> None:
    waited: list[float] = []
    provider = Provider(too_many=range(1, 2), retry_after=retry_after)
    with pytest.raises(RateLimited):
        RateLimit(wait=waited.append).ask(provider.ask)
    assert waited == []


def test_a_wait_in_vain_puts_the_run_aside() -> None:
    provider = Provider(too_many=range(1, 9), retry_after=timedelta(seconds=1))
    with pytest.raises(RateLimited):
        RateLimit(wait=lambda _: None).ask(provider.ask)


class Slept(Exception):
    """It would have waited for its turn."""


def test_after_a_429_it_reads_half_as_fast() -> None:
    def sleeps(seconds: float) -> None:
        if seconds < 1:
            raise Slept

    limit = RateLimit(wait=sleeps)
    provider = Provider(too_many=range(1, 2), retry_after=timedelta(seconds=1))
    for _ in range(7):
        limit.ask(provider.ask)
    with pytest.raises(Slept):
        limit.ask(provider.ask)
