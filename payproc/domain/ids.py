"""Names of things: prefixed, sortable by time, and safe to read out over the telephone."""

import json
import re
import secrets
import uuid
from enum import StrEnum

from typeid import TypeID, base32
from typeid.errors import TypeIDException

# JazzCash's `pp_TxnRefNo` and Easypaisa's `orderId` take at most 20 of [A-Za-z0-9], so ours fit every provider.
# 32 letters without 0, 1, I and O: 19 of them are 95 random bits.
_REFERENCE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
REFERENCE_LENGTH = 20
# The space of names in which ids are derived: drawn once, and never another.
_DERIVED = uuid.UUID("5a0c1f0e-6f0e-4b8e-9d3c-0a7b5c2d4e61")
_REFERENCE = re.compile(f"P[{_REFERENCE_LETTERS}]{{{REFERENCE_LENGTH - 1}}}")


class Prefix(StrEnum):
    """What an id is an id of."""

    USER = "usr"
    API_KEY = "key"
    ORDER = "ord"
    PAYMENT = "pay"
    EVENT = "evt"
    WEBHOOK_ENDPOINT = "whe"
    WEBHOOK_DELIVERY = "dlv"
    NOTICE = "ntc"
    JOB = "job"
    EMAIL = "eml"
    REVIEW = "rev"
    REFUND = "ref"
    DISPUTE = "dsp"
    JOURNAL = "jrn"
    LEDGER_DRAFT = "draft"
    MATCH = "match"
    RUN = "run"
    FINDING = "fnd"
    PROVIDER_CALL = "call"


def new_id(prefix: Prefix) -> str:
    """Make an id such as `pay_01k…`: a UUIDv7, so ids sort by creation within a millisecond."""
    return str(TypeID(prefix=prefix.value))


def derived_id(prefix: Prefix, *parts: str) -> str:
    """Make the id that these words have for ever: whoever is told them again names the same thing. It sorts nowhere."""
    named = uuid.uuid5(_DERIVED, json.dumps(parts))
    return str(TypeID(prefix=prefix.value, suffix=base32.encode(named.bytes)))


def is_id(text: object, prefix: Prefix) -> bool:
    """Tell whether this is made as our ids of that kind are."""
    if not isinstance(text, str):
        return False
    try:
        return TypeID.from_string(text).prefix == prefix
    except TypeIDException:
        return False


def is_reference(text: object) -> bool:
    """Tell whether this is made as our references are: then it is one of a payment of ours, and no provider's id."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text) is not None


def new_reference() -> str:
    """Make our reference of a payment, the one a provider and a bank statement show."""
    # There are as many letters as five bits tell apart: each byte's last five choose one, all alike.
    return "P" + "".join(_REFERENCE_LETTERS[byte % 32] for byte in secrets.token_bytes(REFERENCE_LENGTH - 1))
