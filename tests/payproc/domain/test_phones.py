import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.phones import masked, normalised
from payproc.errors import InvalidRequest

digits = st.text(alphabet="0123456789", min_size=9, max_size=9)


@given(digits, st.sampled_from(["03", "+923", "00923", "923", "3"]))
def test_every_spelling_of_a_number_is_one_number(rest: str, prefix: str) -> None:
    assert normalised(prefix + rest) == f"03{rest}"


@given(digits)
def test_what_people_put_between_digits_is_passed_over(rest: str) -> None:
    assert normalised(f"+92 (3{rest[:2]}) {rest[2:5]}-{rest[5:]}") == f"03{rest}"


@given(st.text(max_size=16))
def test_whatever_else_is_refused_or_is_eleven_ascii_digits(text: str) -> None:
    try:
        number = normalised(text)
    except InvalidRequest:
        return
    assert number.isascii()
    assert number.isdigit()
    assert len(number) == 11


@pytest.mark.parametrize(
    "text",
    [
        "\u2066+92 300 1234567\u2069",  # as a contact is copied out of text that runs from right to left
        "\u200e03001234567\u200e",
        "\ufeff0300\u00ad1234567",
        "0300\u00a0123\u202f4567",
        "+92 (0)300 1234567",
        "0092 (0) 300-1234567",
        "92 0300 1234567",
        "0300\u20111234567",
        "0300\u2013123\u22124567",
        "0300.123.4567",
        "0300/1234567",
        "\u06f0\u06f3\u06f0\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7",  # Urdu
        "+\u06f9\u06f2\u06f3\u06f0\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7",
        "\u0660\u0663\u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667",  # Arabic
        "\uff0b\uff19\uff12\uff13\uff10\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
        "\u0660300\u06f1234567",
        "03001234567\n",
        "\t03001234567 ",
    ],
)
def test_what_was_pasted_and_can_mean_one_number_only_is_that_number(text: str) -> None:
    assert normalised(text) == "03001234567"


@pytest.mark.parametrize(
    "text",
    [
        "\u0660300123456",
        "0300_123_4567",
        "0300\u00b9234567",  # a superscript is a footnote's
        "03001234567, 03007654321",
        "03001234567 ext 5",
        "+1 300 1234567",
        "+03001234567",
        "00303001234567",
        "0300\x001234567",
        "\u200e\u200f",
    ],
)
def test_what_may_mean_another_number_is_none(text: str) -> None:
    with pytest.raises(InvalidRequest):
        normalised(text)


@given(digits)
def test_a_masked_number_shows_seven_digits_of_eleven(rest: str) -> None:
    shown = masked(f"03{rest}")
    assert (len(shown), shown.count("*")) == (11, 4)
