"""What a provider must be able to say, and the frozen words it is said in.

A provider never sees a session, a model, Flask or Celery. A decline is a value (a verdict); an exception means
that we did not learn the outcome (`payproc.errors`, below `ProviderError`).

A call that changes something is made in two halves: `plan_…` is pure and its words are committed with their
idempotency key; the other half sends exactly the committed words. So a retry after a crash, a deploy or a change
of the customer's name still says the same thing (docs/decisions/0005).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from payproc.money import Money


class PaymentMethod(StrEnum):
    """The providers, by the guide's names."""

    STRIPE = "stripe"
    JAZZ_CASH = "jazz_cash"
    EASY_PAISA = "easy_paisa"


class Reference(StrEnum):
    """A provider's own id of something, by the column of `payments` that keeps it."""

    STRIPE_SESSION = "stripe_session_id"
    STRIPE_PAYMENT_INTENT = "stripe_payment_intent_id"
    STRIPE_CHARGE = "stripe_charge_id"
    JAZZ_CASH = "jazz_cash_reference"
    EASY_PAISA = "easy_paisa_reference"


References = Mapping[Reference, str]


class Verdict(StrEnum):
    """What a provider's answer means for the payment. Whatever is not listed there is UNKNOWN, never DECLINED."""

    PAID = "paid"
    PROCESSING = "processing"
    PENDING = "pending"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Operation(StrEnum):
    """A call that changes something at a provider."""

    CREATE_CUSTOMER = "customer"
    START = "start"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The exact words of a call that has not been sent."""

    operation: Operation
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoredCall:
    """A plan after its commit: with the key that makes sending it twice harmless."""

    parameters: dict[str, Any]
    idempotency_key: str
    first_sent_at: datetime


@dataclass(frozen=True, kw_only=True)
class Customer:
    """Who pays. `provider_id` is what the provider calls them, once it does."""

    user_id: str
    email: str
    name: str
    provider_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What we ask a provider to begin."""

    payment_id: str
    reference: str
    money: Money
    description: str
    customer: Customer
    success_url: str
    cancel_url: str
    order_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """The customer's browser goes to `url`."""

    url: str


NextAction = Redirect


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """A payment that has begun: what the customer does next (None when they have done it), and until when."""

    next_action: NextAction | None
    references: References
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PaymentRef:
    """Enough to ask a provider about a payment."""

    payment_id: str
    reference: str
    references: References


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What we learned about a payment.

    `money` and `live_mode` are what the provider says was paid, to be held against what we asked for;
    None where it does not say.
    """

    verdict: Verdict
    references: References = field(default_factory=dict)
    money: Money | None = None
    live_mode: bool | None = None
    failure_code: str | None = None
    failure_message: str | None = None


@dataclass(frozen=True, kw_only=True)
class RawNotice:
    """A delivery as it came: `headers` by lower-case name, `received_at` in UTC."""

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notice about a payment. `payment_id` is our own id, where the provider echoes it."""

    key: str
    kind: str
    payment_id: str | None
    references: References
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Postponed:
    """A notice about money, of a kind that this release does not apply yet: kept, and tried again daily."""

    key: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A notice that concerns no payment of ours; `reason` says why."""

    key: str
    kind: str
    reason: str


Reading = Notice | Postponed | Ignored


class Provider(Protocol):
    """What every provider can do."""

    dialect: str
    # Whether real money moves; every outcome must say the same.
    live_mode: bool

    def plan_start(self, request: StartRequest) -> Plan:
        """Put a start into the provider's words. Pure."""
        ...

    def start(self, call: StoredCall) -> StartResult:
        """Send a stored start.

        Raises ProviderUnavailable, OutcomeUncertain or RequestRefused.
        """
        ...

    def find_start(self, call: StoredCall) -> StartResult | None:
        """Look for what an earlier sending of this call made, when its key may have been forgotten."""
        ...

    def inquire(self, ref: PaymentRef) -> Outcome:
        """Ask how a payment stands. Changes nothing there.

        Raises ProviderUnavailable or RequestRefused.
        """
        ...

    def read_notice(self, raw: RawNotice) -> Reading:
        """Verify and read a delivery. Pure.

        Raises BadSignature or NoticeMalformed.
        """
        ...

    def reread_notice(self, body: bytes) -> Reading:
        """Read a delivery that was verified when it was stored. Pure."""
        ...


@runtime_checkable
class Cancelling(Protocol):
    """A provider whose open payments can be called off."""

    def plan_cancel(self, ref: PaymentRef) -> Plan:
        """Put a cancellation into the provider's words. Pure."""
        ...

    def cancel(self, call: StoredCall) -> Outcome:
        """Send a stored cancellation and return how the payment stands after it: it may have been paid."""
        ...


@runtime_checkable
class KeepingCustomers(Protocol):
    """A provider that wants to know the customer before the payment."""

    def plan_customer(self, customer: Customer) -> Plan:
        """Put a new customer into the provider's words. Pure."""
        ...

    def create_customer(self, call: StoredCall) -> str:
        """Send a stored creation and return the provider's id of the customer."""
        ...

    def find_customer(self, call: StoredCall) -> str | None:
        """Look for the customer that an earlier sending of this call made."""
        ...
