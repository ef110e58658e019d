"""How text, times and numbers are read that somebody wrote, whoever hands them in."""

import re
import unicodedata
from datetime import datetime

from payproc.errors import InvalidRequest

# Control characters steer what reads them, and half a character (a surrogate, which JSON can write) is stored nowhere.
_LINE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")
# ISO 8601 with a day, an hour and a minute at least. A bare number could be a year, a day or seconds since 1970.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>Z|[+-]\d\d:\d\d)?", re.ASCII)

# Full stops of English and Urdu, a slash and a minus sign, as people group a number's digits with.
_BETWEEN = frozenset("().\u06d4/\u2212")
# Spaces of every width, dashes of every length, and marks that turn text around or join it and cannot be seen.
_SPACES_DASHES_AND_UNSEEN = frozenset({"Zs", "Pd", "Cf"})


def is_line(text: str) -> bool:
    """Tell whether this is one line of text that can be kept and shown."""
    return _LINE.fullmatch(text) is not None


def moment_of(text: str, *, name: str) -> datetime:
    """Return the time that `text` writes; `name` is what it was given as.

    Raises ValueError for what is no time of ISO 8601, and InvalidRequest for one without its offset: nobody can tell
    which noon that means.
    """
    found = _MOMENT.fullmatch(text.upper())
    if found is None:
        raise ValueError("must be a time such as 2026-01-31T23:59:59Z, with its offset")
    if found["offset"] is None:
        raise InvalidRequest(f"{name} needs its offset, such as Z or +05:00.", code="time_naive", field=name)
    return datetime.fromisoformat(found[0])


def digits_of(text: str) -> str:
    """Return a pasted number as ASCII digits; whatever is no part of a number stays where it was.

    For numbers without a fraction: a point between the digits is dropped.
    """
    return "".join(_digit(letter) for letter in text.strip() if not _is_passed_over(letter))


def _is_passed_over(letter: str) -> bool:
    return letter in _BETWEEN or unicodedata.category(letter) in _SPACES_DASHES_AND_UNSEEN


def _digit(letter: str) -> str:
    # Every script's digits have one value each; superscripts and circled numbers are no decimal digits.
    return str(unicodedata.decimal(letter)) if letter.isdecimal() else letter
