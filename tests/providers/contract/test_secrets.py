"""What is kept, and what is shown: no secret, and nothing of the payer."""

import logging
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from payproc.errors import ProviderError
from tests.support.contract.bench import Bench
from tests.support.contract.case import ENDS, End
from tests.support.contract.cases import CALLING, CASES, SIGNING, of
from tests.support.contract.leaks import described, leaked
from tests.support.contract.liars import KeepsEverything, LyingCase, ShowsItsKey, StoresThePhone, found_out


@of(SIGNING)
@pytest.mark.parametrize("said", [*ENDS, "777"])
def test_what_is_kept_of_a_notice_reads_as_the_notice_did(bench: Bench, said: str) -> None:
    raw = bench.case.notice(bench.case.request(), said)
    assert bench.provider.reread_notice(bench.provider.storable(raw)) == bench.provider.read_notice(raw)


@of(SIGNING)
def test_what_is_kept_of_a_delivery_reads_as_the_delivery_did(bench: Bench) -> None:
    raw = bench.told_paid(bench.ended(End.PAID))
    assert bench.provider.reread_notice(bench.provider.storable(raw)) == bench.provider.read_notice(raw)


@of(CASES)
def test_what_is_kept_holds_no_secret_and_nothing_of_the_payer(bench: Bench) -> None:
    delivered = bench.told_paid(bench.ended(End.PAID))
    for raw in (delivered, bench.case.notice(bench.case.request(), End.PAID)):
        assert not leaked(bench, bench.provider.storable(raw).decode())


@of(CALLING)
def test_the_words_that_are_stored_before_a_start_hold_no_secret_and_nothing_of_the_payer(bench: Bench) -> None:
    assert not leaked(bench, repr(bench.provider.plan_start(bench.case.request())))


@of(CASES)
def test_nothing_secret_is_ever_shown_or_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        shown = everything_shown(bench)
    assert not leaked(bench, "\n".join([*shown, caplog.text, *map(repr, events)]))


def everything_shown(bench: Bench) -> list[str]:
    """What somebody sees who prints whatever comes by in a payment's life."""
    case = bench.case
    begun = bench.ended(End.PAID)
    raw = bench.told_paid(begun)
    values = [
        *(case.config(bench.script.url, patience=timedelta(seconds=1), notify_url=""), bench.provider),
        *(begun, bench.inquire(begun), bench.provider.read_notice(raw)),
        *(bench.inquiry_answered(End.DECLINED), bench.inquiry_answered("777")),
        *([bench.start_answered(End.DECLINED), bench.start_answered("777")] if case in CALLING else []),
    ]
    return [repr(value) for value in values] + refusals(bench)


def refusals(bench: Bench) -> list[str]:
    """What the errors say that a gateway's own words may have got into."""
    request = bench.case.request()
    answers = [bench.case.start_answer(request, word) for word in ("0002", "0026", "0028", "101", "110", "115")]
    errors = []
    for answer in answers if bench.case in CALLING else []:
        bench.script.says(answer)
        try:
            bench.scripted.start(bench.call(request))
        except ProviderError as error:
            errors.append(described(error))
    return errors


@of([LyingCase(KeepsEverything)])
def test_a_provider_that_keeps_everything_is_found_out(bench: Bench) -> None:
    with found_out():
        test_what_is_kept_holds_no_secret_and_nothing_of_the_payer(bench=bench)


@of([LyingCase(StoresThePhone)])
def test_a_provider_that_stores_the_phone_is_found_out(bench: Bench) -> None:
    with found_out():
        test_the_words_that_are_stored_before_a_start_hold_no_secret_and_nothing_of_the_payer(bench=bench)


@of([LyingCase(ShowsItsKey)])
def test_a_provider_that_shows_its_key_is_found_out(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with found_out():
        test_nothing_secret_is_ever_shown_or_logged(bench, caplog)
