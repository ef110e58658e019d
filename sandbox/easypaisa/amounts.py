"""Rupees on the wire, paisa inside."""

import re
from decimal import Decimal

# REST: always two decimals.
_REST = re.compile(r"(0|[1-9][0-9]{0,8})\.[0-9]{2}")
# The hosted page: one decimal, and a second one only where it says something.
_HOSTED = re.compile(r"(0|[1-9][0-9]{0,8})\.([0-9]|[0-9][1-9])")


def paisa_of_rest(text: str) -> int | None:
    """Return the paisa of an amount like `1250.50`, or nothing when it is none above zero."""
    return _paisa(_REST, text)


def paisa_of_hosted(text: str) -> int | None:
    """Return the paisa of an amount like `1250.5`, or nothing when it is none above zero."""
    return _paisa(_HOSTED, text)


def json_number(paisa: int) -> int | float:
    """Return rupees as the number the gateway's JSON carries.

    The shortest text of a float with two decimals and less than thirteen digits is those digits, so nothing is
    lost on the way to the wire; nothing is ever computed with it.
    """
    whole, rest = divmod(paisa, 100)
    return whole if rest == 0 else float(f"{whole}.{rest:02}")


def _paisa(shape: re.Pattern[str], text: str) -> int | None:
    if not shape.fullmatch(text):
        return None
    return int(Decimal(text) * 100) or None
