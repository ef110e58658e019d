"""Stripe's pages, read without a socket."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.errors import ProviderUnavailable
from payproc.providers.answers import Verdict
from payproc.providers.listing import PayoutStatus, Window
from payproc.providers.notices import Ignored
from payproc.providers.stripe import notices
from payproc.providers.stripe.wire import balance, pages

CREATED = 1_790_000_000
REPORTED_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "object": "payment_intent",
    "status": "succeeded",
    "amount": 1999,
    "amount_received": 1999,
    "currency": "usd",
    "latest_charge": {"id": "ch_1", "object": "charge"},
    "livemode": False,
    "created": CREATED,
    "metadata": {"payment_id": "pay_1", "reference": "PABC"},
}
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": CREATED,
    "livemode": False,
    "data": {"object": INTENT},
}
REFUND: dict[str, Any] = {"id": "re_1", "status": "succeeded", "amount": 500, "currency": "usd", "created": CREATED}
DISPUTE: dict[str, Any] = {"id": "du_1", "status": "needs_response", "amount": 1999, "currency": "usd"}
PAYOUT: dict[str, Any] = {
    "id": "po_1",
    "object": "payout",
    "amount": 1911,
    "currency": "usd",
    "automatic": True,
    "reconciliation_status": "completed",
    "status": "paid",
    "created": CREATED,
}
LINE: dict[str, Any] = {
    "id": "txn_1",
    "amount": 1999,
    "fee": 88,
    "net": 1911,
    "currency": "usd",
    "reporting_category": "charge",
    "type": "charge",
    "source": "ch_1",
    "created": CREATED,
    "exchange_rate": None,
}
READERS = {
    "event": (pages.event, EVENT),
    "payment": (pages.payment, INTENT),
    "refund": (pages.refund, REFUND),
    "dispute": (lambda found: pages.dispute(found, reported_at=REPORTED_AT), DISPUTE),
    "payout": (pages.payout, PAYOUT),
    "line": (balance.line, LINE),
}
STRANGE: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 10**30, 1.5, float("nan"), [], {}, "", "x", "\0", "\ud800", {"id": 7}]
)


def answer(*shown: Any, has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(shown), "has_more": has_more}


def window(begin: float, end: float) -> Window:
    return Window(begin=datetime.fromtimestamp(begin, UTC), end=datetime.fromtimestamp(end, UTC))


def test_a_page_is_asked_for_by_whole_seconds_and_by_the_last_id_of_the_one_before() -> None:
    first = {"limit": 100, "created": {"gte": CREATED, "lt": CREATED + 60}}
    assert pages.page_within(window(CREATED, CREATED + 60), cursor=None) == first
    assert pages.page_within(window(CREATED, CREATED + 60), cursor="pi_1") == first | {"starting_after": "pi_1"}


def test_windows_that_meet_within_a_second_leave_nothing_between_them() -> None:
    ends = [
        pages.page_within(window(CREATED + begin, CREATED + begin + 1), cursor=None)["created"]
        for begin in (0.5, 1.5, 2.5)
    ]
    assert [(each["gte"] - CREATED, each["lt"] - CREATED) for each in ends] == [(0, 1), (1, 2), (2, 3)]


def test_an_empty_cursor_is_refused() -> None:
    with pytest.raises(ValueError, match="cursor"):
        pages.page_after("")


def test_the_last_id_leads_on_only_where_more_follows() -> None:
    two = [INTENT | {"id": name} for name in ("pi_2", "pi_1")]
    assert pages.page(answer(*two, has_more=True), pages.payment).next_cursor == "pi_1"
    assert pages.page(answer(*two), pages.payment).next_cursor is None


def test_what_cannot_be_read_is_named_and_stops_nothing() -> None:
    nameless = {name: value for name, value in INTENT.items() if name != "id"}
    shown = [INTENT | {"id": "pi_9", "currency": "xyz"}, INTENT, nameless, None, "pi_8"]
    found = pages.page(answer(*shown, has_more=True), pages.payment)
    assert [item.provider_id for item in found.items] == ["pi_1"]
    assert [each.name for each in found.unreadable] == ["pi_9", *[pages.NAMELESS] * 3]
    assert [each.created_at is None for each in found.unreadable] == [False, False, True, True]
    assert found.next_cursor == "pi_1"


@pytest.mark.parametrize("shown", [[], [{}], [None]])
def test_a_page_that_leads_nowhere_is_asked_for_again(shown: list[Any]) -> None:
    with pytest.raises(ProviderUnavailable):
        pages.page(answer(*shown, has_more=True), pages.payment)


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_whatever_stands_in_a_field_no_reader_breaks(kind: str, data: st.DataObject) -> None:
    read, whole = READERS[kind]
    assert pages.page(answer(whole), read).unreadable == ()
    name = data.draw(st.sampled_from(sorted(whole)))
    found = pages.page(answer(whole | {name: data.draw(STRANGE)}), read)
    assert len(found.items) + len(found.unreadable) == 1


def test_an_event_is_kept_as_a_delivery_would_have_brought_it() -> None:
    found = pages.event(EVENT)
    assert found is not None
    assert (found.key, found.created_at.timestamp(), json.loads(found.body)) == ("evt_1", CREATED, EVENT)


@pytest.mark.parametrize("changes", [{"object": "v2.core.event"}, {"data": {}}, {"id": "x" * 300}, {"created": None}])
def test_an_event_that_no_delivery_could_bring_is_unreadable(changes: dict[str, Any]) -> None:
    assert pages.event(EVENT | changes) is None


def test_events_are_asked_for_that_we_read_and_no_more_than_stripe_takes() -> None:
    assert len(notices.KINDS) == len(set(notices.KINDS)) <= 20
    for kind in notices.KINDS:
        read = notices.read(EVENT | {"type": kind, "data": {"object": REFUND | DISPUTE}}, live_mode=False)
        assert not isinstance(read, Ignored), kind


def test_a_payment_says_what_it_is_whose_and_of_how_much() -> None:
    found = pages.payment(INTENT)
    assert found is not None
    assert (found.provider_id, found.payment_id, found.reference) == ("pi_1", "pay_1", "PABC")
    assert found.references == {Reference.STRIPE_PAYMENT_INTENT: "pi_1", Reference.STRIPE_CHARGE: "ch_1"}
    assert (found.outcome.verdict, found.outcome.money) == (Verdict.PAID, Money.of(1999, "usd"))
    assert found.outcome.live_mode is False


def test_a_payment_that_is_not_paid_is_read_too_and_its_failed_charge_is_not_its_own() -> None:
    found = pages.payment(INTENT | {"status": "requires_payment_method", "amount_received": 0, "metadata": {}})
    assert found is not None
    assert (found.outcome.verdict, found.outcome.money, found.payment_id) == (Verdict.PENDING, None, None)
    assert found.references == {Reference.STRIPE_PAYMENT_INTENT: "pi_1"}


def test_a_refund_and_a_dispute_without_an_amount_we_know_are_unreadable() -> None:
    assert pages.refund(REFUND | {"currency": "xyz"}) is None
    assert pages.dispute(DISPUTE | {"amount": None}, reported_at=REPORTED_AT) is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", PayoutStatus.PENDING),
        ("in_transit", PayoutStatus.PENDING),
        ("paid", PayoutStatus.PAID),
        ("failed", PayoutStatus.FAILED),
        ("canceled", PayoutStatus.FAILED),
        ("a_new_word", PayoutStatus.PENDING),
        (None, PayoutStatus.PENDING),
    ],
)
def test_a_payout_stands_as_its_status_says(word: str | None, status: PayoutStatus) -> None:
    found = pages.payout(PAYOUT | {"status": word})
    assert found is not None
    assert (found.status, found.money) == (status, Money.of(1911, "usd"))


@pytest.mark.parametrize(
    ("automatic", "reconciliation", "itemised"),
    [
        (True, "completed", True),
        (True, "in_progress", False),
        (True, None, False),
        (False, "not_applicable", False),
        (False, "completed", False),
        ("true", "completed", False),
    ],
)
def test_only_an_automatic_payout_that_was_reconciled_says_what_it_is_made_of(
    automatic: object, reconciliation: str | None, itemised: bool
) -> None:
    found = pages.payout(PAYOUT | {"automatic": automatic, "reconciliation_status": reconciliation})
    assert found is not None
    assert found.itemised is itemised


def test_a_payout_that_took_from_the_bank_is_below_zero() -> None:
    found = pages.payout(PAYOUT | {"amount": -500})
    assert found is not None
    assert found.money == Money.of(-500, "usd")


def test_a_line_that_does_not_add_up_or_cannot_be_booked_is_named() -> None:
    shown = [LINE, LINE | {"id": "txn_2", "net": 1912}, LINE | {"id": "txn_3", "currency": "xyz"}]
    found = pages.page(answer(*shown), balance.line)
    assert [line.id for line in found.items] == ["txn_1"]
    assert [each.name for each in found.unreadable] == ["txn_2", "txn_3"]


def test_a_rate_is_read_to_its_last_digit() -> None:
    found = balance.line(json.loads(json.dumps(LINE | {"exchange_rate": 1.080001})))
    assert found is not None
    assert found.exchange_rate == Decimal("1.080001")
