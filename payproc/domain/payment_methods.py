"""What providers are called. Open on purpose: the registry says which there are, and each names itself."""

from typing import NewType

# The guide's `payment_method`: lower-case letters and underscores, as in `payments.payment_method`.
PaymentMethod = NewType("PaymentMethod", str)


def path_of(method: PaymentMethod) -> str:
    """Return how a provider is written in addresses: jazz-cash for jazz_cash."""
    return method.replace("_", "-")
