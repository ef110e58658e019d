"""What every provider promises, in every dialect, on the wire: against the simulator, and against a gateway that lies.

A case (`contract/`) knows how its gateway speaks. Nothing here does.
"""

import json
import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from payproc.domain.money import LARGEST_MINOR, Money
from payproc.domain.settlement import RefundVerdict
from payproc.errors import (
    BadSignature,
    InvalidRequest,
    NoticeMalformed,
    OperationNotSupported,
    OutcomeUncertain,
    ProviderError,
    ProviderUnavailable,
    Refusal,
    RequestRefused,
)
from payproc.providers.base import (
    AwaitCustomer,
    Hint,
    Notice,
    Payer,
    PaymentRef,
    PostingForms,
    Postponed,
    Provider,
    RawNotice,
    Redirect,
    Refunding,
    RefundMode,
    Returning,
    StartMode,
    Verdict,
)
from tests.support.contract import liars
from tests.support.contract.bench import Bench, as_refunding, form_of, overdue, post
from tests.support.contract.case import CNIC, Begun, Case, End, Operation
from tests.support.contract.cases import (
    BY_FORM,
    BY_KEY,
    CALLING,
    CASES,
    FIRST_OF_EACH,
    HINTING,
    IN_RUPEES,
    KEEPING_NOTHING_BACK,
    ONCE,
    PLAYED_WALLETS,
    REFUNDING,
    REFUNDING_BY_KEY,
    REVERSING,
    SIGNED_ANSWERS,
    SIGNING,
)
from tests.support.contract.leaks import leaks
from tests.support.contract.listener import usual_words
from tests.support.contract.played import Played, all_played
from tests.support.contract.scripted import Failure, ScriptedGateway, closed_port, scripted_gateway
from tests.support.contract.wallet_case import WalletCase
from tests.support.waiting import wait_until

ENDS = [End.PAID, End.DECLINED, End.PENDING]
AMOUNTS = st.integers(min_value=1, max_value=LARGEST_MINOR)
fuzzily = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
often = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def of(cases: Sequence[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=str)


@pytest.fixture(scope="module")
def everybody() -> Iterator[Played]:
    with all_played() as played:
        yield played


@pytest.fixture(scope="module")
def liar() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


@pytest.fixture
def bench(case: Case, everybody: Played, liar: ScriptedGateway) -> Iterator[Bench]:
    yield Bench(case, played=everybody, script=liar)
    liar.forget()
    everybody.mend()
    everybody.listener.answer = usual_words


def proven(bench: Bench, raw: RawNotice) -> Notice:
    reading = bench.provider.read_notice(raw)
    assert isinstance(reading, Notice), reading
    return reading


# --- How a payment ends -----------------------------------------------------------------------------------------------


@of(CASES)
@pytest.mark.parametrize("end", ENDS)
def test_paid_declined_and_pending_are_told_as_such(bench: Bench, end: End) -> None:
    begun = bench.ended(end)
    outcome = bench.inquire(begun)
    assert outcome.verdict is end.verdict
    assert bench.debits(begun) == (end is End.PAID)
    # The start itself may know less, and then says so; it never says something else.
    assert begun.outcome is None or begun.outcome.verdict in (end.verdict, Verdict.UNKNOWN, Verdict.PENDING)


@of(CASES)
def test_a_paid_payment_is_of_the_money_that_was_asked_for_or_of_none_that_is_named(bench: Bench) -> None:
    begun = bench.ended(End.PAID)
    outcome = bench.inquire(begun)
    assert outcome.money in (begun.request.money, None)
    assert outcome.live_mode in (False, None)


@of(CASES)
def test_a_declined_payment_says_why_in_one_word(bench: Bench) -> None:
    assert bench.inquire(bench.ended(End.DECLINED)).failure_code


@of(REVERSING)
def test_money_that_went_back_is_told_as_reversed(bench: Bench) -> None:
    assert bench.inquire(bench.ended(End.REVERSED)).verdict is Verdict.REVERSED


@of(IN_RUPEES)
def test_a_payment_that_nobody_has_heard_of_is_pending_until_it_is_overdue(bench: Bench) -> None:
    ref = bench.case.ref(bench.case.request())
    assert bench.provider.inquire(ref).verdict is Verdict.PENDING
    assert bench.provider.inquire(overdue(ref)).verdict is Verdict.EXPIRED


@of(CASES)
def test_a_begun_payment_can_be_asked_about_by_a_schedule_that_moves_on(bench: Bench) -> None:
    begun = bench.begin(End.PENDING)
    assert bench.provider.can_inquire(begun.ref)
    schedule = bench.provider.poll_schedule(bench.case.dialect)
    assert schedule
    assert all(step > timedelta(0) for step in schedule)
    assert list(schedule) == sorted(schedule)


@of(CALLING)
def test_a_payment_that_waits_says_what_the_customer_does_next_and_until_when(bench: Bench) -> None:
    request = bench.case.known(bench.provider, bench.case.request(End.PENDING))
    result = bench.provider.start(bench.call(request))
    assert isinstance(result.next_action, Redirect | AwaitCustomer)
    assert result.expires_at is None or result.expires_at > request.created_at
    assert result.outcome is None or result.outcome.verdict in (Verdict.PENDING, Verdict.UNKNOWN)


@of(CASES)
def test_a_payment_is_asked_about_in_its_own_dialect_whatever_is_configured_now(bench: Bench) -> None:
    begun = bench.ended(End.PAID)
    for sibling in [case for case in CASES if case.method == bench.case.method]:
        provider = sibling.provider(bench.case.gateway_url(bench.played))
        assert provider.inquire(begun.ref).verdict is Verdict.PAID, sibling
        assert provider.start_mode(begun.ref.dialect) is bench.case.mode


# --- Words of no table ------------------------------------------------------------------------------------------------


@of(CASES)
def test_an_answer_to_an_inquiry_that_is_in_no_table_is_unknown(bench: Bench) -> None:
    verdicts = {
        word: bench.inquiry_answered(word).verdict for word in (*bench.case.strange_to_inquiry, "", "declined?")
    }
    assert set(verdicts.values()) == {Verdict.UNKNOWN}, verdicts


@of(CALLING)
def test_an_answer_to_a_start_that_is_in_no_table_is_unknown(bench: Bench) -> None:
    for word in (*bench.case.strange_to_start, "", "declined?"):
        outcome = bench.start_answered(word).outcome
        assert outcome is None or outcome.verdict is Verdict.UNKNOWN, word


@of(CALLING)
def test_an_answer_that_says_nothing_at_all_begins_nothing_and_declines_nothing(bench: Bench) -> None:
    try:
        outcome = bench.scripted.start(bench.call(bench.case.request())).outcome
    except OutcomeUncertain:
        return
    assert outcome is not None
    assert outcome.verdict is Verdict.UNKNOWN


@of(CASES)
def test_an_inquiry_that_is_told_nothing_at_all_learns_nothing(bench: Bench) -> None:
    try:
        outcome = bench.scripted.inquire(bench.case.ref(bench.case.request()))
    except ProviderUnavailable:
        return
    assert outcome.verdict is Verdict.UNKNOWN


@of(IN_RUPEES)
def test_an_answer_about_another_payment_says_nothing_of_ours(bench: Bench) -> None:
    ours, theirs = bench.case.request(), bench.case.request()
    bench.script.says(bench.case.inquiry_answer(theirs, End.PAID))
    assert bench.scripted.inquire(bench.case.ref(ours)).verdict is Verdict.UNKNOWN


@of(ONCE)
@pytest.mark.parametrize("end", [End.PAID, End.DECLINED])
def test_an_answer_to_a_start_that_is_about_another_payment_says_nothing_of_ours(bench: Bench, end: End) -> None:
    ours, theirs = bench.case.request(), bench.case.request()
    bench.script.says(bench.case.start_answer(theirs, end))
    with suppress(OutcomeUncertain):
        result = bench.scripted.start(bench.call(ours))
        assert result.outcome is not None
        assert result.outcome.verdict is Verdict.UNKNOWN
        assert not result.references


@of(SIGNED_ANSWERS)
def test_an_answer_that_somebody_else_signed_is_not_believed(bench: Bench) -> None:
    request = bench.case.request()
    bench.script.says(bench.case.forged(bench.case.inquiry_answer(request, End.PAID)))
    with pytest.raises(ProviderUnavailable):
        bench.scripted.inquire(bench.case.ref(request))


@of([case for case in SIGNED_ANSWERS if case in CALLING])
@pytest.mark.parametrize("end", [End.PAID, End.DECLINED])
def test_an_answer_to_a_start_that_somebody_else_signed_leaves_it_in_doubt(bench: Bench, end: End) -> None:
    request = bench.case.request()
    bench.script.says(bench.case.forged(bench.case.start_answer(request, end)))
    with pytest.raises(OutcomeUncertain):
        bench.scripted.start(bench.call(request))


# What may stand in a field beside what should. NUL and half a surrogate pair are JSON, and no database holds them.
STRANGE_VALUES = st.sampled_from(
    [None, True, 0, -1, 7, 10**30, 12.5, [], {}, ["000"], {"id": "000"}, "", " ", "x" * 300, "\0", "\ud800", "nan"]
)


@of(CASES)
@given(data=st.data())
@fuzzily
def test_an_inquiry_survives_whatever_stands_in_a_field(bench: Bench, data: st.DataObject) -> None:
    request = bench.case.request()
    bench.script.says(spoilt(bench, bench.case.inquiry_answer(request, End.PAID), data))
    try:
        outcome = bench.scripted.inquire(bench.case.ref(request))
    except (ProviderUnavailable, RequestRefused):
        return
    assert all(is_storable(value) for value in outcome.references.values())
    assert is_storable(f"{outcome.receipt} {outcome.failure_code} {outcome.failure_message}")


@of(CALLING)
@given(data=st.data())
@fuzzily
def test_a_start_survives_whatever_stands_in_a_field(bench: Bench, data: st.DataObject) -> None:
    request = bench.case.request()
    bench.script.says(spoilt(bench, bench.case.start_answer(request, End.PAID), data))
    try:
        result = bench.scripted.start(bench.call(request))
    except (OutcomeUncertain, ProviderUnavailable, RequestRefused):
        return
    assert result.outcome is None or result.outcome.verdict is not Verdict.DECLINED
    assert all(is_storable(value) for value in result.references.values())


def spoilt(bench: Bench, answer: bytes, data: st.DataObject) -> bytes:
    """The answer with one field changed or left out, under a signature that fits."""

    def change(fields: dict[str, Any]) -> dict[str, Any]:
        name = data.draw(st.sampled_from(sorted(fields)))
        if data.draw(st.booleans()):
            return {other: value for other, value in fields.items() if other != name}
        return fields | {name: data.draw(STRANGE_VALUES)}

    try:
        return bench.case.edited(answer, change)
    except UnicodeEncodeError:
        # Half a surrogate pair has no bytes that somebody could have signed.
        reject()


def is_storable(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


@of(CASES)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_a_proxy_says_instead_is_no_word_of_the_gateways(bench: Bench, status: int) -> None:
    told = {"message": "no Route matched with those values"}
    bench.script.says(json.dumps(told | {"error": "forbidden"}).encode(), status=status)
    request = bench.case.request()
    with suppress(ProviderUnavailable):
        assert bench.scripted.inquire(bench.case.ref(request)).verdict is Verdict.UNKNOWN
    if bench.case in CALLING:
        with suppress(OutcomeUncertain):
            outcome = bench.scripted.start(bench.call(request)).outcome
            assert outcome is not None
            assert outcome.verdict is Verdict.UNKNOWN


# --- What goes wrong on the way ---------------------------------------------------------------------------------------


@of(CALLING)
@pytest.mark.parametrize("failure", Failure)
def test_a_start_without_a_readable_answer_may_have_been_executed(bench: Bench, failure: Failure) -> None:
    provider = bench.failing(failure)
    with pytest.raises(OutcomeUncertain) as caught:
        provider.start(bench.call(bench.case.request()))
    assert not leaked(bench, described(caught.value))


@of(CASES)
def test_an_inquiry_without_a_readable_answer_is_asked_again(bench: Bench) -> None:
    ref = bench.case.ref(bench.case.request())
    # Side by side: each asks twice, with a pause in between.
    with ThreadPoolExecutor(len(Failure)) as together:
        errors = list(together.map(lambda failure: unavailable(bench.failing(failure), ref), Failure))
    assert not leaked(bench, "".join(map(described, errors)))


@of(CASES)
def test_an_inquiry_that_finds_no_connection_is_asked_again(bench: Bench) -> None:
    error = unavailable(bench.case.provider(closed_port()), bench.case.ref(bench.case.request()))
    assert not leaked(bench, described(error))


@of(CALLING)
def test_a_start_that_finds_no_connection_has_executed_nothing(bench: Bench) -> None:
    with pytest.raises(ProviderUnavailable):
        bench.case.provider(closed_port()).start(bench.call(bench.case.request()))


@of(CASES)
def test_too_many_inquiries_are_asked_again_when_the_gateway_says_so(bench: Bench) -> None:
    bench.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429, Retry_After="7")
    with pytest.raises(ProviderUnavailable) as caught:
        bench.scripted.inquire(bench.case.ref(bench.case.request()))
    assert caught.value.retry_after == (timedelta(seconds=7) if bench.case.heeds_retry_after else None)


@of(CALLING)
def test_too_many_starts_have_executed_nothing(bench: Bench) -> None:
    bench.script.says(b'{"error": {"type": "invalid_request_error"}}', status=429, Retry_After="7")
    with pytest.raises(ProviderUnavailable) as caught:
        bench.scripted.start(bench.call(bench.case.request()))
    assert caught.value.retry_after == (timedelta(seconds=7) if bench.case.heeds_retry_after else None)


@of(FIRST_OF_EACH)
def test_a_gateway_that_is_down_is_left_alone_after_a_while(bench: Bench) -> None:
    nowhere, ref = bench.case.provider(closed_port()), bench.case.ref(bench.case.request())
    errors = (unavailable(nowhere, ref) for _ in range(6))
    resting = next(error for error in errors if error.code == "circuit_open")
    assert resting.retry_after == timedelta(seconds=1)


def unavailable(provider: Provider, ref: PaymentRef) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        provider.inquire(ref)
    return caught.value


# --- Once -------------------------------------------------------------------------------------------------------------


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


# --- Money ------------------------------------------------------------------------------------------------------------


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


# --- Notices ----------------------------------------------------------------------------------------------------------


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


# --- What is kept, and what is shown ----------------------------------------------------------------------------------


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


def described(error: BaseException) -> str:
    """An error with all that hangs on it, as a log would show it."""
    return repr(error) + str(vars(error)) + "".join(traceback.format_exception(error))


def leaked(bench: Bench, text: str) -> list[str]:
    return leaks(text, bench.case.secrets)


# --- Refunds ----------------------------------------------------------------------------------------------------------


@of(REFUNDING)
def test_a_whole_refund_is_sent_once_and_succeeds(bench: Bench) -> None:
    begun = bench.paid()
    request = bench.refund_request(begun, 125050)
    assert bench.refund(request).verdict is RefundVerdict.SUCCEEDED
    assert bench.refunded(begun) == 125050
    assert bench.refunding.inquire_refund(request).verdict is RefundVerdict.SUCCEEDED


@of(REFUNDING)
def test_a_part_goes_back_and_then_another_and_never_more_than_was_paid(bench: Bench) -> None:
    begun = bench.paid()
    first, second = bench.refund_request(begun, 25050), bench.refund_request(begun, 100000, already=25050)
    assert bench.refund(first).verdict is RefundVerdict.SUCCEEDED
    assert was_refused(bench, begun, 100001, already=25050)
    assert bench.refunded(begun) == 25050
    assert bench.refund(second).verdict is RefundVerdict.SUCCEEDED
    assert bench.refunded(begun) == 125050


@of(REFUNDING)
def test_a_refund_of_what_was_not_paid_is_refused(bench: Bench) -> None:
    assert was_refused(bench, bench.begin(End.PENDING), 125050)


def was_refused(bench: Bench, begun: Begun, amount_minor: int, *, already: int = 0) -> bool:
    """Whether a refund surely did not happen: by a verdict, by a refusal that ends it, or for want of words for it."""
    try:
        return bench.refund(bench.refund_request(begun, amount_minor, already=already)).verdict is RefundVerdict.FAILED
    except OperationNotSupported:
        return True
    except RequestRefused as refused:
        return refused.refusal is Refusal.INPUT


@of(REFUNDING)
def test_a_refund_that_was_never_sent_is_not_called_successful(bench: Bench) -> None:
    begun = bench.paid()
    part, other = bench.refund_request(begun, 25050), bench.refund_request(begun, 25050, already=25050)
    assert bench.refunding.inquire_refund(part).verdict is not RefundVerdict.SUCCEEDED
    bench.refund(part)
    # Something went back, and yet not this.
    for never_sent in (other, bench.refund_request(begun, 100000, already=25050)):
        assert bench.refunding.inquire_refund(never_sent).verdict is not RefundVerdict.SUCCEEDED


@of(REFUNDING)
def test_a_refund_whose_answer_is_lost_is_in_doubt_and_was_executed_once(bench: Bench) -> None:
    begun = bench.paid()
    request = bench.refund_request(begun, 25050)
    bench.lose_answers(Operation.REFUND)
    with pytest.raises(OutcomeUncertain):
        bench.refund(request)
    assert bench.refunded(begun) == 25050
    assert bench.refunding.inquire_refund(request).verdict is not RefundVerdict.FAILED


@of(REFUNDING)
@pytest.mark.parametrize("failure", Failure)
def test_a_refund_without_a_readable_answer_may_have_been_executed(bench: Bench, failure: Failure) -> None:
    request = bench.refund_request(bench.paid(), 125050)
    provider = as_refunding(bench.failing(failure))
    with pytest.raises(OutcomeUncertain) as caught:
        provider.refund(bench.refund_call(request))
    assert not leaked(bench, described(caught.value))


@of(REFUNDING)
def test_a_question_about_a_refund_without_a_readable_answer_is_asked_again(bench: Bench) -> None:
    request = bench.refund_request(bench.paid(), 125050)
    with pytest.raises(ProviderUnavailable):
        as_refunding(bench.failing(Failure.HTML_200)).inquire_refund(request)


@of(REFUNDING)
def test_a_refund_that_finds_no_connection_was_surely_not_sent(bench: Bench) -> None:
    call = bench.refund_call(bench.refund_request(bench.paid(), 125050))
    with pytest.raises(ProviderUnavailable):
        as_refunding(bench.case.provider(closed_port())).refund(call)


@of(REFUNDING)
def test_a_refund_goes_back_in_the_one_way_that_its_dialect_has(bench: Bench) -> None:
    mode = RefundMode.BY_KEY if bench.case in REFUNDING_BY_KEY else RefundMode.ONCE
    assert bench.refunding.refund_mode(bench.case.dialect) is mode


@of(REFUNDING_BY_KEY)
def test_a_refund_that_is_sent_again_under_its_key_is_the_same_refund(bench: Bench) -> None:
    begun = bench.paid()
    request = bench.refund_request(begun, 25050)
    call = bench.refund_call(request)
    bench.lose_answers(Operation.REFUND)
    with pytest.raises(OutcomeUncertain):
        bench.refunding.refund(call)
    found = bench.refunding.inquire_refund(request)
    assert found.verdict is RefundVerdict.SUCCEEDED
    assert bench.refunding.refund(call) == found
    assert bench.refunding.inquire_refund(replace(request, provider_id=found.provider_id)) == found
    assert bench.refunded(begun) == 25050


@of(REFUNDING_BY_KEY)
def test_of_two_equal_refunds_each_is_found_by_its_own_id(bench: Bench) -> None:
    begun = bench.paid()
    first, second = (bench.refund_request(begun, 25050) for _ in range(2))
    sent = bench.refund(first)
    assert bench.refunding.inquire_refund(second).verdict is RefundVerdict.NOT_FOUND
    also_sent = bench.refund(second)
    assert sent.provider_id != also_sent.provider_id
    assert [bench.refunding.inquire_refund(request) for request in (first, second)] == [sent, also_sent]
    assert bench.refunded(begun) == 50100


@of(KEEPING_NOTHING_BACK)
def test_who_gives_nothing_back_by_a_call_says_so(bench: Bench) -> None:
    provider = bench.provider
    offered = [case for case in REFUNDING if case.method == bench.case.method]
    assert isinstance(provider, Refunding) is bool(offered)
    if not isinstance(provider, Refunding):
        return
    assert provider.refund_mode(bench.case.dialect) is RefundMode.BY_HAND
    with pytest.raises(OperationNotSupported):
        provider.plan_refund(bench.refund_request(bench.begin(), 125050))


# --- Forms and browsers that come back --------------------------------------------------------------------------------


@of(CASES)
def test_a_payment_begins_in_the_one_way_that_its_dialect_has(bench: Bench) -> None:
    provider, request = bench.provider, bench.case.request()
    assert (provider.dialect, provider.live_mode) == (bench.case.dialect, False)
    assert provider.start_mode(bench.case.dialect) is bench.case.mode
    if bench.case.mode is StartMode.BY_FORM:
        with pytest.raises(OperationNotSupported):
            provider.plan_start(request)
    elif isinstance(provider, PostingForms):
        with pytest.raises(OperationNotSupported):
            provider.form(request)


@of(BY_FORM)
@pytest.mark.parametrize("end", [End.PAID, End.DECLINED])
def test_a_browser_comes_back_with_the_name_of_its_payment_and_without_an_outcome_of_its_own(
    bench: Bench, end: End
) -> None:
    begun = bench.begin()
    last = bench.case.bring_about(bench.played, begun, end)[-1]
    provider = bench.provider
    assert isinstance(provider, Returning)
    assert provider.next_form(last) is None
    assert provider.returned_reference(last) == begun.request.reference


# --- Pure -------------------------------------------------------------------------------------------------------------


@of(CASES)
def test_the_same_request_gives_the_same_words(bench: Bench) -> None:
    request = bench.case.request()
    if bench.case.mode is StartMode.BY_FORM:
        first, later = form_of(bench.scripted, request), form_of(bench.case.provider(bench.script.url), request)
        assert list(first.fields.items()) == list(later.fields.items())
        return
    plan = bench.scripted.plan_start(request)
    assert plan == bench.case.provider(bench.script.url).plan_start(request)
    assert json.loads(json.dumps(plan.parameters)) == plan.parameters


@of(CASES)
def test_what_is_pure_sends_nothing(bench: Bench) -> None:
    request, provider = bench.case.request(), bench.scripted
    raw = bench.case.notice(request, End.PAID)
    provider.check(request)
    provider.read_notice(raw)
    kept = provider.storable(raw)
    if bench.case in SIGNING:
        assert not isinstance(provider.reread_notice(kept), Postponed)
    if isinstance(provider, Returning):
        provider.next_form(raw)
        provider.returned_reference(raw)
    if bench.case.mode is StartMode.BY_FORM:
        form_of(provider, request)
    else:
        provider.plan_start(request)
    if bench.case in REFUNDING:
        as_refunding(provider).plan_refund(bench.refund_request(bench.paid(), 125050))
    assert bench.script.seen == []


# --- The contract can be broken ---------------------------------------------------------------------------------------

BROKEN = [
    (liars.Guesses, test_an_answer_to_an_inquiry_that_is_in_no_table_is_unknown),
    (liars.Rounds, test_the_money_that_leaves_the_building_is_the_money_that_was_asked_for),
    (liars.SendsAgain, test_a_charge_whose_answer_is_lost_is_found_by_asking),
    (liars.BelievesEverybody, test_a_missing_an_empty_and_a_strangers_signature_are_refused),
    (liars.BelievesEverybody, test_an_amount_that_was_changed_under_its_signature_is_refused),
    (liars.KeepsEverything, test_what_is_kept_holds_no_secret_and_nothing_of_the_payer),
    (liars.StoresThePhone, test_the_words_that_are_stored_before_a_start_hold_no_secret_and_nothing_of_the_payer),
    (liars.Boasts, test_a_refund_that_was_never_sent_is_not_called_successful),
    (liars.AsksWhilePlanning, test_what_is_pure_sends_nothing),
]


@pytest.mark.parametrize(
    ("case", "promise"),
    [(liars.LyingCase(liar), promise) for liar, promise in BROKEN],
    ids=lambda value: str(value) if isinstance(value, Case) else "",
)
def test_a_provider_that_breaks_a_promise_is_found_out(bench: Bench, promise: Callable[..., None]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        promise(bench=bench)


@of([liars.LyingCase(liars.ShowsItsKey)])
def test_a_provider_that_shows_its_key_is_found_out(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AssertionError):
        test_nothing_secret_is_ever_shown_or_logged(bench, caplog)
