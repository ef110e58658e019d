"""Single values as Easypaisa writes them, and as we do. What cannot be read exactly is None, never a guess."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from payproc.domain.money import Money, parse_major, parse_minor
from payproc.domain.references import Reference
from payproc.errors import InvalidRequest
from payproc.providers.transport.redaction import without_numbers

Json = Mapping[str, Any]

CURRENCY = "pkr"

_PAKISTAN = ZoneInfo("Asia/Karachi")
_MINUTE = re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2} (?:AM|PM)")
_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}")
# An amount of rupees has at most six digits before its point; 10 ** 999999 would fill the memory when written out.
_MOST_DIGITS = 20
# What may also be joined unescaped into the hosted page's hash, without looking like two fields.
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?=.{1,100}$)(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_UNPRINTABLE = re.compile(r"[^!-~]+")


def text(value: object) -> str | None:
    """Return a text that is not empty."""
    return value if isinstance(value, str) and value else None


def email(text: str) -> str | None:
    """Return an address that the gateway takes, or None: it refuses a whole payment for one that it takes for none."""
    return text if _EMAIL.fullmatch(text) else None


def identifier(value: object) -> str | None:
    """Return the gateway's id of something, which it writes as a text or as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) if _IDENTIFIER.fullmatch(str(value)) else None


def references(reply: Json) -> dict[Reference, str]:
    """Return the gateway's id of the payment, where the reply has it: an inquiry's often has not."""
    named = identifier(reply.get("transactionId"))
    return {Reference.EASY_PAISA: named} if named else {}


def message(value: object) -> str | None:
    """Return the gateway's sentence as it may be shown and logged: printable, short, without long numbers."""
    if not isinstance(value, str):
        return None
    return without_numbers(_UNPRINTABLE.sub(" ", value).strip())


def rupees(value: object) -> Money | None:
    """Read an amount of rupees, exact to the paisa: a JSON number or a plain text.

    A float is refused: it has been rounded already.
    """
    match value:
        case str():
            return _exact(value)
        case int() | Decimal() if not isinstance(value, bool):
            number = Decimal(value)
            plain = number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS
            return _exact(format(number, "f")) if plain else None
        case _:
            return None


def paisa(value: object) -> Money | None:
    """Read an integer amount of paisa."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    try:
        return parse_minor(value, CURRENCY)
    except InvalidRequest:
        return None


def rupees_text(money: Money) -> str:
    """Write rupees with two decimals: 1250.50. Paisa without the point would ask for a hundred times the price."""
    return f"{money.amount_minor // 100}.{money.amount_minor % 100:02d}"


def pakistan_second(at: datetime) -> str:
    """Write a time as the gateway expects an expiry: YYYYMMDD HHMMSS of Pakistan."""
    return at.astimezone(_PAKISTAN).strftime("%Y%m%d %H%M%S")


def pakistan_minute(value: object) -> datetime | None:
    """Read dd/MM/yyyy hh:mm AM/PM of Pakistan, as UTC."""
    if not isinstance(value, str) or not _MINUTE.fullmatch(value):
        return None
    try:
        return datetime.strptime(value, "%d/%m/%Y %I:%M %p").replace(tzinfo=_PAKISTAN).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def name_another(reply: Json, ours: Mapping[str, str]) -> bool:
    """Whether the reply names something else than ours. A name that it leaves out is no difference."""
    return any(reply.get(name) not in (None, "") and str(reply[name]) != own for name, own in ours.items())


def _exact(plain: str) -> Money | None:
    try:
        return parse_major(plain, CURRENCY)
    except InvalidRequest:
        return None
