"""How the gateway writes amounts, times and texts, both ways. Pure."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from payproc.domain.money import Money
from payproc.errors import InvalidRequest
from payproc.providers.transport.redaction import without_numbers

CURRENCY = "PKR"

_STAMP = "%Y%m%d%H%M%S"
_KARACHI = ZoneInfo("Asia/Karachi")

# ASCII only: `\d` would let in other scripts' digits. Twelve are more rupees than there are.
_PAISA = re.compile(r"[0-9]{1,12}")
_REFERENCE = re.compile(r"[A-Za-z0-9]{1,20}")
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CODE = re.compile(r"[A-Za-z0-9]{1,10}")
_RECEIPT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PLAIN = re.compile(r"[ -%'-~]*")
# The gateway replaces these by spaces after we have signed them; an ampersand would separate values.
_FORBIDDEN = re.compile(r"[^ -~]|[<>\\*=%/:'|\"{}&]")
LONGEST_TEXT = 200


def paisa(money: Money) -> str:
    """Write an amount as integer paisa.

    Raises ValueError for another currency: paisa is not cents.
    """
    if money.currency.code != CURRENCY.lower():
        raise ValueError(f"{CURRENCY} is needed, not {money.currency.code}")
    return str(money.amount_minor)


def money_of(amount: object, code: object = CURRENCY) -> Money | None:
    """Read integer paisa, leading zeros and all; None for what is no amount."""
    if not isinstance(amount, str) or not isinstance(code, str) or not _PAISA.fullmatch(amount):
        return None
    try:
        return Money.of(int(amount), code)
    except InvalidRequest:
        return None


def local_stamp(moment: datetime) -> str:
    """Write a time as the real dialects do: Pakistan's."""
    return moment.astimezone(_KARACHI).strftime(_STAMP)


def utc_stamp(moment: datetime) -> str:
    """Write a time as the guide does: UTC."""
    return moment.astimezone(UTC).strftime(_STAMP)


def moment_of(stamp: str) -> datetime:
    """Read a time that `local_stamp` wrote."""
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=_KARACHI).astimezone(UTC)


def is_plain(value: str) -> bool:
    """Whether a value is signed the same by everybody: printable ASCII, and no ampersand that could split it."""
    return _PLAIN.fullmatch(value) is not None


def description(text: str, *, reference: str) -> str:
    """Reduce a description to what the gateway leaves alone, and never to nothing."""
    kept = " ".join(_FORBIDDEN.sub(" ", text).split())[:LONGEST_TEXT].rstrip()
    # Letters are asked for because the form's values are signed without their names: a description of "121", moved to
    # another field, would be a signed code of success.
    return kept if any(letter.isalpha() for letter in kept) else f"Payment {reference}"


def reference_of(value: object) -> str | None:
    """Read a reference such as ours; None for what cannot be one."""
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else None


def name_of(value: object) -> str | None:
    """Read what somebody calls a payment, whosever word it is; None for what cannot be one."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def code_of(value: object) -> str | None:
    """Read a response code; None for what is none."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def receipt_of(value: object) -> str | None:
    """Read a retrieval reference number, which is on the customer's own statement."""
    return value if isinstance(value, str) and _RECEIPT.fullmatch(value) else None


def message_of(value: object) -> str | None:
    """Read the gateway's sentence: printable, short, and without long numbers, which may be the payer's."""
    if not isinstance(value, str):
        return None
    printable = "".join(letter if letter.isprintable() else " " for letter in value)
    return without_numbers(" ".join(printable.split()))
