"""What is asked for when an order is made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import InvalidRequest

_LONGEST_LIFE = timedelta(days=366)


@dataclass(frozen=True, kw_only=True)
class Item:
    """Something that is sold: `amount_minor` is of one of them, in minor units of the order's currency."""

    name: str
    quantity: int = 1
    amount_minor: int | None = None


@dataclass(frozen=True, kw_only=True)
class OrderRequest:
    """What a shop or the staff wants paid. `reference` is their own number of it; without one it is the order's id.

    `methods` are those by which it may be paid, None for all that take its currency. It can be paid until `expires_at`
    (UTC), None for ever.
    """

    money: Money
    description: str = ""
    reference: str | None = None
    items: Sequence[Item] = ()
    methods: Sequence[PaymentMethod] | None = None
    expires_at: datetime | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def check(self, *, now: datetime) -> None:
        """Raise InvalidRequest for an end that has been or is too far away, and for items that are not its amount."""
        if self.expires_at is not None and not now < self.expires_at <= now + _LONGEST_LIFE:
            raise InvalidRequest(
                "expires_at must be in the future, and at most a year away.", code="expiry_invalid", field="expires_at"
            )
        if self.methods is not None and not self.methods:
            raise InvalidRequest("Name a payment method, or leave methods out.", code="methods_empty", field="methods")
        self._check_items()

    def _check_items(self) -> None:
        # Some may say what they cost and others not, such as a delivery that is free: then nobody can add them up.
        told = [item.amount_minor * item.quantity for item in self.items if item.amount_minor is not None]
        if told and len(told) == len(self.items) and sum(told) != self.money.amount_minor:
            added = Money.of(sum(told), self.money.currency.code)
            raise InvalidRequest(
                f"The items come to {added}, and the order is over {self.money}.",
                code="items_do_not_add_up",
                field="items",
            )
