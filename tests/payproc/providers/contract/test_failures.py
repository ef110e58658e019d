"""What goes wrong on the way to a gateway and back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from payproc.errors import OutcomeUncertain, ProviderUnavailable, RateLimited
from payproc.providers.base import Provider
from payproc.providers.requests import PaymentRef
from tests.support.contract.cases import CALLING, CASES, FIRST_OF_EACH, of
from tests.support.contract.harness import Harness
from tests.support.contract.leaks import described, leaked
from tests.support.contract.scripted import Failure, closed_port


@of(CALLING)
@pytest.mark.parametrize("failure", Failure)
def test_a_start_without_a_readable_answer_may_have_been_executed(harness: Harness, failure: Failure) -> None:
    provider = harness.failing(failure)
    with pytest.raises(OutcomeUncertain) as caught:
        provider.start(harness.call(harness.case.request()))
    assert not leaked(harness, described(caught.value))


@of(CASES)
def test_an_inquiry_without_a_readable_answer_is_asked_again(harness: Harness) -> None:
    ref = harness.case.ref(harness.case.request())
    # Side by side: each asks twice, with a pause in between.
    with ThreadPoolExecutor(len(Failure)) as together:
        errors = list(together.map(lambda failure: unavailable(harness.failing(failure), ref), Failure))
    assert not leaked(harness, "".join(map(described, errors)))


@of(CASES)
def test_an_inquiry_that_finds_no_connection_is_asked_again(harness: Harness) -> None:
    error = unavailable(harness.case.provider(closed_port()), harness.case.ref(harness.case.request()))
    assert not leaked(harness, described(error))


@of(CALLING)
def test_a_start_that_finds_no_connection_has_executed_nothing(harness: Harness) -> None:
    with pytest.raises(ProviderUnavailable):
        harness.case.provider(closed_port()).start(harness.call(harness.case.request()))


@of(CASES)
def test_too_many_inquiries_are_asked_again_when_the_gateway_says_so(harness: Harness) -> None:
    harness.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429, Retry_After="7")
    with pytest.raises(ProviderUnavailable) as caught:
        harness.scripted.inquire(harness.case.ref(harness.case.request()))
    assert told_to_wait(caught.value)


@of(CALLING)
def test_too_many_starts_have_executed_nothing(harness: Harness) -> None:
    harness.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429, Retry_After="7")
    with pytest.raises(ProviderUnavailable) as caught:
        harness.scripted.start(harness.call(harness.case.request()))
    assert told_to_wait(caught.value)


def told_to_wait(error: ProviderUnavailable) -> bool:
    assert isinstance(error, RateLimited)
    assert error.retry_after is not None
    return timedelta(seconds=7) <= error.retry_after < timedelta(seconds=8)


@of(FIRST_OF_EACH)
def test_a_gateway_that_counts_our_calls_is_not_taken_for_one_that_is_down(harness: Harness) -> None:
    harness.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429)
    provider, ref = harness.scripted, harness.case.ref(harness.case.request())
    assert {unavailable(provider, ref).code for _ in range(8)} == {"rate_limited"}


@of(FIRST_OF_EACH)
def test_a_gateway_that_is_down_is_left_alone_after_a_while(harness: Harness) -> None:
    nowhere, ref = harness.case.provider(closed_port()), harness.case.ref(harness.case.request())
    errors = (unavailable(nowhere, ref) for _ in range(6))
    resting = next(error for error in errors if error.code == "circuit_open")
    assert resting.retry_after == timedelta(seconds=1)


def unavailable(provider: Provider, ref: PaymentRef) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        provider.inquire(ref)
    return caught.value
