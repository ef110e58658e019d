"""What is asked for when a payment is made."""

from dataclasses import dataclass, field
from typing import Any

from payproc.domain.money import Money, parse_major, parse_minor
from payproc.domain.requests.customer import CustomerRequest
from payproc.errors import InvalidRequest


@dataclass(frozen=True, kw_only=True)
class WrittenAmount:
    """An amount as its client wrote it: `major` in digits, `minor` in minor units, or both. One is there."""

    major: str | None
    minor: int | None

    def read_in(self, code: str) -> Money:
        """Read the amount in a currency.

        Raises InvalidRequest for one that cannot be charged, or where the two differ.
        """
        read = [parse_major(self.major, code)] if self.major is not None else []
        read += [parse_minor(self.minor, code)] if self.minor is not None else []
        if read[0] != read[-1]:
            raise InvalidRequest("amount and amount_minor differ.", code="amounts_differ", field="amount")
        return read[0]

    def offered(self, *, currency: str | None, usual_currency: str | None) -> Money:
        """Read the amount in the currency that is named, or else in the one it is usually in.

        Raises InvalidRequest where nobody says it: the same digits are a few rupees, or as many dollars.
        """
        code = currency.lower() if currency else usual_currency
        if code is None:
            raise InvalidRequest("Say the currency, such as pkr or usd.", code="currency_missing", field="currency")
        return self.read_in(code)


@dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    """What a client asks for. Without an order `money` is needed; with one it must match or be absent.

    `phone` as the client wrote it; `cnic` is the last six digits. `only_currency`: the one a provider takes.
    """

    money: Money | WrittenAmount | None
    description: str
    success_url: str | None = None
    cancel_url: str | None = None
    phone: str | None = field(default=None, repr=False)
    cnic: str | None = field(default=None, repr=False)
    # Whence the client asks; None where nobody can say.
    address: str | None = field(default=None, repr=False)
    order_id: str | None = None
    # What the client said, even without an amount: it must not be another than the order's.
    currency: str | None = None
    only_currency: str | None = None
    # Who pays, where a shop says it.
    customer: CustomerRequest | None = None
    meta: dict[str, Any] = field(default_factory=dict)

    def offered(self, *, usual_currency: str | None) -> Money | None:
        """Return the amount; `usual_currency` is what it is in where the client did not say.

        Raises InvalidRequest where nobody says it: the same digits are a few rupees, or as many dollars.
        """
        if not isinstance(self.money, WrittenAmount):
            return self.money
        return self.money.offered(currency=self.currency, usual_currency=usual_currency or self.only_currency)
