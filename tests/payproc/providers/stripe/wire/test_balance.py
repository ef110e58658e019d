from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.settlement import LineKind, SettlementLine
from payproc.providers.stripe.wire import balance

CREATED = 1_790_000_000
LINE: dict[str, Any] = {
    "id": "txn_1",
    "object": "balance_transaction",
    "type": "charge",
    "reporting_category": "charge",
    "amount": 1999,
    "fee": 88,
    "net": 1911,
    "currency": "usd",
    "source": "ch_1",
    "description": "Two chairs",
    "exchange_rate": None,
    "created": CREATED,
}


def read(**changes: Any) -> SettlementLine:
    found = balance.line(LINE | changes)
    assert found is not None
    return found


def test_a_line_is_read_whole() -> None:
    assert balance.line(LINE) == SettlementLine(
        id="txn_1",
        kind=LineKind.CHARGE,
        category="charge",
        currency="usd",
        gross=1999,
        fee=88,
        net=1911,
        source="ch_1",
        created_at=datetime.fromtimestamp(CREATED, UTC),
        description="Two chairs",
    )


@pytest.mark.parametrize(
    "source", [{"id": "ch_1", "payment_intent": "pi_1"}, {"id": "ch_1", "payment_intent": {"id": "pi_1"}}]
)
def test_a_source_that_is_shown_names_its_payment(source: dict[str, Any]) -> None:
    found = read(source=source)
    assert (found.source, found.payment_source) == ("ch_1", "pi_1")
    assert read(source={"id": "po_1"}).payment_source is None


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("charge", LineKind.CHARGE),
        ("refund", LineKind.REFUND),
        ("partial_capture_reversal", LineKind.REFUND),
        ("refund_failure", LineKind.REFUND_FAILURE),
        ("charge_failure", LineKind.CHARGE_FAILURE),
        ("dispute", LineKind.DISPUTE),
        ("dispute_reversal", LineKind.DISPUTE),
        ("fee", LineKind.FEE),
        ("payout", LineKind.PAYOUT),
        ("payout_reversal", LineKind.PAYOUT),
        ("a_new_category", LineKind.OTHER),
    ],
)
def test_a_line_is_of_the_kind_its_category_says(category: str, kind: LineKind) -> None:
    # The type is the same for a dispute and its end; it never decides where there is a category.
    found = read(reporting_category=category, type="adjustment")
    assert (found.kind, found.category) == (kind, category)


def test_without_a_category_the_type_decides() -> None:
    assert read(reporting_category=None, type="refund").kind is LineKind.REFUND
    assert read(reporting_category=None, type=None).kind is LineKind.OTHER


@given(gross=st.integers(), fee=st.integers(), off=st.integers())
def test_only_a_line_that_adds_up_is_one(gross: int, fee: int, off: int) -> None:
    found = balance.line(LINE | {"amount": gross, "fee": fee, "net": gross - fee + off})
    assert (found is not None) is (off == 0)


@pytest.mark.parametrize("name", ["id", "amount", "fee", "net", "currency", "created"])
@pytest.mark.parametrize("value", [None, "", True, 1.5, [], {}])
def test_a_line_that_lacks_something_is_none(name: str, value: object) -> None:
    assert balance.line(LINE | {name: value}) is None
    assert balance.line({other: LINE[other] for other in LINE if other != name}) is None


@pytest.mark.parametrize("currency", ["xyz", "usdc", "USD", "\0"])
def test_a_line_in_a_currency_that_cannot_be_booked_is_none(currency: str) -> None:
    assert balance.line(LINE | {"currency": currency}) is None


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        (1.080001, Decimal("1.080001")),
        (0.1, Decimal("0.1")),
        (278, Decimal(278)),
        ("1.234", Decimal("1.234")),
        (None, None),
        ("dear", None),
        ({}, None),
    ],
)
def test_a_rate_is_what_stripe_wrote_and_no_float(told: object, rate: Decimal | None) -> None:
    found = read(exchange_rate=told).exchange_rate
    assert found == rate
    assert found is None or isinstance(found, Decimal)


@pytest.mark.parametrize(
    ("source", "named"), [("re_1", "re_1"), ({"id": "re_1", "object": "refund"}, "re_1"), (None, None), ({}, None)]
)
def test_what_moved_it_is_named_or_shown_or_neither(source: object, named: str | None) -> None:
    assert read(source=source).source == named


@pytest.mark.parametrize("listed", [None, {}, "txn_1", 7])
def test_what_lists_no_lines_has_none(listed: object) -> None:
    assert balance.lines(listed) == ()


def test_of_listed_lines_those_that_can_be_read_are() -> None:
    listed = [LINE, "txn_9", None, LINE | {"net": 0}, LINE | {"id": "txn_2"}]
    assert [found.id for found in balance.lines(listed)] == ["txn_1", "txn_2"]
