"""Once: whatever is sent twice, and whatever gets lost."""

from contextlib import suppress

import pytest

from payproc.errors import OutcomeUncertain
from payproc.providers.base import Verdict
from tests.support.contract.bench import Bench, post
from tests.support.contract.case import End, Operation
from tests.support.contract.cases import BY_FORM, BY_KEY, ONCE, of
from tests.support.contract.liars import LyingCase, SendsAgain, found_out


@of(BY_KEY)
def test_the_same_call_under_the_same_key_is_the_same_payment(bench: Bench) -> None:
    begun = bench.ended(End.PENDING)
    assert begun.call is not None
    again = bench.provider.start(begun.call)
    assert again.references == begun.ref.references
    found = bench.provider.find_start(begun.call)
    assert found is not None
    assert found.references == begun.ref.references


@of(ONCE)
def test_a_charge_that_is_sent_twice_debits_once_and_is_not_called_declined(bench: Bench) -> None:
    begun = bench.begin(End.PAID)
    assert begun.call is not None
    with suppress(OutcomeUncertain):
        outcome = bench.provider.start(begun.call).outcome
        assert outcome is not None
        assert outcome.verdict is Verdict.UNKNOWN
    bench.case.bring_about(bench.played, begun, End.PAID)
    assert (bench.debits(begun), bench.inquire(begun).verdict) == (1, Verdict.PAID)


@of(BY_FORM)
def test_a_form_that_is_posted_twice_begins_one_payment(bench: Bench) -> None:
    begun = bench.begin()
    assert begun.form is not None
    assert post(begun.form).status_code == 400
    bench.case.bring_about(bench.played, begun, End.PAID)
    assert (bench.debits(begun), bench.inquire(begun).verdict) == (1, Verdict.PAID)


@of(ONCE)
def test_a_charge_whose_answer_is_lost_is_found_by_asking(bench: Bench) -> None:
    request = bench.case.request()
    bench.lose_answers(Operation.START)
    with pytest.raises(OutcomeUncertain):
        bench.provider.start(bench.call(request))
    outcome = bench.provider.inquire(bench.case.ref(request))
    # In cash nobody has paid yet.
    assert outcome.verdict in (Verdict.PAID, Verdict.PENDING)


@of(BY_KEY)
def test_a_start_whose_answer_is_lost_is_found_by_its_key(bench: Bench) -> None:
    request = bench.case.known(bench.provider, bench.case.request())
    call = bench.call(request)
    assert bench.provider.find_start(call) is None
    bench.lose_answers(Operation.START)
    with pytest.raises(OutcomeUncertain):
        bench.provider.start(call)
    found = bench.provider.find_start(call)
    assert found is not None
    assert bench.provider.start(call).references == found.references


@of([LyingCase(SendsAgain)])
def test_a_provider_that_sends_again_is_found_out(bench: Bench) -> None:
    with found_out():
        test_a_charge_whose_answer_is_lost_is_found_by_asking(bench=bench)
