"""Once: whatever is sent twice, and whatever gets lost."""

from contextlib import suppress

import pytest

from payproc.errors import OutcomeUncertain
from payproc.providers.answers import Verdict
from tests.support.contract.broken_providers import BrokenCase, SendsAgain, found_out
from tests.support.contract.case import End, Operation
from tests.support.contract.cases import FORM_POST, IDEMPOTENT, SINGLE_SHOT, of
from tests.support.contract.harness import Harness, post


@of(IDEMPOTENT)
def test_the_same_call_under_the_same_key_is_the_same_payment(harness: Harness) -> None:
    begun = harness.ended(End.PENDING)
    assert begun.call is not None
    again = harness.provider.start(begun.call)
    assert again.references == begun.ref.references
    found = harness.finding.find_start(begun.call)
    assert found is not None
    assert found.references == begun.ref.references


@of(SINGLE_SHOT)
def test_a_charge_that_is_sent_twice_debits_once_and_is_not_called_declined(harness: Harness) -> None:
    begun = harness.begin(End.PAID)
    assert begun.call is not None
    with suppress(OutcomeUncertain):
        outcome = harness.provider.start(begun.call).outcome
        assert outcome is not None
        assert outcome.verdict is Verdict.UNKNOWN
    harness.case.bring_about(harness.played, begun, End.PAID)
    assert (harness.debits(begun), harness.inquire(begun).verdict) == (1, Verdict.PAID)


@of(FORM_POST)
def test_a_form_that_is_posted_twice_begins_one_payment(harness: Harness) -> None:
    begun = harness.begin()
    assert begun.form is not None
    assert post(begun.form).status_code == 400
    harness.case.bring_about(harness.played, begun, End.PAID)
    assert (harness.debits(begun), harness.inquire(begun).verdict) == (1, Verdict.PAID)


@of(SINGLE_SHOT)
def test_a_charge_whose_answer_is_lost_is_found_by_asking(harness: Harness) -> None:
    request = harness.case.request()
    harness.lose_answers(Operation.START)
    with pytest.raises(OutcomeUncertain):
        harness.provider.start(harness.call(request))
    outcome = harness.provider.inquire(harness.case.ref(request))
    # In cash nobody has paid yet.
    assert outcome.verdict in (Verdict.PAID, Verdict.PENDING)


@of(IDEMPOTENT)
def test_a_start_whose_answer_is_lost_is_found_by_its_key(harness: Harness) -> None:
    request = harness.case.known(harness.provider, harness.case.request())
    call = harness.call(request)
    assert harness.finding.find_start(call) is None
    harness.lose_answers(Operation.START)
    with pytest.raises(OutcomeUncertain):
        harness.provider.start(call)
    found = harness.finding.find_start(call)
    assert found is not None
    assert harness.provider.start(call).references == found.references


@of([BrokenCase(SendsAgain)])
def test_a_provider_that_sends_again_is_found_out(harness: Harness) -> None:
    with found_out():
        test_a_charge_whose_answer_is_lost_is_found_by_asking(harness=harness)
