"""Words that are in no table: whatever else they may mean, they mean unknown."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from payproc.errors import OutcomeUncertain, ProviderUnavailable, RequestRefused
from payproc.providers.answers import Verdict
from tests.support.contract.broken_providers import BrokenCase, Guesses, found_out
from tests.support.contract.case import End
from tests.support.contract.cases import CALLING, CASES, IN_RUPEES, SIGNED_ANSWERS, SINGLE_SHOT, of
from tests.support.contract.drawn import STRANGE_VALUES, fuzzily
from tests.support.contract.harness import Harness


@of(CASES)
def test_an_answer_to_an_inquiry_that_is_in_no_table_is_unknown(harness: Harness) -> None:
    verdicts = {
        word: harness.inquiry_answered(word).verdict for word in (*harness.case.strange_to_inquiry, "", "declined?")
    }
    assert set(verdicts.values()) == {Verdict.UNKNOWN}, verdicts


@of(CALLING)
def test_an_answer_to_a_start_that_is_in_no_table_is_unknown(harness: Harness) -> None:
    for word in (*harness.case.strange_to_start, "", "declined?"):
        outcome = harness.start_answered(word).outcome
        assert outcome is None or outcome.verdict is Verdict.UNKNOWN, word


@of(CALLING)
def test_an_answer_that_says_nothing_at_all_begins_nothing_and_declines_nothing(harness: Harness) -> None:
    try:
        outcome = harness.scripted.start(harness.call(harness.case.request())).outcome
    except OutcomeUncertain:
        return
    assert outcome is not None
    assert outcome.verdict is Verdict.UNKNOWN


@of(CASES)
def test_an_inquiry_that_is_told_nothing_at_all_learns_nothing(harness: Harness) -> None:
    try:
        outcome = harness.scripted.inquire(harness.case.ref(harness.case.request()))
    except ProviderUnavailable:
        return
    assert outcome.verdict is Verdict.UNKNOWN


@of(IN_RUPEES)
def test_an_answer_about_another_payment_says_nothing_of_ours(harness: Harness) -> None:
    ours, theirs = harness.case.request(), harness.case.request()
    harness.script.says(harness.case.inquiry_answer(theirs, End.PAID))
    assert harness.scripted.inquire(harness.case.ref(ours)).verdict is Verdict.UNKNOWN


@of(SINGLE_SHOT)
@pytest.mark.parametrize("end", [End.PAID, End.DECLINED])
def test_an_answer_to_a_start_that_is_about_another_payment_says_nothing_of_ours(harness: Harness, end: End) -> None:
    ours, theirs = harness.case.request(), harness.case.request()
    harness.script.says(harness.case.start_answer(theirs, end))
    with suppress(OutcomeUncertain):
        result = harness.scripted.start(harness.call(ours))
        assert result.outcome is not None
        assert result.outcome.verdict is Verdict.UNKNOWN
        assert not result.references


@of(SIGNED_ANSWERS)
def test_an_answer_that_somebody_else_signed_is_not_believed(harness: Harness) -> None:
    request = harness.case.request()
    harness.script.says(harness.case.forged(harness.case.inquiry_answer(request, End.PAID)))
    with pytest.raises(ProviderUnavailable):
        harness.scripted.inquire(harness.case.ref(request))


@of([case for case in SIGNED_ANSWERS if case in CALLING])
@pytest.mark.parametrize("end", [End.PAID, End.DECLINED])
def test_an_answer_to_a_start_that_somebody_else_signed_leaves_it_in_doubt(harness: Harness, end: End) -> None:
    request = harness.case.request()
    harness.script.says(harness.case.forged(harness.case.start_answer(request, end)))
    with pytest.raises(OutcomeUncertain):
        harness.scripted.start(harness.call(request))


@of(CASES)
@given(data=st.data())
@fuzzily
def test_an_inquiry_survives_whatever_stands_in_a_field(harness: Harness, data: st.DataObject) -> None:
    request = harness.case.request()
    harness.script.says(with_fault_in_a_field(harness, harness.case.inquiry_answer(request, End.PAID), data))
    try:
        outcome = harness.scripted.inquire(harness.case.ref(request))
    except (ProviderUnavailable, RequestRefused):
        return
    assert all(is_storable(value) for value in outcome.references.values())
    assert is_storable(f"{outcome.receipt} {outcome.failure_code} {outcome.failure_message}")


@of(CALLING)
@given(data=st.data())
@fuzzily
def test_a_start_survives_whatever_stands_in_a_field(harness: Harness, data: st.DataObject) -> None:
    request = harness.case.request()
    harness.script.says(with_fault_in_a_field(harness, harness.case.start_answer(request, End.PAID), data))
    try:
        result = harness.scripted.start(harness.call(request))
    except (OutcomeUncertain, ProviderUnavailable, RequestRefused):
        return
    assert result.outcome is None or result.outcome.verdict is not Verdict.DECLINED
    assert all(is_storable(value) for value in result.references.values())


def with_fault_in_a_field(harness: Harness, answer: bytes, data: st.DataObject) -> bytes:
    """The answer with one field changed or left out, under a signature that fits."""

    def change(fields: dict[str, Any]) -> dict[str, Any]:
        name = data.draw(st.sampled_from(sorted(fields)))
        if data.draw(st.booleans()):
            return {other: value for other, value in fields.items() if other != name}
        return fields | {name: data.draw(STRANGE_VALUES)}

    try:
        return harness.case.edited(answer, change)
    except UnicodeEncodeError:
        # Half a surrogate pair has no bytes that somebody could have signed.
        reject()


def is_storable(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


@of(CASES)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_a_proxy_says_instead_is_no_word_of_the_gateways(harness: Harness, status: int) -> None:
    told = {"message": "no Route matched with those values"}
    harness.script.says(json.dumps(told | {"error": "forbidden"}).encode(), status=status)
    request = harness.case.request()
    with suppress(ProviderUnavailable):
        assert harness.scripted.inquire(harness.case.ref(request)).verdict is Verdict.UNKNOWN
    if harness.case in CALLING:
        with suppress(OutcomeUncertain):
            outcome = harness.scripted.start(harness.call(request)).outcome
            assert outcome is not None
            assert outcome.verdict is Verdict.UNKNOWN


@of([BrokenCase(Guesses)])
def test_a_provider_that_guesses_is_found_out(harness: Harness) -> None:
    with found_out():
        test_an_answer_to_an_inquiry_that_is_in_no_table_is_unknown(harness=harness)
