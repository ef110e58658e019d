from datetime import UTC, datetime

import pytest

from payproc.domain.languages import ENGLISH, URDU, Language
from payproc.domain.phrases import amount, as_text, code, phrase, words

EACH = pytest.mark.parametrize("language", [ENGLISH, URDU], ids=["en", "ur"])


@EACH
def test_a_year_has_twelve_months_and_a_day_24_hours(language: Language) -> None:
    assert (len(set(language.months)), len(language.day_parts)) == (12, 24)


@pytest.mark.parametrize(
    ("hour", "clock", "english", "urdu"),
    [
        (0, "12:05", "am", "رات"),
        (4, "4:05", "am", "صبح"),
        (12, "12:05", "pm", "دوپہر"),
        (16, "4:05", "pm", "شام"),
        (23, "11:05", "pm", "رات"),
    ],
)
def test_a_clock_of_twelve_hours_says_which_part_of_the_day_it_shows(
    hour: int, clock: str, english: str, urdu: str
) -> None:
    at = datetime(2026, 8, 24, hour, 5, tzinfo=UTC)
    for language, part in ((ENGLISH, english), (URDU, urdu)):
        written = language.moment("{part} {half_day_clock}", at, zone="UTC")
        assert as_text(written, "ltr") == as_text(phrase("{part} {clock}", part=words(part), clock=code(clock)), "ltr")


@EACH
def test_a_time_is_that_of_the_clocks_it_is_written_for(language: Language) -> None:
    at = datetime(2026, 12, 31, 19, 5, tzinfo=UTC)
    assert as_text(language.moment("{year} {day} {clock}", at, zone="UTC"), "ltr") == "2026 31 19:05"
    assert as_text(language.moment("{year} {day} {clock}", at, zone="Asia/Karachi"), "ltr") == "2027 1 00:05"


def test_in_a_sentence_to_the_left_each_value_keeps_its_own_direction() -> None:
    inner = phrase("{paid}، {name}", paid=amount("19.99 USD"), name=words("Amina"))
    assert as_text(phrase("رسید: {inner}", inner=inner), "rtl") == "رسید: \u206619.99 USD\u2069، \u2068Amina\u2069"


def test_a_value_is_never_read_as_a_sentence() -> None:
    assert as_text(phrase("{name}", name=words("{name} {0}")), "ltr") == "{name} {0}"
