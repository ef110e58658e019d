from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.money import LARGEST_MINOR, Money
from payproc.providers.jazz_cash import values

moments = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the bounds of aware times must be naive)


@given(st.integers(1, LARGEST_MINOR), st.integers(0, 4))
def test_an_amount_is_read_as_it_was_written_with_or_without_leading_zeros(amount: int, zeros: int) -> None:
    money = Money.of(amount, "pkr")
    assert values.paisa(money) == str(amount)
    assert values.money_of("0" * zeros + values.paisa(money)) == money


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "1.0",
        "1,000",
        "-1",
        "+1",
        "1e3",
        "1_0",
        " 1",
        "1 ",
        "1\n",
        "\u0661\u0662\u0663",
        "\uff11",
        "0x1",
        "1" * 13,
        100,
        1.0,
        True,
    ],
)
def test_what_is_no_plain_number_is_no_amount(value: object) -> None:
    assert values.money_of(value) is None


@pytest.mark.parametrize("code", [None, "", "XYZ", 7, [], "PK"])
def test_an_amount_of_no_currency_is_none(code: object) -> None:
    assert values.money_of("100", code) is None


def test_another_currency_is_told_and_not_taken_for_rupees() -> None:
    assert values.money_of("100", "USD") == Money.of(100, "usd")
    with pytest.raises(ValueError, match="PKR is needed"):
        values.paisa(Money.of(100, "usd"))


def test_times_are_pakistans_across_midnight() -> None:
    assert values.local_stamp(datetime(2026, 12, 31, 19, 30, tzinfo=UTC)) == "20270101003000"
    assert values.local_stamp(datetime(2026, 9, 1, 12, tzinfo=timezone(timedelta(hours=5)))) == "20260901120000"
    assert values.utc_stamp(datetime(2026, 9, 1, 12, tzinfo=timezone(timedelta(hours=5)))) == "20260901070000"


@given(moments)
def test_a_time_is_read_as_it_was_written(moment: datetime) -> None:
    assert values.moment_of(values.local_stamp(moment)) == moment.replace(microsecond=0)


@given(st.text())
def test_a_description_is_never_empty_and_always_signable(text: str) -> None:
    kept = values.description(text, reference="P1")
    assert 0 < len(kept) <= 200
    assert values.is_plain(kept)
    assert not set(kept) & set("<>\\*=%/:'|\"{}&")
    assert kept == " ".join(kept.split())
    assert values.description(kept, reference="P1") == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Two chairs", "Two chairs"),
        ("Tea & cake: 50% off", "Tea cake 50 off"),
        ("Café <b>", "Caf b"),
        ("دو کرسیاں", "Payment P1"),
        ("دو کرسیاں 121", "Payment P1"),
        ("121", "Payment P1"),
        ("", "Payment P1"),
        ("&&&", "Payment P1"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_description_keeps_what_the_gateway_leaves_alone(text: str, kept: str) -> None:
    assert values.description(text, reference="P1") == kept


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Transaction is Pending", "Transaction is Pending"),
        ("Wallet 03001234567 has no money", "Wallet *** has no money"),
        ("0300-1234567, 42101 1234567 8", "***, ***"),
        ("\u0660\u0663\u0660\u0660\u0661\u0662\u0663", "***"),
        ("a\x00b\ud800\n\tc", "a b c"),
        ("Rs 1250 on 01.09.", "Rs 1250 on 01.09."),
        ("w" * 300, "w" * 200),
        ("", None),
        (" \n", None),
        (None, None),
        (7, None),
        (["a"], None),
    ],
)
def test_the_gateways_sentence_is_kept_without_anybodys_number(said: object, kept: str | None) -> None:
    assert values.message_of(said) == kept


@given(st.text(st.characters() | st.sampled_from("0123456789 -")))
def test_no_long_number_and_nothing_unprintable_is_left_in_a_sentence(said: str) -> None:
    kept = values.message_of(said) or ""
    assert kept.isprintable()
    assert len(kept) <= 200
    assert kept.encode().decode() == kept
    runs = "".join(letter if letter.isdecimal() else " " for letter in kept).split()
    assert all(len(run) < 6 for run in runs)


@pytest.mark.parametrize(
    "value", [None, "", "P 1", "P-1", "P" * 21, "P1\n", "\u067e", "\u0661", 7, [], {}, "IPN received successfully"]
)
def test_what_cannot_be_a_reference_is_none(value: object) -> None:
    assert values.reference_of(value) is None


def test_codes_and_receipts_are_short_words() -> None:
    assert values.code_of("T01") == "T01"
    assert values.receipt_of("240418718258") == "240418718258"
    assert [values.code_of(value) for value in ("", "0 0", "0" * 11, None, 0)] == [None] * 5
    assert [values.receipt_of(value) for value in ("", "1;2", "1" * 65, None, 1)] == [None] * 5
