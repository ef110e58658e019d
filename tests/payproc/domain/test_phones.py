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


@pytest.mark.parametrize("text", ["٠٣٠٠١٢٣٤٥٦٧", "03001234567\n", "\u0660300123456", "0300_123_4567"])
def test_another_scripts_digits_and_python_s_own_spellings_are_no_number(text: str) -> None:
    with pytest.raises(InvalidRequest):
        normalised(text)


@given(digits)
def test_a_masked_number_shows_seven_digits_of_eleven(rest: str) -> None:
    shown = masked(f"03{rest}")
    assert (len(shown), shown.count("*")) == (11, 4)
