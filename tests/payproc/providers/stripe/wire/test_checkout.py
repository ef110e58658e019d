from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.providers.answers import Redirect, Verdict
from payproc.providers.requests import Customer, StartRequest
from payproc.providers.stripe.wire import checkout

REQUEST = StartRequest(
    payment_id="pay_1",
    reference="PABC",
    dialect="checkout",
    created_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    money=Money.of(1999, "usd"),
    description="Two chairs",
    customer=Customer(user_id="usr_1", email="amina@example.com", name="Amina", provider_id="cus_1"),
    success_url="https://shop.pk/thanks",
    cancel_url="https://shop.pk/cart",
    order_id="ord_1",
)


def session(status: str | None, payment_status: str | None, intent: str | None, **changes: Any) -> dict[str, Any]:
    expanded = None if intent is None else {"id": "pi_1", "status": intent, "latest_charge": "ch_1"}
    made = {"id": "cs_1", "status": status, "payment_status": payment_status, "payment_intent": expanded}
    return made | {"amount_total": 1999, "currency": "usd", "livemode": False} | changes


# By `status` and `payment_status` of "The Checkout Session object" (API reference, November 2026), and its intent's.
DECISIONS = [
    ("open", "unpaid", None, Verdict.PENDING),
    ("open", "unpaid", "requires_payment_method", Verdict.PENDING),
    ("open", "unpaid", "requires_confirmation", Verdict.PENDING),
    ("open", "unpaid", "requires_action", Verdict.PENDING),
    ("complete", "paid", "succeeded", Verdict.PAID),
    ("complete", "paid", None, Verdict.PAID),
    ("complete", "no_payment_required", None, Verdict.UNKNOWN),
    ("complete", "unpaid", "processing", Verdict.PROCESSING),
    ("complete", "unpaid", None, Verdict.PROCESSING),
    ("complete", "unpaid", "requires_payment_method", Verdict.DECLINED),
    ("complete", "unpaid", "canceled", Verdict.DECLINED),
    ("expired", "unpaid", None, Verdict.EXPIRED),
    ("expired", "unpaid", "canceled", Verdict.EXPIRED),
    ("expired", "unpaid", "requires_payment_method", Verdict.EXPIRED),
    ("expired", "unpaid", "succeeded", Verdict.PAID),
    ("expired", "paid", None, Verdict.PAID),
    ("open", "paid", None, Verdict.PAID),
    ("a_new_status", "unpaid", None, Verdict.UNKNOWN),
    ("complete", "a_new_status", None, Verdict.UNKNOWN),
    (None, None, None, Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("status", "payment_status", "intent", "verdict"), DECISIONS)
def test_a_session_means_what_the_decision_table_says(
    status: str | None, payment_status: str | None, intent: str | None, verdict: Verdict
) -> None:
    assert checkout.session_outcome(session(status, payment_status, intent)).verdict is verdict


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_total": None},
        {"amount_total": "1999"},
        {"amount_total": 19.99},
        {"amount_total": True},
        {"currency": None},
        {"currency": "xyz"},
        {"currency": 7},
    ],
)
def test_paid_without_an_amount_we_can_read_is_not_known_to_be_paid(changes: dict[str, Any]) -> None:
    assert checkout.session_outcome(session("complete", "paid", None, **changes)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("intent", ["requires_payment_method", "canceled"])
def test_the_charge_of_a_failed_try_is_not_the_payments(intent: str) -> None:
    found = checkout.session_outcome(session("complete", "unpaid", intent)).references
    assert found == {Reference.STRIPE_SESSION: "cs_1", Reference.STRIPE_PAYMENT_INTENT: "pi_1"}


@pytest.mark.parametrize(("paid", "intent"), [("paid", "succeeded"), ("unpaid", "processing")])
def test_the_charge_that_paid_or_that_the_bank_is_still_at_is(paid: str, intent: str) -> None:
    assert checkout.session_outcome(session("complete", paid, intent)).references == {
        Reference.STRIPE_SESSION: "cs_1",
        Reference.STRIPE_PAYMENT_INTENT: "pi_1",
        Reference.STRIPE_CHARGE: "ch_1",
    }


def test_a_decline_says_why() -> None:
    intent = {"id": "pi_1", "status": "canceled", "last_payment_error": {"code": "bank_declined", "message": "No."}}
    outcome = checkout.session_outcome(session("complete", "unpaid", None, payment_intent=intent))
    assert (outcome.failure_code, outcome.failure_message) == ("bank_declined", "No.")


def test_our_names_travel_on_the_session_and_on_its_intent() -> None:
    words = checkout.session_parameters(REQUEST)
    metadata = {"payment_id": "pay_1", "reference": "PABC", "user_id": "usr_1", "order_id": "ord_1"}
    assert words["metadata"] == metadata
    assert words["payment_intent_data"] == {"metadata": metadata}
    assert words["client_reference_id"] == "pay_1"


def test_the_session_is_asked_for_in_exactly_these_words() -> None:
    words = checkout.session_parameters(REQUEST)
    assert "payment_method_types" not in words
    assert set(words) == {
        *("mode", "client_reference_id", "customer", "line_items", "success_url", "cancel_url", "metadata"),
        "payment_intent_data",
    }
    price = {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Two chairs"}}
    assert words["line_items"] == [{"price_data": price, "quantity": 1}]
    assert (words["mode"], words["customer"]) == ("payment", "cus_1")


def test_the_same_request_is_always_the_same_words() -> None:
    assert checkout.session_parameters(REQUEST) == checkout.session_parameters(REQUEST)


@pytest.mark.parametrize(
    ("name", "email", "said"),
    [
        ("Amina " * 60, "amina@example.com", {"name": ("Amina " * 42).strip(), "email": "amina@example.com"}),
        ("A" * 328, "amina@example.com", {"name": "A" * 256, "email": "amina@example.com"}),
        (" ", "amina@example.com", {"email": "amina@example.com"}),
        *(
            ("Amina", email, {"name": "Amina"})
            for email in ("", "amina@localhost", "آمنہ@example.com", "a..b@example.com", f"{'a' * 512}@example.com")
        ),
    ],
)
def test_a_customers_words_fit_what_stripe_takes_or_are_left_out(name: str, email: str, said: dict[str, str]) -> None:
    words = checkout.customer_parameters(Customer(user_id="usr_1", email=email, name=name))
    assert words == said | {"metadata": {"user_id": "usr_1"}}


def test_a_customer_carries_our_id() -> None:
    assert checkout.customer_parameters(REQUEST.customer) == {
        "email": "amina@example.com",
        "name": "Amina",
        "metadata": {"user_id": "usr_1"},
    }


def test_a_started_session_gives_the_address_and_its_end() -> None:
    started = checkout.start_result(session("open", "unpaid", None, url="https://pay/cs_1", expires_at=1_790_000_000))
    assert started.next_action == Redirect(url="https://pay/cs_1")
    assert started.expires_at is not None
    assert started.expires_at.timestamp() == 1_790_000_000
    assert started.references == {Reference.STRIPE_SESSION: "cs_1"}


@given(st.text())
def test_a_text_is_passed_on_unless_the_database_could_not_hold_it(text: str) -> None:
    kept = checkout.text(text)
    assert kept in (None, text)
    assert kept is not None or text == "" or "\0" in text


@pytest.mark.parametrize("value", [None, "", 0, 1, True, [], {}, ["a"], "\0", "a\ud800", "\udfff"])
def test_what_is_no_text_is_none(value: object) -> None:
    assert checkout.text(value) is None
