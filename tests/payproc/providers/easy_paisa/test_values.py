from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import LARGEST_MINOR, Money
from payproc.domain.references import Reference
from payproc.providers.easy_paisa import hosted, values
from payproc.providers.transport import strict_json

AMOUNTS = st.integers(min_value=1, max_value=LARGEST_MINOR).map(lambda paisa: Money.of(paisa, "pkr"))


@given(AMOUNTS)
def test_an_amount_comes_back_as_it_went_out(money: Money) -> None:
    assert values.rupees(values.rupees_text(money)) == money
    assert values.rupees(hosted.amount_text(money)) == money


@given(AMOUNTS)
def test_an_amount_comes_back_from_a_json_number(money: Money) -> None:
    read = strict_json.parsed_object(f'{{"transactionAmount": {values.rupees_text(money)}}}')
    assert values.rupees(read["transactionAmount"]) == money


@given(AMOUNTS)
def test_rupees_are_never_written_as_the_paisa_would_be(money: Money) -> None:
    assert values.rupees_text(money) != str(money.amount_minor)
    assert hosted.amount_text(money) != str(money.amount_minor)


@given(AMOUNTS)
def test_the_hosted_amount_has_a_second_decimal_only_where_it_needs_one(money: Money) -> None:
    decimals = hosted.amount_text(money).partition(".")[2]
    assert len(decimals) == (1 if money.amount_minor % 10 == 0 else 2)


@pytest.mark.parametrize(
    ("paisa", "rest", "page"),
    [(125050, "1250.50", "1250.5"), (1000, "10.00", "10.0"), (1, "0.01", "0.01"), (10005, "100.05", "100.05")],
)
def test_amounts_are_written_as_the_gateway_wants_them(paisa: int, rest: str, page: str) -> None:
    money = Money.of(paisa, "pkr")
    assert (values.rupees_text(money), hosted.amount_text(money)) == (rest, page)


@pytest.mark.parametrize(
    ("value", "paisa"),
    [
        (3000, 300000),
        (Decimal("1250.50"), 125050),
        (Decimal("1250.5"), 125050),
        (Decimal("1.25050E+3"), 125050),
        (Decimal("3E+3"), 300000),
        ("1250.50", 125050),
        ("1250", 125000),
        ("1250.5000", 125050),
    ],
)
def test_an_exact_amount_of_rupees_is_read(value: Any, paisa: int) -> None:
    assert values.rupees(value) == Money.of(paisa, "pkr")


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 1250.5, [], {}, ["1250.50"], "", " 1250.50", "1,250.50", "1250.505", "1e3", "-1", "+1"),
        *("NaN", "1250.50 PKR", "\u0661\u0662\u0665\u0660", "1_000", "0", 0, -3000, 10**30, 10**4000),
        *(Decimal("NaN"), Decimal("Infinity"), Decimal("-0.01"), Decimal("0.001"), Decimal("1250.505")),
        *(Decimal("1E+999999999999999"), Decimal("1E-999999"), Decimal("0E+999999"), Decimal("9" * 30)),
        # More digits than a decimal context keeps: it must not be rounded into an exact amount.
        Decimal("1250.50" + "0" * 40 + "1"),
    ],
)
def test_an_amount_that_is_not_exact_to_the_paisa_is_not_read(value: Any) -> None:
    assert values.rupees(value) is None


@pytest.mark.parametrize("value", [None, True, "125050", 1250.5, Decimal(125050), 0, -1, 10**30, []])
def test_paisa_are_a_whole_number_or_nothing(value: Any) -> None:
    assert values.paisa(value) is None
    assert values.paisa(125050) == Money.of(125050, "pkr")


def test_an_expiry_is_written_in_pakistans_time() -> None:
    assert values.pakistan_second(datetime(2026, 8, 31, 20, 30, 5, tzinfo=UTC)) == "20260901 013005"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("01/09/2026 01:30 AM", datetime(2026, 8, 31, 20, 30, tzinfo=UTC)),
        ("01/09/2026 12:00 PM", datetime(2026, 9, 1, 7, tzinfo=UTC)),
        ("01/09/2026 12:00 AM", datetime(2026, 8, 31, 19, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_pakistans(written: str, meant: datetime) -> None:
    assert values.pakistan_minute(written) == meant


@pytest.mark.parametrize(
    "value",
    [
        *(None, 0, "", "2026-09-01 13:30", "31/02/2026 01:30 AM", "01/09/2026 13:30 PM", "01/09/2026 00:30 AM"),
        *(
            "1/9/2026 1:30 AM",
            "\u0660\u0661/\u0660\u0669/\u0662\u0660\u0662\u0666 01:30 AM",
            "01/09/2026 01:30 am ",
            "01/01/0001 01:00 AM",
        ),
        *("00/00/0000 00:00 AM", "01/09/2026 01:30 AM\n"),
    ],
)
def test_a_time_that_is_none_is_not_read(value: Any) -> None:
    assert values.pakistan_minute(value) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Low balance", "Low balance"),
        ("  Low\r\n\tbalance \x00", "Low balance"),
        ("Wallet 03001234567 is closed", "Wallet *** is closed"),
        ("0300-1234567, 0300 123 4567", "***, ***"),
        ("CNIC 42101-1234567-8", "CNIC ***"),
        ("Limit is 25000", "Limit is 25000"),
        ("\u0631\u0642\u0645", None),
        ("", None),
        (7, None),
        (None, None),
    ],
)
def test_the_gateways_sentence_is_cleaned(said: Any, kept: str | None) -> None:
    assert values.message(said) == kept


@given(st.text() | st.integers(10**5, 10**20).map(str))
def test_no_sentence_is_long_or_has_a_long_number(said: str) -> None:
    kept = values.message(said * 5) or ""
    assert len(kept) <= 200
    assert kept.isascii()
    assert kept.isprintable()
    assert not any(kept[at : at + 6].isdigit() for at in range(len(kept)) if len(kept[at : at + 6]) == 6)


@pytest.mark.parametrize(("said", "kept"), [("EP-1.a_2", "EP-1.a_2"), (1234567890123, "1234567890123")])
def test_an_id_may_be_a_text_or_a_number(said: Any, kept: str) -> None:
    assert values.identifier(said) == kept
    assert values.references({"transactionId": said}) == {Reference.EASY_PAISA: kept}


@pytest.mark.parametrize("said", [None, "", " ", True, 1.5, [], {}, "a b", "a\0", "\ud800", "é", "a" * 65, "<script>"])
def test_what_is_no_id_is_left_out(said: Any) -> None:
    assert values.identifier(said) is None
    assert values.references({"transactionId": said}) == {}


@pytest.mark.parametrize("reply", [{}, {"orderId": None}, {"orderId": ""}, {"orderId": "A1"}, {"storeId": 28}])
def test_a_reply_that_leaves_a_name_out_names_nobody_else(reply: dict[str, Any]) -> None:
    assert not values.name_another(reply, {"orderId": "A1", "storeId": "28"})


@pytest.mark.parametrize("named", ["a1", "A1 ", 1, True, [], ["A1"], {}, 0])
def test_a_reply_with_another_name_does(named: Any) -> None:
    assert values.name_another({"orderId": named}, {"orderId": "A1"})
