"""E-mail addresses and amounts that decide what pressing Pay does, and what becomes of a refund."""

from dataclasses import dataclass
from enum import StrEnum

from sandbox.store import Json


class Outcome(StrEnum):
    """What pressing Pay does; the value is the word that asks for it in an e-mail address."""

    PAY = "pay"
    DECLINE = "decline"
    DECLINE_ONCE = "decline-once"
    INSUFFICIENT = "insufficient"
    EXPIRED_CARD = "expired-card"
    LATER = "later"
    LATER_SETTLES = "later-settles"
    LATER_FAILS = "later-fails"


# In the minor unit, and multiples of 100, so that every currency can be charged them.
AMOUNTS = {
    400_200: Outcome.DECLINE,
    406_900: Outcome.EXPIRED_CARD,
    409_500: Outcome.INSUFFICIENT,
    480_100: Outcome.LATER,
    480_200: Outcome.LATER_SETTLES,
    480_300: Outcome.LATER_FAILS,
}


class RefundOutcome(StrEnum):
    """What becomes of a refund; the value is the word that asks for it in the address of who paid."""

    SUCCEEDS = "refund"
    PENDING = "refund-pending"
    SUCCEEDS_LATER = "refund-later"
    FAILS_LATER = "refund-fails-later"
    FAILS = "refund-fails"
    NEEDS_ACTION = "refund-action"
    BALANCE_SHORT = "refund-short"


REFUND_AMOUNTS = {
    470_100: RefundOutcome.PENDING,
    470_200: RefundOutcome.SUCCEEDS_LATER,
    470_300: RefundOutcome.FAILS_LATER,
    470_400: RefundOutcome.FAILS,
    470_500: RefundOutcome.NEEDS_ACTION,
    470_600: RefundOutcome.BALANCE_SHORT,
}


@dataclass(frozen=True)
class Decline:
    """Why a bank said no."""

    code: str
    decline_code: str | None
    message: str

    def as_error(self, charge: Json) -> Json:
        """Return the intent's last_payment_error."""
        error: Json = {
            "charge": charge["id"],
            "code": self.code,
            "message": self.message,
            "payment_method": {"id": charge["payment_method"], "object": "payment_method"},
            "type": "card_error",
        }
        if self.decline_code is not None:
            error["decline_code"] = self.decline_code
        return error


DECLINES = {
    Outcome.DECLINE: Decline("card_declined", "generic_decline", "Your card was declined."),
    Outcome.DECLINE_ONCE: Decline("card_declined", "generic_decline", "Your card was declined."),
    Outcome.INSUFFICIENT: Decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    Outcome.EXPIRED_CARD: Decline("expired_card", "expired_card", "Your card has expired."),
}
LATE_DECLINE = Decline(
    "payment_intent_payment_attempt_failed", None, "The bank returned the payment for lack of funds."
)


def outcome_of(email: str | None, amount: int, *, tried_before: bool) -> Outcome:
    """Return what pressing Pay does; the address decides first, then the amount in the minor unit.

    The word is the whole local part (`decline@example.com`) or what follows its last plus sign
    (`asha+decline@example.com`).
    """
    word = _word(email)
    outcome = Outcome(word) if word in set(Outcome) else AMOUNTS.get(amount, Outcome.PAY)
    if outcome is Outcome.DECLINE_ONCE and tried_before:
        return Outcome.PAY
    return outcome


def refund_outcome_of(email: str | None, amount: int) -> RefundOutcome:
    """Return what becomes of a refund; the payer's address decides first, then the refund's amount."""
    word = _word(email)
    if word in set(RefundOutcome):
        return RefundOutcome(word)
    return REFUND_AMOUNTS.get(amount, RefundOutcome.SUCCEEDS)


def _word(email: str | None) -> str:
    return (email or "").partition("@")[0].rpartition("+")[2].lower()
