"""How a payment ends, as it is told when it is asked about."""

from datetime import timedelta

import pytest

from payproc.providers.answers import AwaitCustomer, Redirect, Verdict
from tests.support.contract.case import ENDS, End
from tests.support.contract.cases import CALLING, CASES, IN_RUPEES, REVERSING, of
from tests.support.contract.harness import Harness, overdue


@of(CASES)
@pytest.mark.parametrize("end", ENDS)
def test_paid_declined_and_pending_are_told_as_such(harness: Harness, end: End) -> None:
    begun = harness.ended(end)
    outcome = harness.inquire(begun)
    assert outcome.verdict is end.verdict
    assert harness.debits(begun) == (end is End.PAID)
    # The start itself may know less, and then says so; it never says something else.
    assert begun.outcome is None or begun.outcome.verdict in (end.verdict, Verdict.UNKNOWN, Verdict.PENDING)


@of(CASES)
def test_a_paid_payment_is_of_the_money_that_was_asked_for_or_of_none_that_is_named(harness: Harness) -> None:
    begun = harness.ended(End.PAID)
    outcome = harness.inquire(begun)
    assert outcome.money in (begun.request.money, None)
    assert outcome.live_mode in (False, None)


@of(CASES)
def test_a_declined_payment_says_why_in_one_word(harness: Harness) -> None:
    assert harness.inquire(harness.ended(End.DECLINED)).failure_code


@of(REVERSING)
def test_money_that_went_back_is_told_as_reversed(harness: Harness) -> None:
    assert harness.inquire(harness.ended(End.REVERSED)).verdict is Verdict.REVERSED


@of(IN_RUPEES)
def test_a_payment_that_nobody_has_heard_of_is_pending_until_it_is_overdue(harness: Harness) -> None:
    ref = harness.case.ref(harness.case.request())
    assert harness.provider.inquire(ref).verdict is Verdict.PENDING
    # By our reference, where the gateway may know the payment by its own id alone, "no such" proves nothing.
    proves = harness.case.is_known_by_our_reference
    assert harness.provider.inquire(overdue(ref)).verdict is (Verdict.EXPIRED if proves else Verdict.PENDING)


@of(CASES)
def test_a_begun_payment_can_be_asked_about_by_a_schedule_that_moves_on(harness: Harness) -> None:
    begun = harness.begin(End.PENDING)
    assert harness.provider.can_inquire(begun.ref)
    schedule = harness.provider.poll_schedule(harness.case.dialect)
    assert schedule
    assert all(step > timedelta(0) for step in schedule)
    assert list(schedule) == sorted(schedule)


@of(CALLING)
def test_a_payment_that_waits_says_what_the_customer_does_next_and_until_when(harness: Harness) -> None:
    request = harness.case.known(harness.provider, harness.case.request(End.PENDING))
    result = harness.provider.start(harness.call(request))
    assert isinstance(result.next_action, Redirect | AwaitCustomer)
    assert result.expires_at is None or result.expires_at > request.created_at
    assert result.outcome is None or result.outcome.verdict in (Verdict.PENDING, Verdict.UNKNOWN)


@of(CASES)
def test_a_payment_is_asked_about_in_its_own_dialect_whatever_is_configured_now(harness: Harness) -> None:
    begun = harness.ended(End.PAID)
    for sibling in [case for case in CASES if case.method == harness.case.method]:
        provider = sibling.provider(harness.case.gateway_url(harness.played))
        assert provider.inquire(begun.ref).verdict is Verdict.PAID, sibling
        assert provider.start_mode(begun.ref.dialect) is harness.case.mode
