"""Money that goes back."""

from dataclasses import replace

import pytest

from payproc.domain.settlement import RefundVerdict
from payproc.errors import OperationNotSupported, OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.providers.base import Refunding
from payproc.providers.requests import RefundMode
from tests.support.contract.broken_providers import Boasts, BrokenCase, found_out
from tests.support.contract.case import Begun, End, Operation
from tests.support.contract.cases import KEEPING_NOTHING_BACK, REFUNDING, REFUNDING_IDEMPOTENTLY, of
from tests.support.contract.harness import Harness, as_refunding
from tests.support.contract.leaks import described, leaked
from tests.support.contract.scripted import Failure, closed_port


@of(REFUNDING)
def test_a_whole_refund_is_sent_once_and_succeeds(harness: Harness) -> None:
    begun = harness.paid()
    request = harness.refund_request(begun, 125050)
    assert harness.refund(request).verdict is RefundVerdict.SUCCEEDED
    assert harness.refunded(begun) == 125050
    assert harness.refunding.inquire_refund(request).verdict is RefundVerdict.SUCCEEDED


@of(REFUNDING)
def test_a_part_goes_back_and_then_another_and_never_more_than_was_paid(harness: Harness) -> None:
    begun = harness.paid()
    first, second = harness.refund_request(begun, 25050), harness.refund_request(begun, 100000)
    assert harness.refund(first).verdict is RefundVerdict.SUCCEEDED
    assert was_refused(harness, begun, 100001)
    assert harness.refunded(begun) == 25050
    assert harness.refund(second).verdict is RefundVerdict.SUCCEEDED
    assert harness.refunded(begun) == 125050


@of(REFUNDING)
def test_a_refund_of_what_was_not_paid_is_refused(harness: Harness) -> None:
    assert was_refused(harness, harness.begin(End.PENDING), 125050)


def was_refused(harness: Harness, begun: Begun, amount_minor: int) -> bool:
    """Whether a refund surely did not happen: by a verdict, by a refusal that ends it, or for want of words for it."""
    try:
        return harness.refund(harness.refund_request(begun, amount_minor)).verdict is RefundVerdict.FAILED
    except OperationNotSupported:
        return True
    except RequestRefused as refused:
        return refused.refusal in (Refusal.INPUT, Refusal.GIVEN_BACK)


@of(REFUNDING)
def test_a_refund_that_was_never_sent_is_not_called_successful(harness: Harness) -> None:
    begun = harness.paid()
    part, other = harness.refund_request(begun, 25050), harness.refund_request(begun, 25050)
    assert harness.refunding.inquire_refund(part).verdict is not RefundVerdict.SUCCEEDED
    harness.refund(part)
    # Something went back, and yet not this.
    for never_sent in (other, harness.refund_request(begun, 100000)):
        assert harness.refunding.inquire_refund(never_sent).verdict is not RefundVerdict.SUCCEEDED


@of(REFUNDING)
def test_a_refund_whose_answer_is_lost_is_in_doubt_and_was_executed_once(harness: Harness) -> None:
    begun = harness.paid()
    request = harness.refund_request(begun, 25050)
    harness.lose_answers(Operation.REFUND)
    with pytest.raises(OutcomeUncertain):
        harness.refund(request)
    assert harness.refunded(begun) == 25050
    assert harness.refunding.inquire_refund(request).verdict is not RefundVerdict.FAILED


@of(REFUNDING)
@pytest.mark.parametrize("failure", Failure)
def test_a_refund_without_a_readable_answer_may_have_been_executed(harness: Harness, failure: Failure) -> None:
    request = harness.refund_request(harness.paid(), 125050)
    provider = as_refunding(harness.failing(failure))
    with pytest.raises(OutcomeUncertain) as caught:
        provider.refund(harness.refund_call(request))
    assert not leaked(harness, described(caught.value))


@of(REFUNDING)
def test_a_question_about_a_refund_without_a_readable_answer_is_asked_again(harness: Harness) -> None:
    request = harness.refund_request(harness.paid(), 125050)
    with pytest.raises(ProviderUnavailable):
        as_refunding(harness.failing(Failure.HTML_200)).inquire_refund(request)


@of(REFUNDING)
def test_a_refund_that_finds_no_connection_was_surely_not_sent(harness: Harness) -> None:
    call = harness.refund_call(harness.refund_request(harness.paid(), 125050))
    with pytest.raises(ProviderUnavailable):
        as_refunding(harness.case.provider(closed_port())).refund(call)


@of(REFUNDING)
def test_a_refund_goes_back_in_the_one_way_that_its_dialect_has(harness: Harness) -> None:
    mode = RefundMode.IDEMPOTENT if harness.case in REFUNDING_IDEMPOTENTLY else RefundMode.SINGLE_SHOT
    assert harness.refunding.refund_mode(harness.case.dialect) is mode


@of(REFUNDING_IDEMPOTENTLY)
def test_a_refund_that_is_sent_again_under_its_key_is_the_same_refund(harness: Harness) -> None:
    begun = harness.paid()
    request = harness.refund_request(begun, 25050)
    call = harness.refund_call(request)
    harness.lose_answers(Operation.REFUND)
    with pytest.raises(OutcomeUncertain):
        harness.refunding.refund(call)
    found = harness.refunding.inquire_refund(request)
    assert found.verdict is RefundVerdict.SUCCEEDED
    assert harness.refunding.refund(call) == found
    assert harness.refunding.inquire_refund(replace(request, provider_id=found.provider_id)) == found
    assert harness.refunded(begun) == 25050


@of(REFUNDING_IDEMPOTENTLY)
def test_of_two_equal_refunds_each_is_found_by_its_own_id(harness: Harness) -> None:
    begun = harness.paid()
    first, second = (harness.refund_request(begun, 25050) for _ in range(2))
    sent = harness.refund(first)
    assert harness.refunding.inquire_refund(second).verdict is RefundVerdict.NOT_FOUND
    also_sent = harness.refund(second)
    assert sent.provider_id != also_sent.provider_id
    assert [harness.refunding.inquire_refund(request) for request in (first, second)] == [sent, also_sent]
    assert harness.refunded(begun) == 50100


@of(KEEPING_NOTHING_BACK)
def test_who_gives_nothing_back_by_a_call_says_so(harness: Harness) -> None:
    provider = harness.provider
    offered = [case for case in REFUNDING if case.method == harness.case.method]
    assert isinstance(provider, Refunding) is bool(offered)
    if not isinstance(provider, Refunding):
        return
    assert provider.refund_mode(harness.case.dialect) is RefundMode.MANUAL
    with pytest.raises(OperationNotSupported):
        provider.prepare_refund(harness.refund_request(harness.begin(), 125050))


@of([BrokenCase(Boasts)])
def test_a_provider_that_boasts_is_found_out(harness: Harness) -> None:
    with found_out():
        test_a_refund_that_was_never_sent_is_not_called_successful(harness=harness)
