"""How Easypaisa writes values: rupees on the wire and paisa inside, and Pakistan's time."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from sandbox.easypaisa.codes import Code, Refused
from sandbox.wallets.service import KARACHI

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


def read_expiry(text: str, now: datetime) -> datetime:
    """Return the time that reads `YYYYMMDD HHMMSS`; raises Refused for another text and for a time that is over."""
    try:
        expiry = datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=KARACHI)
    except ValueError:
        raise Refused(Code.BAD_EXPIRY) from None
    if expiry <= now:
        raise Refused(Code.EXPIRY_OVER)
    return expiry


def written(moment: int | datetime) -> str:
    """Return a time, or unix seconds, as answers have it, like `24/11/2026 03:05 PM`."""
    aware = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else moment
    return aware.astimezone(KARACHI).strftime("%d/%m/%Y %I:%M %p")


def _paisa(shape: re.Pattern[str], text: str) -> int | None:
    if not shape.fullmatch(text):
        return None
    return int(Decimal(text) * 100) or None
