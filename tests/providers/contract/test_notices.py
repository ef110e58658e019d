"""What a notice proves, and what it only hints at."""

import pytest
from hypothesis import given

from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.base import Hint, Notice, RawNotice, Verdict
from tests.support.contract.bench import Bench
from tests.support.contract.case import ENDS, End
from tests.support.contract.cases import CASES, HINTING, PLAYED_WALLETS, SIGNING, of
from tests.support.contract.drawn import AMOUNTS, often
from tests.support.contract.liars import BelievesEverybody, LyingCase, found_out
from tests.support.contract.wallet_case import WalletCase
from tests.support.waiting import wait_until


def proven(bench: Bench, raw: RawNotice) -> Notice:
    reading = bench.provider.read_notice(raw)
    assert isinstance(reading, Notice), reading
    return reading


@of(SIGNING)
def test_a_signed_notice_proves_that_our_payment_was_paid(bench: Bench) -> None:
    begun = bench.ended(End.PAID)
    notice = proven(bench, bench.told_paid(begun))
    assert notice.outcome.verdict is Verdict.PAID
    assert notice.outcome.money in (begun.request.money, None)
    assert begun.request.dialect in notice.dialects
    # By one of our own names, or by the gateway's id of the payment.
    assert (
        notice.reference == begun.request.reference
        or notice.payment_id == begun.request.payment_id
        or notice.references.items() & begun.ref.references.items()
    )


@of(SIGNING)
def test_a_missing_an_empty_and_a_strangers_signature_are_refused(bench: Bench) -> None:
    delivered = bench.told_paid(bench.ended(End.PAID))
    for raw in (delivered, bench.case.notice(bench.case.request(), End.PAID)):
        for bad in bench.case.badly_signed(raw):
            with pytest.raises(BadSignature):
                bench.provider.read_notice(bad)


@of(SIGNING)
def test_an_amount_that_was_changed_under_its_signature_is_refused(bench: Bench) -> None:
    delivered = bench.told_paid(bench.ended(End.PAID))
    for raw in (delivered, bench.case.notice(bench.case.request(), End.PAID)):
        with pytest.raises(BadSignature):
            bench.provider.read_notice(bench.case.of_another_amount(raw))


@of(SIGNING)
@given(minor=AMOUNTS)
@often
def test_a_truthful_notice_of_another_amount_is_paid_with_that_money(bench: Bench, minor: int) -> None:
    raw = bench.case.notice(bench.case.request(), End.PAID, money=bench.case.money(minor))
    outcome = proven(bench, raw).outcome
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, bench.case.money(minor))


@of(SIGNING)
def test_a_notice_in_words_of_no_table_is_unknown(bench: Bench) -> None:
    request = bench.case.request()
    outcomes = [proven(bench, bench.case.notice(request, word)).outcome for word in ("777", "declined_or_so")]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.UNKNOWN}


@of(HINTING)
def test_an_unsigned_notice_is_a_hint_whatever_it_says(bench: Bench) -> None:
    request = bench.case.request()
    readings = [bench.provider.read_notice(bench.case.notice(request, said)) for said in (*ENDS, "stolen")]
    assert all(isinstance(reading, Hint) for reading in readings)
    assert [reading.reference for reading in readings if isinstance(reading, Hint)] == [request.reference] * 4
    assert all(reading == readings[0] for reading in readings)


@of(HINTING)
def test_what_the_gateway_delivers_unsigned_names_our_payment_and_proves_nothing(bench: Bench) -> None:
    begun = bench.ended(End.PAID)
    raw = bench.told_paid(begun)
    reading = bench.provider.read_notice(raw)
    assert isinstance(reading, Hint)
    assert reading.reference == begun.request.reference
    with pytest.raises(NoticeMalformed):
        bench.provider.reread_notice(bench.provider.storable(raw))


@of(PLAYED_WALLETS)
def test_the_gateway_is_content_with_how_its_notice_is_answered(bench: Bench) -> None:
    bench.played.listener.answer = bench.answer_of
    begun = bench.ended(End.PAID)
    case = bench.case
    assert isinstance(case, WalletCase)
    wait_until(lambda: case.notice_states(bench.played, begun) == ["acknowledged"])


@of(SIGNING)
def test_a_notice_that_comes_twice_has_one_key_and_another_fact_has_another(bench: Bench) -> None:
    ours, theirs = bench.case.request(), bench.case.request()
    raws = [bench.case.notice(request, end) for request in (ours, theirs) for end in (End.PAID, End.DECLINED)]
    raws.append(bench.told_paid(bench.ended(End.PAID)))
    keys = [proven(bench, raw).key for raw in raws]
    assert len(set(keys)) == len(keys)
    assert [proven(bench, bench.case.again(raw)).key for raw in raws] == keys


@of(CASES)
def test_nonsense_is_refused_and_never_crashes(bench: Bench) -> None:
    for body in (b"", b"null", b"[]", b"\xff\xfe", b'{"id": 7}', b'{"a":' * 3000, b"a=1&a=2", b"{}"):
        raw = RawNotice(body=body, headers={}, received_at=bench.case.request().created_at)
        with pytest.raises((NoticeMalformed, BadSignature)):
            bench.provider.read_notice(raw)


@of([LyingCase(BelievesEverybody)])
def test_a_provider_that_believes_everybody_is_found_out(bench: Bench) -> None:
    with found_out():
        test_a_missing_an_empty_and_a_strangers_signature_are_refused(bench=bench)


@of([LyingCase(BelievesEverybody)])
def test_a_provider_that_believes_any_amount_is_found_out(bench: Bench) -> None:
    with found_out():
        test_an_amount_that_was_changed_under_its_signature_is_refused(bench=bench)
