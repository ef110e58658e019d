import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stripe import WebhookSignature

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.answers import Verdict
from payproc.providers.notices import Hint, Ignored, Notice, ParsedNotice, Postponed, RawNotice
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.notices import read
from payproc.providers.stripe.provider import StripeProvider
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from tests.support.contract.harness import read_notice

SECRET = "whsec_9fJ3kL7mN2pQ5rS8tV"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROVIDER = StripeProvider(
    StripeConfig(
        secret_key="sk_test_payproc",
        webhook_secrets=(SECRET,),
        api_version="2026-10-28.endive",
        api_base="http://127.0.0.1:9",
        live_mode=False,
        connect_timeout=timedelta(seconds=1),
        read_timeout=timedelta(seconds=1),
        poll_schedule=(timedelta(minutes=1),),
    ),
    CircuitBreakers(STRIPE, longest_rest=timedelta(seconds=30)),
)
SESSION: dict[str, Any] = {
    "id": "cs_1",
    "object": "checkout.session",
    "status": "complete",
    "payment_status": "paid",
    "amount_total": 1999,
    "currency": "usd",
    "payment_intent": "pi_1",
    "client_reference_id": "pay_1",
    "metadata": {"payment_id": "pay_1"},
    "livemode": False,
}
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "amount_received": 1999,
    "currency": "usd",
    "latest_charge": "ch_1",
    "metadata": {"payment_id": "pay_1"},
    "livemode": False,
}
PAYMENT_KINDS = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "payment_intent.processing",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
]


def event(kind: str, found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made = {"id": "evt_1", "object": "event", "type": kind, "livemode": False, "data": {"object": found}}
    return made | changes


def reading(kind: str, found: dict[str, Any], **changes: Any) -> ParsedNotice:
    return read(event(kind, found, **changes), live_mode=False)


def notice(kind: str, found: dict[str, Any]) -> Notice:
    result = reading(kind, found)
    assert isinstance(result, Notice)
    return result


def test_a_completed_session_that_is_paid_tells_everything_we_check() -> None:
    told = notice("checkout.session.completed", SESSION)
    assert (told.key, told.kind, told.payment_id) == ("evt_1", "checkout.session.completed", "pay_1")
    assert told.references == {Reference.STRIPE_SESSION: "cs_1", Reference.STRIPE_PAYMENT_INTENT: "pi_1"}
    assert (told.outcome.verdict, told.outcome.money) == (Verdict.PAID, Money.of(1999, "usd"))
    assert told.outcome.live_mode is False


@pytest.mark.parametrize(
    ("kind", "changes", "verdict"),
    [
        ("checkout.session.completed", {"payment_status": "unpaid"}, Verdict.PROCESSING),
        ("checkout.session.async_payment_succeeded", {}, Verdict.PAID),
        ("checkout.session.async_payment_failed", {"payment_status": "unpaid"}, Verdict.DECLINED),
        ("checkout.session.async_payment_failed", {}, Verdict.UNKNOWN),
        ("checkout.session.expired", {"status": "expired", "payment_status": "unpaid"}, Verdict.EXPIRED),
    ],
)
def test_a_sessions_event_means_what_its_session_says(kind: str, changes: dict[str, str], verdict: Verdict) -> None:
    assert notice(kind, SESSION | changes).outcome.verdict is verdict


@pytest.mark.parametrize(
    ("kind", "status", "verdict"),
    [
        ("payment_intent.succeeded", "succeeded", Verdict.PAID),
        ("payment_intent.processing", "processing", Verdict.PROCESSING),
        ("payment_intent.payment_failed", "requires_payment_method", Verdict.PENDING),
        ("payment_intent.canceled", "canceled", Verdict.CANCELLED),
        ("payment_intent.succeeded", "a_status_of_a_newer_api", Verdict.UNKNOWN),
    ],
)
def test_an_intents_event_means_what_its_intent_says(kind: str, status: str, verdict: Verdict) -> None:
    assert notice(kind, INTENT | {"status": status}).outcome.verdict is verdict


def test_a_refused_card_is_an_attempt_and_no_end() -> None:
    error = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "Not enough."}
    failed = INTENT | {"status": "requires_payment_method", "amount_received": 0, "last_payment_error": error}
    outcome = notice("payment_intent.payment_failed", failed).outcome
    assert outcome.verdict is Verdict.PENDING
    assert (outcome.failure_code, outcome.failure_message) == ("insufficient_funds", "Not enough.")
    assert Reference.STRIPE_CHARGE not in outcome.references


@pytest.mark.parametrize("kind", ["refund.created", "charge.refund.updated", "charge.dispute.created"])
@pytest.mark.parametrize("found", [{"id": "re_1"}, {"id": "re_1", "amount": 5, "currency": "xyz"}, {"amount": 5}])
def test_money_whose_amount_or_name_cannot_be_read_is_kept_for_later(kind: str, found: dict[str, Any]) -> None:
    assert isinstance(reading(kind, found), Postponed)


@pytest.mark.parametrize("kind", ["charge.refunded", "payout.paid"])
def test_what_is_read_in_another_way_is_ignored_with_that_reason(kind: str) -> None:
    ignored = reading(kind, {"id": "re_1"})
    assert isinstance(ignored, Ignored)
    assert ignored.reason != "the event type concerns no payment"


@pytest.mark.parametrize(
    "kind", ["customer.created", "charge.succeeded", "invoice.paid", "checkout.session.completed2"]
)
def test_a_type_that_concerns_no_payment_is_ignored_with_its_reason(kind: str) -> None:
    assert reading(kind, {}) == Ignored(key="evt_1", kind=kind, reason="the event type concerns no payment")


@pytest.mark.parametrize("livemode", [True, None, 0, "false", "no"])
def test_an_event_of_the_other_mode_is_ignored(livemode: object) -> None:
    assert isinstance(reading("checkout.session.completed", SESSION, livemode=livemode), Ignored)


def test_an_event_of_a_connected_account_is_ignored() -> None:
    assert isinstance(reading("checkout.session.completed", SESSION, account="acct_1"), Ignored)


@pytest.mark.parametrize(
    ("found", "ours"),
    [
        ({"metadata": {"payment_id": "pay_1"}, "client_reference_id": "pay_2"}, "pay_1"),
        # A payer writes it: it names whatever they like.
        ({"metadata": {}, "client_reference_id": "pay_2"}, None),
        ({"metadata": None, "client_reference_id": "pay_2"}, None),
        ({"metadata": {"payment_id": 7}}, None),
        ({"metadata": ["pay_1"]}, None),
        ({"client_reference_id": {"a": 1}}, None),
        ({"client_reference_id": "pay_\x00"}, None),
        ({}, None),
    ],
)
def test_our_own_id_is_read_where_it_was_put(found: dict[str, Any], ours: str | None) -> None:
    told = notice("checkout.session.completed", {"id": "cs_1", "status": "open", "payment_status": "unpaid"} | found)
    assert told.payment_id == ours


# What a hostile or future API could put anywhere: every JSON value, with the words that mean something among them.
words = st.sampled_from(
    [
        *(
            "id",
            "status",
            "payment_status",
            "payment_intent",
            "amount_total",
            "amount_received",
            "currency",
            "metadata",
        ),
        *("payment_id", "client_reference_id", "livemode", "last_payment_error", "code", "decline_code", "message"),
        *("latest_charge", "paid", "unpaid", "complete", "open", "expired", "succeeded", "canceled", "usd", "cs_1"),
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | words | st.just("pay_\x00\ud800")
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(), inner, max_size=6)
)
objects = st.dictionaries(words | st.text(), anything, max_size=12)


def is_storable(value: object) -> bool:
    # What psycopg would say: text without NUL that has a UTF-8 form.
    return value is None or (isinstance(value, str) and "\0" not in value and bool(value.encode()))


def read_signed(body: str) -> ParsedNotice:
    header = WebhookSignature.generate_signature_header(body, SECRET, int(NOW.timestamp()))
    raw = RawNotice(body=body.encode(), headers={"stripe-signature": header}, received_at=NOW)
    read = read_notice(PROVIDER, raw)
    assert not isinstance(read, Hint)
    return read


@given(st.sampled_from(PAYMENT_KINDS), objects)
@example("payment_intent.succeeded", {"status": "succeeded", "amount_received": 10**4000, "currency": "usd"})
@example("payment_intent.succeeded", {"status": "succeeded", "amount_received": -1, "currency": "kwd"})
@example("payment_intent.succeeded", {"status": "succeeded", "amount_received": 1e308, "currency": "usd"})
@example("payment_intent.succeeded", INTENT | {"latest_charge": {"id": ["ch_1"]}})
@example("checkout.session.completed", SESSION | {"payment_intent": {"id": {}, "last_payment_error": "no"}})
def test_a_signed_event_about_anything_is_read_into_words_that_we_can_store(kind: str, found: dict[str, Any]) -> None:
    told = read_signed(json.dumps(event(kind, found)))
    assert isinstance(told, Notice)
    outcome = told.outcome
    texts = [told.payment_id, outcome.failure_code, outcome.failure_message]
    assert all(is_storable(value) for value in [*texts, *told.references.values(), *outcome.references.values()])
    assert outcome.live_mode in (None, True, False)
    assert outcome.verdict is not Verdict.PAID or str(outcome.money)


@given(objects)
def test_a_signed_object_of_any_shape_is_read_or_refused_by_our_own_errors(body: dict[str, Any]) -> None:
    try:
        told = read_signed(json.dumps(event("payment_intent.succeeded", INTENT) | body))
    except (NoticeMalformed, BadSignature):
        return
    assert is_storable(told.key)
    assert is_storable(told.kind)


@given(anything)
def test_any_signed_json_is_read_or_refused_by_our_own_errors(body: object) -> None:
    with pytest.raises(NoticeMalformed):
        read_signed(json.dumps(body))


@given(st.sampled_from(PAYMENT_KINDS), objects)
def test_a_stored_event_is_read_as_it_was_when_it_came(kind: str, found: dict[str, Any]) -> None:
    body = json.dumps(event(kind, found))
    stored, came = PROVIDER.parse_stored(body.encode()), read_signed(body)
    assert repr(stored) == repr(came)
