"""A provider's own ids of a payment."""

from collections.abc import Mapping
from enum import StrEnum


class Reference(StrEnum):
    """A provider's own id of something, by the column of `payments` that keeps it.

    A provider that finds a payment by our own reference needs none.
    """

    STRIPE_SESSION = "stripe_session_id"
    STRIPE_PAYMENT_INTENT = "stripe_payment_intent_id"
    STRIPE_CHARGE = "stripe_charge_id"
    JAZZ_CASH = "jazz_cash_reference"
    EASY_PAISA = "easy_paisa_reference"

    @property
    def names_one_payment(self) -> bool:
        """Whether another value than ours means that somebody else's payment is spoken of."""
        return self in (Reference.STRIPE_SESSION, Reference.STRIPE_PAYMENT_INTENT)

    @property
    def is_of_the_last_try(self) -> bool:
        """Whether another try at the same payment has another one, so that what paid may not be what was known."""
        return self is Reference.STRIPE_CHARGE


References = Mapping[Reference, str]
