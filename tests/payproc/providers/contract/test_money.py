"""The money that is asked for is the money that is sent, and the money that is read."""

from dataclasses import replace

import pytest
from hypothesis import given

from payproc.domain.money import Money
from payproc.errors import InvalidRequest, Refusal, RequestRefused
from payproc.providers.answers import Verdict
from payproc.providers.requests import Payer
from tests.support.contract.broken_providers import BrokenCase, Rounds, found_out
from tests.support.contract.case import CNIC, End
from tests.support.contract.cases import CASES, IN_RUPEES, SINGLE_SHOT, of
from tests.support.contract.drawn import AMOUNTS, often
from tests.support.contract.harness import Harness


@of(CASES)
@given(minor=AMOUNTS)
@often
def test_the_money_that_leaves_the_building_is_the_money_that_was_asked_for(harness: Harness, minor: int) -> None:
    money = harness.case.money(minor)
    assert harness.case.money_sent(harness.sent(harness.case.request(money=money))) == money


@of(CASES)
@given(minor=AMOUNTS)
@often
def test_the_money_in_an_answer_is_read_to_the_last_paisa(harness: Harness, minor: int) -> None:
    outcome = harness.inquiry_answered(End.PAID, money=harness.case.money(minor))
    # Whether it is what we asked for, the core says.
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, harness.case.money(minor))


@of(IN_RUPEES)
@pytest.mark.parametrize("currency", ["usd", "jpy", "inr"])
def test_a_wallet_takes_rupees_of_pakistan_only(harness: Harness, currency: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        harness.provider.check(harness.case.request(money=Money.of(125050, currency)))
    assert caught.value.code == "currency_unsupported"


@of([case for case in SINGLE_SHOT if case in IN_RUPEES])
def test_a_push_needs_somebodys_phone(harness: Harness) -> None:
    with pytest.raises(InvalidRequest) as caught:
        harness.provider.check(harness.case.request(payer=Payer(cnic=CNIC)))
    assert caught.value.field == "phone"


@of(SINGLE_SHOT)
def test_a_push_whose_payer_is_no_longer_kept_is_refused_and_not_sent(harness: Harness) -> None:
    call = replace(harness.call(harness.case.request()), payer=Payer())
    with pytest.raises(RequestRefused) as caught:
        harness.scripted.start(call)
    assert caught.value.refusal is Refusal.INPUT
    assert harness.script.seen == []


@of([BrokenCase(Rounds)])
def test_a_provider_that_rounds_is_found_out(harness: Harness) -> None:
    with found_out():
        test_the_money_that_leaves_the_building_is_the_money_that_was_asked_for(harness=harness)
