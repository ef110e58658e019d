"""Numbers that people paste: the digits of any script, and what stands between them or cannot be seen."""

import unicodedata

# Full stops of English and Urdu, a slash and a minus sign, as people group a number's digits with.
_BETWEEN = frozenset("().\u06d4/\u2212")
# Spaces of every width, dashes of every length, and marks that turn text around or join it and cannot be seen.
_SPACES_DASHES_AND_UNSEEN = frozenset({"Zs", "Pd", "Cf"})


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
