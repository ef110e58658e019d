"""What a provider is asked, in frozen values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from payproc.domain.money import Money
from payproc.domain.references import References


class Operation(StrEnum):
    """A call that changes something at a provider."""

    CREATE_CUSTOMER = "customer"
    START = "start"
    CANCEL = "cancel"
    REFUND = "refund"


class StartMode(StrEnum):
    """How a payment begins, which decides who may send what again."""

    IDEMPOTENT = "idempotent"  # a call under a key: in doubt the same parameters go out again
    # A call that could charge twice, and may block while the customer approves: in doubt, only ask.
    SINGLE_SHOT = "single_shot"
    FORM_POST = "form_post"  # the customer's browser posts a signed form: there is nothing for us to send


@dataclass(frozen=True, kw_only=True)
class PreparedCall:
    """The exact parameters of a call that is not sent yet. No secret, phone or CNIC: those are added as it is sent."""

    operation: Operation
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Payer:
    """What only the wallet may know of the customer: never stored in clear, never shown, never logged."""

    phone: str | None = field(default=None, repr=False)  # 03XXXXXXXXX
    cnic: str | None = field(default=None, repr=False)  # the last six digits


class PayerDetail(StrEnum):
    """What a dialect has to be told of the payer before it can begin; each is a field of `Payer`."""

    PHONE = "phone"
    CNIC = "cnic"


@dataclass(frozen=True, kw_only=True)
class StoredCall:
    """A prepared call after its commit. Its key makes sending it twice harmless, where the provider knows keys."""

    parameters: dict[str, Any]
    idempotency_key: str
    first_sent_at: datetime
    dialect: str
    payer: Payer = field(default_factory=Payer)


@dataclass(frozen=True, kw_only=True)
class Customer:
    """Who pays. `provider_id` is what the provider calls them, once it does."""

    user_id: str
    email: str
    name: str
    provider_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What we ask a provider to begin.

    The same payment always gives the same request, so that a form can be drawn again. `success_url` and `cancel_url`
    are where the shop wants the browser in the end; None where it did not say. Times are UTC.
    """

    payment_id: str
    reference: str
    dialect: str
    money: Money
    description: str
    customer: Customer
    created_at: datetime
    payer: Payer = field(default_factory=Payer)
    success_url: str | None = None
    cancel_url: str | None = None
    order_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PaymentRef:
    """Enough to ask a provider about a payment, in the dialect it was made in.

    `overdue`: the customer can no longer begin to pay, so that "never heard of it" is an answer and not an early one.
    `named`: what an unsigned notice says the provider calls it, which proves nothing.
    """

    payment_id: str
    reference: str
    references: References
    dialect: str
    money: Money
    created_at: datetime
    overdue: bool = False
    named: str | None = None


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """Money to give back. `provider_id` is what the provider calls this refund, once it has said so."""

    refund_id: str
    payment: PaymentRef
    money: Money
    provider_id: str | None = None


class RefundMode(StrEnum):
    """How a dialect gives money back, which decides who may send what again."""

    IDEMPOTENT = "idempotent"  # a call under a key, and an id for each refund: several may be on their way at once
    SINGLE_SHOT = "single_shot"  # a call that could give back twice: in doubt, only ask
    MANUAL = "manual"  # there is no call: a person does it in the provider's portal
