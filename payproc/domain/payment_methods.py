"""What providers are called. Open on purpose: the registry says which there are, not a list here."""

from typing import NewType

# The guide's `payment_method`: lower-case letters and underscores, as in `payments.payment_method`.
PaymentMethod = NewType("PaymentMethod", str)

STRIPE = PaymentMethod("stripe")
JAZZ_CASH = PaymentMethod("jazz_cash")
EASY_PAISA = PaymentMethod("easy_paisa")
