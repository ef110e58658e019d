"""What the gateway's response codes mean: one closed table, and whatever is not in it is not known."""

from enum import StrEnum

from payproc.providers.answers import Verdict


class Meaning(StrEnum):
    """What a code says of a payment or of our words."""

    PAID = "paid"
    PENDING = "pending"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVERSED = "reversed"
    ABSENT = "absent"  # no such transaction
    FAULT = "fault"  # our credentials, our words, or their maintenance: nothing about the customer
    UNKNOWN = "unknown"


# A reply to a charge and the browser's return say 000; 121 is the notification's word and the inquiry's.
PAID_AT_ONCE = frozenset({"000"})
PAID_LATER = frozenset({"000", "121"})

CREDENTIALS, BAD_FIELD, NO_SUCH_TRANSACTION = "101", "110", "109"

_LISTED = {
    # 124 waits for cash, 157 for the customer, 210 for the authorisation, 013 for the bank.
    Meaning.PENDING: "124 157 210 013",
    Meaning.CANCELLED: "112 410 412",
    Meaning.EXPIRED: "116 129 113",
    Meaning.REVERSED: "131 122",
    Meaning.ABSENT: NO_SUCH_TRANSACTION,
    Meaning.FAULT: f"{CREDENTIALS} {BAD_FIELD} 111 115 118 127",
    Meaning.DECLINED: """
        001 002 003 004 014 015 016 024 059 060 063 066 067 095
        102 103 104 105 106 107 108 117 156
        402 404 405 408 409 411 414 415 416 419 421 422 423 424 425 426 453 459
        922 923 925 926 929
    """,
}
_MEANINGS = {code: meaning for meaning, codes in _LISTED.items() for code in codes.split()}

# These end a payment only when an inquiry repeats them.
_EXPIRED_WHEN_ASKED = frozenset({"058", "134", "403"})

# Refusals of a refund that are final for it.
REFUND_REFUSED = frozenset({"132", "451", "452", "454", "455"})
REFUNDED = frozenset({"000", "131"})
REVERSAL_AWAITED = "119"

_VERDICTS = {
    Meaning.PAID: Verdict.PAID,
    Meaning.PENDING: Verdict.PENDING,
    Meaning.DECLINED: Verdict.DECLINED,
    Meaning.CANCELLED: Verdict.CANCELLED,
    Meaning.EXPIRED: Verdict.EXPIRED,
    Meaning.REVERSED: Verdict.REVERSED,
    # Neither says anything of the customer or the money.
    Meaning.ABSENT: Verdict.UNKNOWN,
    Meaning.FAULT: Verdict.UNKNOWN,
    Meaning.UNKNOWN: Verdict.UNKNOWN,
}


def meaning(code: str | None, *, paid: frozenset[str]) -> Meaning:
    """Say what a code means where `paid` are the codes of success.

    055 062 199 401 406 407 417 429-432 999 are left out on purpose: the gateway itself uses them for payments that
    were charged after all. Its 2026 guide calls them failed in a notification; we ask.
    """
    if code is None:
        return Meaning.UNKNOWN
    return Meaning.PAID if code in paid else _MEANINGS.get(code, Meaning.UNKNOWN)


def meaning_when_asked(code: str | None) -> Meaning:
    """Say what the code of a payment means in the answer to an inquiry."""
    if code in _EXPIRED_WHEN_ASKED:
        return Meaning.EXPIRED
    return meaning(code, paid=PAID_LATER)


def verdict(found: Meaning) -> Verdict:
    """Say what a meaning makes of a payment."""
    return _VERDICTS[found]
