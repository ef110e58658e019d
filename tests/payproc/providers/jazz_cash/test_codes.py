import pytest

from payproc.providers.answers import Verdict
from payproc.providers.jazz_cash import codes
from payproc.providers.jazz_cash.codes import PAID_AT_ONCE, PAID_LATER, Meaning, meaning, meaning_when_asked, verdict

LISTED = [
    (Verdict.PENDING, "124 157 210 013"),
    (Verdict.CANCELLED, "112 410 412"),
    (Verdict.EXPIRED, "116 129 113"),
    (Verdict.REVERSED, "131 122"),
    (
        Verdict.DECLINED,
        """001 002 003 004 014 015 016 024 059 060 063 066 067 095 102 103 104 105 106 107 108 117 156 402 404 405
        408 409 411 414 415 416 419 421 422 423 424 425 426 453 459 922 923 925 926 929""",
    ),
    (Verdict.UNKNOWN, "055 062 199 401 406 407 417 429 430 431 432 999 200"),
    (Verdict.UNKNOWN, "101 109 110 111 115 118 127 119 132 451 452 454 455 120 125 126 128 433 450 T01 1 00 0000"),
]
CASES = [(code, wanted) for wanted, listed in LISTED for code in listed.split()]


@pytest.mark.parametrize(("code", "wanted"), CASES)
@pytest.mark.parametrize("paid", [PAID_AT_ONCE, PAID_LATER])
def test_a_code_means_what_the_table_says(code: str, wanted: Verdict, paid: frozenset[str]) -> None:
    assert verdict(meaning(code, paid=paid)) is wanted


def test_paid_is_000_at_once_and_121_only_later() -> None:
    assert meaning("000", paid=PAID_AT_ONCE) is Meaning.PAID
    assert meaning("000", paid=PAID_LATER) is Meaning.PAID
    assert meaning("121", paid=PAID_LATER) is Meaning.PAID
    assert meaning("121", paid=PAID_AT_ONCE) is Meaning.UNKNOWN


def test_no_other_code_is_paid() -> None:
    every = [f"{number:03}" for number in range(1000)]
    assert [code for code in every if meaning(code, paid=PAID_LATER) is Meaning.PAID] == ["000", "121"]
    assert [code for code in every if meaning(code, paid=PAID_AT_ONCE) is Meaning.PAID] == ["000"]
    assert [code for code in every if meaning_when_asked(code) is Meaning.PAID] == ["000", "121"]


@pytest.mark.parametrize("code", ["058", "134", "403"])
def test_some_ends_count_only_when_an_inquiry_repeats_them(code: str) -> None:
    assert meaning(code, paid=PAID_LATER) is Meaning.UNKNOWN
    assert meaning_when_asked(code) is Meaning.EXPIRED


@pytest.mark.parametrize("code", [None, "", "PAID", "000 ", "\u0660\u0660\u0660"])
def test_what_is_no_code_is_not_known(code: str | None) -> None:
    assert meaning(code, paid=PAID_LATER) is Meaning.UNKNOWN


def test_no_code_is_listed_twice() -> None:
    listed = [code for found in codes._LISTED.values() for code in found.split()]  # noqa: SLF001 (the table itself)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("found", Meaning)
def test_every_meaning_has_a_verdict(found: Meaning) -> None:
    assert verdict(found) in Verdict
