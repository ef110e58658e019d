from datetime import UTC, datetime
from typing import Any

import pytest

from payproc.domain.money import Money
from payproc.domain.references import Reference, References
from payproc.domain.settlement import RefundVerdict
from payproc.providers.requests import PaymentRef, RefundRequest
from payproc.providers.stripe.wire import refunds

CREATED = 1_790_000_000
REQUEST = RefundRequest(
    refund_id="ref_1",
    payment=PaymentRef(
        payment_id="pay_1",
        reference="PABC",
        references={Reference.STRIPE_SESSION: "cs_1", Reference.STRIPE_PAYMENT_INTENT: "pi_1"},
        dialect="checkout",
        money=Money.of(1999, "usd"),
        created_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    ),
    money=Money.of(500, "usd"),
)
REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "status": "succeeded",
    "amount": 500,
    "currency": "usd",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "metadata": {"refund_id": "ref_1", "payment_id": "pay_1", "reference": "PABC"},
    "reason": None,
    "created": CREATED,
}


def test_a_refund_is_asked_for_in_exactly_these_words() -> None:
    # Above all without a reason: one of its words puts the customer on a block list.
    assert refunds.parameters(REQUEST) == {
        "payment_intent": "pi_1",
        "amount": 500,
        "metadata": {"refund_id": "ref_1", "payment_id": "pay_1", "reference": "PABC"},
    }


# `status` of "The Refund object" (API reference, November 2026): a plain string, so that any other word may come.
@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("pending", RefundVerdict.PENDING),
        ("requires_action", RefundVerdict.PENDING),
        ("succeeded", RefundVerdict.SUCCEEDED),
        ("failed", RefundVerdict.FAILED),
        ("canceled", RefundVerdict.CANCELLED),
        ("a_new_status", RefundVerdict.UNKNOWN),
        ("", RefundVerdict.UNKNOWN),
        (None, RefundVerdict.UNKNOWN),
        (7, RefundVerdict.UNKNOWN),
        (["succeeded"], RefundVerdict.UNKNOWN),
    ],
)
def test_a_refund_means_what_its_status_says_and_no_other_word_ends_it(status: object, verdict: RefundVerdict) -> None:
    found = refunds.outcome(REFUND | {"status": status})
    assert (found.verdict, found.provider_id) == (verdict, "re_1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": "failed", "failure_reason": "expired_or_canceled_card"}, "expired_or_canceled_card"),
        ({"status": "failed", "failure_reason": "a_new_reason"}, "a_new_reason"),
        ({"status": "failed", "failure_reason": None}, "failed"),
        ({"status": "canceled"}, "canceled"),
        ({"status": "pending", "failure_reason": "insufficient_funds"}, None),
        ({"status": "succeeded"}, None),
    ],
)
def test_a_refund_that_came_to_nothing_says_why_in_one_word(changes: dict[str, Any], code: str | None) -> None:
    assert refunds.outcome(REFUND | changes).failure_code == code


def test_one_of_ours_is_known_by_what_we_wrote_on_it() -> None:
    found = refunds.remote(REFUND)
    assert found is not None
    assert (found.provider_id, found.refund_id, found.payment_id) == ("re_1", "ref_1", "pay_1")
    assert found.references == {Reference.STRIPE_PAYMENT_INTENT: "pi_1", Reference.STRIPE_CHARGE: "ch_1"}
    assert (found.money, found.outcome.verdict) == (Money.of(500, "usd"), RefundVerdict.SUCCEEDED)
    assert found.created_at == datetime.fromtimestamp(CREATED, UTC)


@pytest.mark.parametrize("written", [{}, None, [], "ref_1", {"refund_id": ""}, {"refund_id": 7}])
def test_one_of_the_dashboard_is_nobodys_and_has_its_payment_all_the_same(written: object) -> None:
    found = refunds.remote(REFUND | {"metadata": written, "reason": "requested_by_customer"})
    assert found is not None
    assert (found.refund_id, found.payment_id, found.reason) == (None, None, "requested_by_customer")
    assert found.references[Reference.STRIPE_PAYMENT_INTENT] == "pi_1"


@pytest.mark.parametrize(
    ("changes", "references"),
    [
        ({"charge": {"id": "ch_1"}, "payment_intent": {"id": "pi_1"}}, "both"),
        ({"payment_intent": None}, {Reference.STRIPE_CHARGE: "ch_1"}),
        ({"payment_intent": None, "charge": {}}, {}),
    ],
)
def test_its_payment_is_named_or_shown_or_neither(changes: dict[str, Any], references: References | str) -> None:
    both = {Reference.STRIPE_PAYMENT_INTENT: "pi_1", Reference.STRIPE_CHARGE: "ch_1"}
    found = refunds.remote(REFUND | changes)
    assert found is not None
    assert found.references == (both if references == "both" else references)


@pytest.mark.parametrize("changes", [{"amount": None}, {"amount": 5.0}, {"currency": "xyz"}, {"currency": None}])
def test_an_amount_we_cannot_read_is_none(changes: dict[str, Any]) -> None:
    found = refunds.remote(REFUND | changes)
    assert found is not None
    assert found.money is None


@pytest.mark.parametrize("found", [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": "re_\0"}])
def test_what_has_no_id_is_no_refund(found: dict[str, Any]) -> None:
    assert refunds.remote(found) is None


def test_a_refund_that_says_nothing_else_is_read() -> None:
    found = refunds.remote({"id": "re_1"})
    assert found is not None
    assert (found.money, found.created_at, found.references) == (None, None, {})
    assert found.outcome.verdict is RefundVerdict.UNKNOWN
