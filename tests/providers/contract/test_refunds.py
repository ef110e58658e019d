"""Money that goes back."""

from dataclasses import replace

import pytest

from payproc.domain.settlement import RefundVerdict
from payproc.errors import OperationNotSupported, OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.providers.base import Refunding, RefundMode
from tests.support.contract.bench import Bench, as_refunding
from tests.support.contract.case import Begun, End, Operation
from tests.support.contract.cases import KEEPING_NOTHING_BACK, REFUNDING, REFUNDING_BY_KEY, of
from tests.support.contract.leaks import described, leaked
from tests.support.contract.liars import Boasts, LyingCase, found_out
from tests.support.contract.scripted import Failure, closed_port


@of(REFUNDING)
def test_a_whole_refund_is_sent_once_and_succeeds(bench: Bench) -> None:
    begun = bench.paid()
    request = bench.refund_request(begun, 125050)
    assert bench.refund(request).verdict is RefundVerdict.SUCCEEDED
    assert bench.refunded(begun) == 125050
    assert bench.refunding.inquire_refund(request).verdict is RefundVerdict.SUCCEEDED


@of(REFUNDING)
def test_a_part_goes_back_and_then_another_and_never_more_than_was_paid(bench: Bench) -> None:
    begun = bench.paid()
    first, second = bench.refund_request(begun, 25050), bench.refund_request(begun, 100000, already=25050)
    assert bench.refund(first).verdict is RefundVerdict.SUCCEEDED
    assert was_refused(bench, begun, 100001, already=25050)
    assert bench.refunded(begun) == 25050
    assert bench.refund(second).verdict is RefundVerdict.SUCCEEDED
    assert bench.refunded(begun) == 125050


@of(REFUNDING)
def test_a_refund_of_what_was_not_paid_is_refused(bench: Bench) -> None:
    assert was_refused(bench, bench.begin(End.PENDING), 125050)


def was_refused(bench: Bench, begun: Begun, amount_minor: int, *, already: int = 0) -> bool:
    """Whether a refund surely did not happen: by a verdict, by a refusal that ends it, or for want of words for it."""
    try:
        return bench.refund(bench.refund_request(begun, amount_minor, already=already)).verdict is RefundVerdict.FAILED
    except OperationNotSupported:
        return True
    except RequestRefused as refused:
        return refused.refusal is Refusal.INPUT


@of(REFUNDING)
def test_a_refund_that_was_never_sent_is_not_called_successful(bench: Bench) -> None:
    begun = bench.paid()
    part, other = bench.refund_request(begun, 25050), bench.refund_request(begun, 25050, already=25050)
    assert bench.refunding.inquire_refund(part).verdict is not RefundVerdict.SUCCEEDED
    bench.refund(part)
    # Something went back, and yet not this.
    for never_sent in (other, bench.refund_request(begun, 100000, already=25050)):
        assert bench.refunding.inquire_refund(never_sent).verdict is not RefundVerdict.SUCCEEDED


@of(REFUNDING)
def test_a_refund_whose_answer_is_lost_is_in_doubt_and_was_executed_once(bench: Bench) -> None:
    begun = bench.paid()
    request = bench.refund_request(begun, 25050)
    bench.lose_answers(Operation.REFUND)
    with pytest.raises(OutcomeUncertain):
        bench.refund(request)
    assert bench.refunded(begun) == 25050
    assert bench.refunding.inquire_refund(request).verdict is not RefundVerdict.FAILED


@of(REFUNDING)
@pytest.mark.parametrize("failure", Failure)
def test_a_refund_without_a_readable_answer_may_have_been_executed(bench: Bench, failure: Failure) -> None:
    request = bench.refund_request(bench.paid(), 125050)
    provider = as_refunding(bench.failing(failure))
    with pytest.raises(OutcomeUncertain) as caught:
        provider.refund(bench.refund_call(request))
    assert not leaked(bench, described(caught.value))


@of(REFUNDING)
def test_a_question_about_a_refund_without_a_readable_answer_is_asked_again(bench: Bench) -> None:
    request = bench.refund_request(bench.paid(), 125050)
    with pytest.raises(ProviderUnavailable):
        as_refunding(bench.failing(Failure.HTML_200)).inquire_refund(request)


@of(REFUNDING)
def test_a_refund_that_finds_no_connection_was_surely_not_sent(bench: Bench) -> None:
    call = bench.refund_call(bench.refund_request(bench.paid(), 125050))
    with pytest.raises(ProviderUnavailable):
        as_refunding(bench.case.provider(closed_port())).refund(call)


@of(REFUNDING)
def test_a_refund_goes_back_in_the_one_way_that_its_dialect_has(bench: Bench) -> None:
    mode = RefundMode.BY_KEY if bench.case in REFUNDING_BY_KEY else RefundMode.ONCE
    assert bench.refunding.refund_mode(bench.case.dialect) is mode


@of(REFUNDING_BY_KEY)
def test_a_refund_that_is_sent_again_under_its_key_is_the_same_refund(bench: Bench) -> None:
    begun = bench.paid()
    request = bench.refund_request(begun, 25050)
    call = bench.refund_call(request)
    bench.lose_answers(Operation.REFUND)
    with pytest.raises(OutcomeUncertain):
        bench.refunding.refund(call)
    found = bench.refunding.inquire_refund(request)
    assert found.verdict is RefundVerdict.SUCCEEDED
    assert bench.refunding.refund(call) == found
    assert bench.refunding.inquire_refund(replace(request, provider_id=found.provider_id)) == found
    assert bench.refunded(begun) == 25050


@of(REFUNDING_BY_KEY)
def test_of_two_equal_refunds_each_is_found_by_its_own_id(bench: Bench) -> None:
    begun = bench.paid()
    first, second = (bench.refund_request(begun, 25050) for _ in range(2))
    sent = bench.refund(first)
    assert bench.refunding.inquire_refund(second).verdict is RefundVerdict.NOT_FOUND
    also_sent = bench.refund(second)
    assert sent.provider_id != also_sent.provider_id
    assert [bench.refunding.inquire_refund(request) for request in (first, second)] == [sent, also_sent]
    assert bench.refunded(begun) == 50100


@of(KEEPING_NOTHING_BACK)
def test_who_gives_nothing_back_by_a_call_says_so(bench: Bench) -> None:
    provider = bench.provider
    offered = [case for case in REFUNDING if case.method == bench.case.method]
    assert isinstance(provider, Refunding) is bool(offered)
    if not isinstance(provider, Refunding):
        return
    assert provider.refund_mode(bench.case.dialect) is RefundMode.BY_HAND
    with pytest.raises(OperationNotSupported):
        provider.plan_refund(bench.refund_request(bench.begin(), 125050))


@of([LyingCase(Boasts)])
def test_a_provider_that_boasts_is_found_out(bench: Bench) -> None:
    with found_out():
        test_a_refund_that_was_never_sent_is_not_called_successful(bench=bench)
