"""A provider that says 429: who is sent away until when, and how soon all is as before."""

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import RateLimited, RequestRefused
from payproc.errors import Refusal as Blame
from payproc.providers.transport.pace import Pace, named_wait

SOON = timedelta(seconds=1)


class Clock:
    """A clock that stands still but for those who wait."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(PaymentMethod("wire"), clock=clock, wait=clock.wait)


def call(pace: Pace) -> None:
    with pace.kept():
        pass


def limited(pace: Pace, retry_after: timedelta | None = None) -> timedelta:
    """Make a call that is answered 429; return how long its job is to wait."""
    with pytest.raises(RateLimited) as told, pace.kept():
        raise RateLimited("too many", retry_after=retry_after)
    assert told.value.retry_after is not None
    return told.value.retry_after


def refused(pace: Pace) -> timedelta:
    """Make a call whose turn is far; return how long its job is to wait."""
    with pytest.raises(RateLimited) as told, pace.kept():
        raise AssertionError("it was let through")
    assert told.value.retry_after is not None
    return told.value.retry_after


def test_calls_of_a_provider_that_is_well_wait_for_nothing(pace: Pace, clock: Clock) -> None:
    for _ in range(100):
        call(pace)
    assert clock.now == 1000.0


def test_a_named_wait_is_obeyed_by_every_call_of_the_provider(pace: Pace, clock: Clock) -> None:
    assert timedelta(seconds=7) <= limited(pace, timedelta(seconds=7)) < timedelta(seconds=7.25)
    assert refused(pace) > timedelta(seconds=7)
    clock.now += 6.5
    call(pace)
    assert 1007 <= clock.now < 1007.25


def test_who_is_sent_away_together_does_not_come_back_together(pace: Pace) -> None:
    waits = [limited(pace, timedelta(seconds=7)), *(refused(pace) for _ in range(9))]
    gaps = {round((later - earlier).total_seconds(), 3) for earlier, later in itertools.pairwise(waits)}
    assert gaps == {0.25}


def test_without_a_named_wait_it_doubles_up_to_two_seconds_and_is_never_the_same(pace: Pace, clock: Clock) -> None:
    waits = []
    for _ in range(8):
        waits.append(limited(pace).total_seconds())
        clock.now += waits[-1]
    longest = [min(0.5 * 2**step, 2) for step in range(8)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert len(set(waits)) > 6


def test_calls_under_way_together_that_are_told_together_slow_it_down_once(pace: Pace, clock: Clock) -> None:
    under_way = [pace.kept() for _ in range(10)]
    for each in under_way:
        each.__enter__()
    clock.now += 0.1
    for each in under_way:
        error = RateLimited("too many")
        assert each.__exit__(type(error), error, None) is not True
    clock.now += 60
    began = clock.now
    call(pace)
    call(pace)
    assert clock.now - began == pytest.approx(0.2, abs=0.06), "one gap, and not two to the tenth of it"


def test_calls_that_go_well_make_it_free_again(pace: Pace, clock: Clock) -> None:
    limited(pace, SOON)
    for _ in range(9):
        call(pace)
    settled = clock.now
    call(pace)
    call(pace)
    assert clock.now == settled


def test_two_calls_of_one_job_both_get_their_turn(pace: Pace, clock: Clock) -> None:
    limited(pace, SOON)
    call(pace)
    call(pace)
    assert 1001.25 <= clock.now < 1001.5


def test_a_refusal_is_no_429(pace: Pace, clock: Clock) -> None:
    with pytest.raises(RequestRefused), pace.kept():
        raise RequestRefused("no", refusal=Blame.INPUT)
    call(pace)
    assert clock.now == 1000.0


def test_a_wait_of_a_day_is_not_believed(pace: Pace) -> None:
    assert limited(pace, timedelta(days=1)) < timedelta(minutes=10, seconds=1)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("0", timedelta(0)),
        (" 12 ", timedelta(seconds=12)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", timedelta(0)),
        ("9" * 400, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_or_nothing(header: str | None, wait: timedelta | None) -> None:
    assert named_wait(header) == wait


def test_a_date_to_come_is_a_wait_until_then() -> None:
    wait = named_wait(format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True))
    assert wait is not None
    assert timedelta(minutes=1, seconds=55) < wait <= timedelta(minutes=2)
