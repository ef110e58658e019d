"""What is asked for when a payment is made."""

from dataclasses import dataclass, field
from typing import Any

from payproc.domain.money import Money


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """What a client asks for. Without an order `money` is needed; with one it must match or be absent.

    `phone` as the client wrote it; `cnic` is the last six digits.
    """

    money: Money | None
    description: str
    success_url: str | None = None
    cancel_url: str | None = None
    phone: str | None = field(default=None, repr=False)
    cnic: str | None = field(default=None, repr=False)
    order_id: str | None = None
    # What the client said, even without an amount: it must not be another than the order's.
    currency: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
