"""What a notice proves, and what it only hints at."""

import pytest
from hypothesis import given

from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.answers import Verdict
from payproc.providers.notices import Hint, Notice, RawNotice
from tests.support.contract.broken_providers import BelievesEverybody, BrokenCase, found_out
from tests.support.contract.case import ENDS, End
from tests.support.contract.cases import CASES, HINTING, PLAYED_WALLETS, SIGNING, of
from tests.support.contract.drawn import AMOUNTS, often
from tests.support.contract.harness import Harness, read_notice
from tests.support.contract.wallet_case import WalletCase
from tests.support.waiting import wait_until


def proven(harness: Harness, raw: RawNotice) -> Notice:
    reading = read_notice(harness.provider, raw)
    assert isinstance(reading, Notice), reading
    return reading


@of(SIGNING)
def test_a_signed_notice_proves_that_our_payment_was_paid(harness: Harness) -> None:
    begun = harness.ended(End.PAID)
    notice = proven(harness, harness.told_paid(begun))
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
def test_a_missing_an_empty_and_a_strangers_signature_are_refused(harness: Harness) -> None:
    delivered = harness.told_paid(harness.ended(End.PAID))
    for raw in (delivered, harness.case.notice(harness.case.request(), End.PAID)):
        for bad in harness.case.badly_signed(raw):
            with pytest.raises(BadSignature):
                read_notice(harness.provider, bad)


@of(SIGNING)
def test_an_amount_that_was_changed_under_its_signature_is_refused(harness: Harness) -> None:
    delivered = harness.told_paid(harness.ended(End.PAID))
    for raw in (delivered, harness.case.notice(harness.case.request(), End.PAID)):
        with pytest.raises(BadSignature):
            read_notice(harness.provider, harness.case.of_another_amount(raw))


@of(SIGNING)
@given(minor=AMOUNTS)
@often
def test_a_truthful_notice_of_another_amount_is_paid_with_that_money(harness: Harness, minor: int) -> None:
    raw = harness.case.notice(harness.case.request(), End.PAID, money=harness.case.money(minor))
    outcome = proven(harness, raw).outcome
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, harness.case.money(minor))


@of(SIGNING)
def test_a_notice_in_words_of_no_table_is_unknown(harness: Harness) -> None:
    request = harness.case.request()
    outcomes = [proven(harness, harness.case.notice(request, word)).outcome for word in ("777", "declined_or_so")]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.UNKNOWN}


@of(HINTING)
def test_an_unsigned_notice_is_a_hint_whatever_it_says(harness: Harness) -> None:
    request = harness.case.request()
    readings = [read_notice(harness.provider, harness.case.notice(request, said)) for said in (*ENDS, "stolen")]
    assert all(isinstance(reading, Hint) for reading in readings)
    assert [reading.reference for reading in readings if isinstance(reading, Hint)] == [request.reference] * 4
    assert all(reading == readings[0] for reading in readings)


@of(HINTING)
def test_what_the_gateway_delivers_unsigned_names_our_payment_and_proves_nothing(harness: Harness) -> None:
    begun = harness.ended(End.PAID)
    raw = harness.told_paid(begun)
    reading = read_notice(harness.provider, raw)
    assert isinstance(reading, Hint)
    assert reading.reference == begun.request.reference
    with pytest.raises(NoticeMalformed):
        harness.provider.parse_stored(harness.provider.verify_notice(raw).redacted)


@of(PLAYED_WALLETS)
def test_the_gateway_is_content_with_how_its_notice_is_answered(harness: Harness) -> None:
    harness.played.listener.answer = harness.answer_of
    begun = harness.ended(End.PAID)
    case = harness.case
    assert isinstance(case, WalletCase)
    wait_until(lambda: case.notice_states(harness.played, begun) == ["acknowledged"])


@of(SIGNING)
def test_a_notice_that_comes_twice_has_one_key_and_another_fact_has_another(harness: Harness) -> None:
    ours, theirs = harness.case.request(), harness.case.request()
    raws = [harness.case.notice(request, end) for request in (ours, theirs) for end in (End.PAID, End.DECLINED)]
    raws.append(harness.told_paid(harness.ended(End.PAID)))
    keys = [proven(harness, raw).key for raw in raws]
    assert len(set(keys)) == len(keys)
    assert [proven(harness, harness.case.again(raw)).key for raw in raws] == keys


@of(CASES)
def test_nonsense_is_refused_and_never_crashes(harness: Harness) -> None:
    for body in (b"", b"null", b"[]", b"\xff\xfe", b'{"id": 7}', b'{"a":' * 3000, b"a=1&a=2", b"{}"):
        raw = RawNotice(body=body, headers={}, received_at=harness.case.request().created_at)
        with pytest.raises((NoticeMalformed, BadSignature)):
            read_notice(harness.provider, raw)


@of([BrokenCase(BelievesEverybody)])
def test_a_provider_that_believes_everybody_is_found_out(harness: Harness) -> None:
    with found_out():
        test_a_missing_an_empty_and_a_strangers_signature_are_refused(harness=harness)


@of([BrokenCase(BelievesEverybody)])
def test_a_provider_that_believes_any_amount_is_found_out(harness: Harness) -> None:
    with found_out():
        test_an_amount_that_was_changed_under_its_signature_is_refused(harness=harness)
