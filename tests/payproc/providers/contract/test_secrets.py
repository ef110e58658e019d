"""What is kept, and what is shown: no secret, and nothing of the payer."""

import logging
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from payproc.errors import ProviderError
from payproc.providers.notices import Notice, Proven, RawNotice
from tests.support.contract.broken_providers import BrokenCase, KeepsEverything, ShowsItsKey, StoresThePhone, found_out
from tests.support.contract.case import ENDS, End
from tests.support.contract.cases import CALLING, CASES, SIGNING, of
from tests.support.contract.harness import Harness, read_notice
from tests.support.contract.leaks import described, leaked


@of(SIGNING)
@pytest.mark.parametrize("said", [*ENDS, "777"])
def test_what_is_kept_of_a_notice_reads_as_the_notice_did(harness: Harness, said: str) -> None:
    raw = harness.case.notice(harness.case.request(), said)
    assert_reads_as_named(harness, raw)


@of(SIGNING)
def test_what_is_kept_of_a_delivery_reads_as_the_delivery_did(harness: Harness) -> None:
    raw = harness.told_paid(harness.ended(End.PAID))
    assert_reads_as_named(harness, raw)


def assert_reads_as_named(harness: Harness, raw: RawNotice) -> None:
    """What is read of a notice later, and by another process, is what it was named for when it came."""
    verified = harness.provider.verify_notice(raw)
    later = harness.case.provider(harness.script.url).parse_stored(verified.redacted)
    assert isinstance(verified.notice, Proven)
    assert isinstance(later, Notice)
    assert (later.key, later.kind) == (verified.notice.key, verified.notice.kind)
    assert later == read_notice(harness.provider, raw)


@of(CASES)
def test_what_is_kept_holds_no_secret_and_nothing_of_the_payer(harness: Harness) -> None:
    delivered = harness.told_paid(harness.ended(End.PAID))
    for raw in (delivered, harness.case.notice(harness.case.request(), End.PAID)):
        assert not leaked(harness, harness.provider.verify_notice(raw).redacted.decode())


@of(CALLING)
def test_what_is_stored_before_a_start_holds_no_secret_and_nothing_of_the_payer(harness: Harness) -> None:
    assert not leaked(harness, repr(harness.provider.prepare_start(harness.case.request())))


@of(CASES)
def test_nothing_secret_is_ever_shown_or_logged(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        shown = everything_shown(harness)
    assert not leaked(harness, "\n".join([*shown, caplog.text, *map(repr, events)]))


def everything_shown(harness: Harness) -> list[str]:
    """What somebody sees who prints whatever comes by in a payment's life."""
    case = harness.case
    begun = harness.ended(End.PAID)
    raw = harness.told_paid(begun)
    values = [
        *(case.config(harness.script.url, patience=timedelta(seconds=1), notify_url=""), harness.provider),
        *(begun, harness.inquire(begun), read_notice(harness.provider, raw)),
        *(harness.inquiry_answered(End.DECLINED), harness.inquiry_answered("777")),
        *([harness.start_answered(End.DECLINED), harness.start_answered("777")] if case in CALLING else []),
    ]
    return [repr(value) for value in values] + refusals(harness)


def refusals(harness: Harness) -> list[str]:
    """What the errors say that a gateway's own words may have got into."""
    request = harness.case.request()
    answers = [harness.case.start_answer(request, word) for word in ("0002", "0026", "0028", "101", "110", "115")]
    errors = []
    for answer in answers if harness.case in CALLING else []:
        harness.script.says(answer)
        try:
            harness.scripted.start(harness.call(request))
        except ProviderError as error:
            errors.append(described(error))
    return errors


@of([BrokenCase(KeepsEverything)])
def test_a_provider_that_keeps_everything_is_found_out(harness: Harness) -> None:
    with found_out():
        test_what_is_kept_holds_no_secret_and_nothing_of_the_payer(harness=harness)


@of([BrokenCase(StoresThePhone)])
def test_a_provider_that_stores_the_phone_is_found_out(harness: Harness) -> None:
    with found_out():
        test_what_is_stored_before_a_start_holds_no_secret_and_nothing_of_the_payer(harness=harness)


@of([BrokenCase(ShowsItsKey)])
def test_a_provider_that_shows_its_key_is_found_out(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    with found_out():
        test_nothing_secret_is_ever_shown_or_logged(harness, caplog)
