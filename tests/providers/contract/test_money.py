"""The money that is asked for is the money that is sent, and the money that is read."""

from dataclasses import replace

import pytest
from hypothesis import given

from payproc.domain.money import Money
from payproc.errors import InvalidRequest, Refusal, RequestRefused
from payproc.providers.base import Payer, Verdict
from tests.support.contract.bench import Bench
from tests.support.contract.case import CNIC, End
from tests.support.contract.cases import CASES, IN_RUPEES, ONCE, of
from tests.support.contract.drawn import AMOUNTS, often
from tests.support.contract.liars import LyingCase, Rounds, found_out


@of(CASES)
@given(minor=AMOUNTS)
@often
def test_the_money_that_leaves_the_building_is_the_money_that_was_asked_for(bench: Bench, minor: int) -> None:
    money = bench.case.money(minor)
    assert bench.case.money_sent(bench.sent(bench.case.request(money=money))) == money


@of(CASES)
@given(minor=AMOUNTS)
@often
def test_the_money_in_an_answer_is_read_to_the_last_paisa(bench: Bench, minor: int) -> None:
    outcome = bench.inquiry_answered(End.PAID, money=bench.case.money(minor))
    # Whether it is what we asked for, the core says.
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, bench.case.money(minor))


@of(IN_RUPEES)
@pytest.mark.parametrize("currency", ["usd", "jpy", "inr"])
def test_a_wallet_takes_rupees_of_pakistan_only(bench: Bench, currency: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bench.provider.check(bench.case.request(money=Money.of(125050, currency)))
    assert caught.value.code == "currency_unsupported"


@of([case for case in ONCE if case in IN_RUPEES])
def test_a_push_needs_somebodys_phone(bench: Bench) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bench.provider.check(bench.case.request(payer=Payer(cnic=CNIC)))
    assert caught.value.field == "phone"


@of(ONCE)
def test_a_push_whose_payer_is_no_longer_kept_is_refused_and_not_sent(bench: Bench) -> None:
    call = replace(bench.call(bench.case.request()), payer=Payer())
    with pytest.raises(RequestRefused) as caught:
        bench.scripted.start(call)
    assert caught.value.refusal is Refusal.INPUT
    assert bench.script.seen == []


@of([LyingCase(Rounds)])
def test_a_provider_that_rounds_is_found_out(bench: Bench) -> None:
    with found_out():
        test_the_money_that_leaves_the_building_is_the_money_that_was_asked_for(bench=bench)
