from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import CURRENCIES, LARGEST_MINOR, Currency, Money, currency, parse_major, parse_minor
from payproc.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "code", "minor"),
    [
        ("19.99", "usd", 1999),
        ("1136.10", "usd", 113610),
        ("0.29", "pkr", 29),
        ("1.15", "usd", 115),
        ("4.35", "usd", 435),
        ("8.2", "usd", 820),
        ("64.1", "usd", 6410),
        ("500", "jpy", 500),
        ("5.120", "kwd", 5120),
        ("5", "isk", 500),
        ("5", "ugx", 500),
        ("1045", "huf", 104500),
        ("500.00", "jpy", 500),
        ("19.990000", "usd", 1999),
    ],
)
def test_an_amount_in_major_units_becomes_exact_minor_units(text: str, code: str, minor: int) -> None:
    assert parse_major(text, code).amount_minor == minor


@pytest.mark.parametrize(
    ("text", "code"),
    [("5.124", "kwd"), ("5.5", "ugx"), ("5.01", "isk"), ("0.5", "jpy"), ("19.999", "usd"), ("5.1201", "kwd")],
)
def test_more_precision_than_the_currency_has_is_refused_and_never_rounded(text: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_major(text, code)
    assert refused.value.code == "amount_too_precise"
    assert refused.value.field == "amount"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1e3",
            "1E3",
            "1_000",
            "\u0661\u0662",
            "\uff11\uff12",
            "NaN",
            "nan",
            "inf",
            "Infinity",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1\n",
            "1.",
        ),
        *(".5", "", ".", "1,000", "1.2.3", "0x10", "1.1234567", "1" * 16, "\u0663.\u0665", "12.\u0663", "$5"),
    ],
)
def test_anything_but_ascii_digits_and_one_point_is_no_amount(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_major(text, "usd")
    assert refused.value.code == "amount_invalid"


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_refused_for_it(text: str) -> None:
    try:
        money = parse_major(text, "usd")
    except InvalidRequest:
        return
    assert money.major == Decimal(text)


@pytest.mark.parametrize(
    ("minor", "code", "reason"),
    [
        (0, "usd", "amount_not_positive"),
        (-1, "usd", "amount_not_positive"),
        (49, "usd", "amount_too_small"),
        (17499, "huf", "amount_too_small"),
        (LARGEST_MINOR + 1, "usd", "amount_too_large"),
        (5124, "kwd", "amount_too_precise"),
        (550, "ugx", "amount_too_precise"),
    ],
)
def test_an_amount_out_of_bounds_is_refused_by_name(minor: int, code: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_minor(minor, code)
    assert refused.value.code == reason


@pytest.mark.parametrize(("minor", "code"), [(50, "usd"), (LARGEST_MINOR, "usd"), (1, "pkr"), (30, "gbp"), (10, "kwd")])
def test_the_bounds_themselves_are_allowed(minor: int, code: str) -> None:
    assert parse_minor(minor, code).amount_minor == minor


@pytest.mark.parametrize("code", ["", "us", "usdd", "xyz", "US D", "\uff35\uff33\uff24", "\u0130sk"])
def test_a_currency_outside_the_table_is_refused(code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        currency(code)
    assert refused.value.code == "currency_unsupported"
    assert refused.value.field == "currency"


def test_a_currency_is_known_in_either_case() -> None:
    assert currency("PKR") is currency("pkr")


def test_the_groups_of_the_table_are_stripes_and_not_the_iso_standards() -> None:
    exponents = {code: unit.exponent for code, unit in CURRENCIES.items() if unit.exponent != 2}
    zero = ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"]
    three = ["bhd", "jod", "kwd", "omr", "tnd"]
    assert exponents == dict.fromkeys(zero, 0) | dict.fromkeys(three, 3)
    assert {code: unit.step for code, unit in CURRENCIES.items() if unit.step != 1} == (
        dict.fromkeys(["isk", "ugx"], 100) | dict.fromkeys(three, 10)
    )


amounts = st.integers(min_value=0, max_value=LARGEST_MINOR)
units = st.sampled_from(sorted(CURRENCIES.values(), key=lambda unit: unit.code))


@given(units, amounts)
def test_what_is_written_in_major_units_reads_back_the_same(unit: Currency, amount: int) -> None:
    charge = max(amount - amount % unit.step, unit.least + -unit.least % unit.step)
    money = parse_minor(charge, unit.code)
    assert parse_major(str(money.major), unit.code) == money
    assert parse_major(str(money).partition(" ")[0].replace(",", ""), unit.code) == money


@given(units, st.integers(), st.integers())
def test_sums_of_one_currency_are_exact(unit: Currency, one: int, other: int) -> None:
    first, second = Money(amount_minor=one, currency=unit), Money(amount_minor=other, currency=unit)
    assert (first + second).amount_minor == one + other
    assert first + second - second == first


@given(units, st.integers(min_value=-(10**27), max_value=10**27))
def test_money_is_shown_to_the_last_digit_however_much_it_is(unit: Currency, amount: int) -> None:
    shown, _, code = str(Money(amount_minor=amount, currency=unit)).partition(" ")
    assert code == unit.code.upper()
    assert int(shown.replace(",", "").replace(".", "")) == amount


def test_two_currencies_do_not_mix() -> None:
    with pytest.raises(TypeError, match="usd and pkr do not mix"):
        Money.of(1, "usd") + Money.of(1, "pkr")
    with pytest.raises(TypeError):
        Money.of(1, "usd") - Money.of(1, "pkr")


def test_money_is_shown_with_its_currencys_decimals() -> None:
    assert str(Money.of(123456, "pkr")) == "1,234.56 PKR"
    assert str(Money.of(500, "jpy")) == "500 JPY"
    assert str(Money.of(5120, "kwd")) == "5.120 KWD"
