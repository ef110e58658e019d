"""What goes wrong on the way to a gateway and back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from payproc.errors import OutcomeUncertain, ProviderUnavailable
from payproc.providers.base import PaymentRef, Provider
from tests.support.contract.bench import Bench
from tests.support.contract.cases import CALLING, CASES, FIRST_OF_EACH, of
from tests.support.contract.leaks import described, leaked
from tests.support.contract.scripted import Failure, closed_port


@of(CALLING)
@pytest.mark.parametrize("failure", Failure)
def test_a_start_without_a_readable_answer_may_have_been_executed(bench: Bench, failure: Failure) -> None:
    provider = bench.failing(failure)
    with pytest.raises(OutcomeUncertain) as caught:
        provider.start(bench.call(bench.case.request()))
    assert not leaked(bench, described(caught.value))


@of(CASES)
def test_an_inquiry_without_a_readable_answer_is_asked_again(bench: Bench) -> None:
    ref = bench.case.ref(bench.case.request())
    # Side by side: each asks twice, with a pause in between.
    with ThreadPoolExecutor(len(Failure)) as together:
        errors = list(together.map(lambda failure: unavailable(bench.failing(failure), ref), Failure))
    assert not leaked(bench, "".join(map(described, errors)))


@of(CASES)
def test_an_inquiry_that_finds_no_connection_is_asked_again(bench: Bench) -> None:
    error = unavailable(bench.case.provider(closed_port()), bench.case.ref(bench.case.request()))
    assert not leaked(bench, described(error))


@of(CALLING)
def test_a_start_that_finds_no_connection_has_executed_nothing(bench: Bench) -> None:
    with pytest.raises(ProviderUnavailable):
        bench.case.provider(closed_port()).start(bench.call(bench.case.request()))


@of(CASES)
def test_too_many_inquiries_are_asked_again_when_the_gateway_says_so(bench: Bench) -> None:
    bench.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429, Retry_After="7")
    with pytest.raises(ProviderUnavailable) as caught:
        bench.scripted.inquire(bench.case.ref(bench.case.request()))
    assert caught.value.retry_after == (timedelta(seconds=7) if bench.case.heeds_retry_after else None)


@of(CALLING)
def test_too_many_starts_have_executed_nothing(bench: Bench) -> None:
    bench.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429, Retry_After="7")
    with pytest.raises(ProviderUnavailable) as caught:
        bench.scripted.start(bench.call(bench.case.request()))
    assert caught.value.retry_after == (timedelta(seconds=7) if bench.case.heeds_retry_after else None)


@of(FIRST_OF_EACH)
def test_a_gateway_that_is_down_is_left_alone_after_a_while(bench: Bench) -> None:
    nowhere, ref = bench.case.provider(closed_port()), bench.case.ref(bench.case.request())
    errors = (unavailable(nowhere, ref) for _ in range(6))
    resting = next(error for error in errors if error.code == "circuit_open")
    assert resting.retry_after == timedelta(seconds=1)


def unavailable(provider: Provider, ref: PaymentRef) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        provider.inquire(ref)
    return caught.value
