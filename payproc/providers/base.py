"""What a provider must be able to say, and the frozen words it is said in.

A provider never sees a session, a model, Flask or Celery. A decline is a value (a verdict); an exception means
that we did not learn the outcome (`payproc.errors`, below `ProviderError`).

A call that changes something is made in two halves: `plan_…` is pure and its words are committed with their
idempotency key; the other half sends exactly the committed words. So a retry after a crash, a deploy or a change
of the customer's name still says the same thing (docs/decisions/0005).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from payproc.domain.money import Money
from payproc.domain.references import References
from payproc.domain.settlement import RefundOutcome, RemoteDispute, RemoteRefund


class Verdict(StrEnum):
    """What a provider's answer means for the payment. Whatever is not listed there is UNKNOWN, never DECLINED."""

    PAID = "paid"
    PROCESSING = "processing"
    PENDING = "pending"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVERSED = "reversed"  # it was paid and the money went back
    UNKNOWN = "unknown"


class Operation(StrEnum):
    """A call that changes something at a provider."""

    CREATE_CUSTOMER = "customer"
    START = "start"
    CANCEL = "cancel"
    REFUND = "refund"


class StartMode(StrEnum):
    """How a payment begins, which decides who may send what again."""

    BY_KEY = "by_key"  # a call under an idempotency key: in doubt the same words go out again
    ONCE = "once"  # a call that could charge twice, and may block while the customer approves: in doubt, only ask
    BY_FORM = "by_form"  # the customer's browser posts a signed form: there is nothing for us to send


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The exact words of a call that has not been sent. No secret, phone or CNIC: those are added as it is sent."""

    operation: Operation
    parameters: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Payer:
    """What only the wallet may know of the customer: never stored in clear, never shown, never logged."""

    phone: str | None = field(default=None, repr=False)  # 03XXXXXXXXX
    cnic: str | None = field(default=None, repr=False)  # the last six digits


@dataclass(frozen=True, kw_only=True)
class StoredCall:
    """A plan after its commit: with the key that makes sending it twice harmless, where the provider knows keys."""

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
class Redirect:
    """The customer's browser goes to `url`."""

    url: str


@dataclass(frozen=True, kw_only=True)
class PostForm:
    """The customer's browser posts these fields, in this order, to `url`. They may be signed: send them as they are.

    `sites` are where the gateway may move the browser on from there, as a content security policy names them;
    `return_url` is where it sends the browser in the end.
    """

    url: str
    fields: Mapping[str, str] = field(repr=False)
    sites: tuple[str, ...] = ()
    return_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class AwaitCustomer:
    """The customer acts outside the browser: approves on the phone, or pays `token` in cash at a shop."""

    token: str | None = None


NextAction = Redirect | PostForm | AwaitCustomer


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What we learned about a payment.

    `money` and `live_mode` are what the provider says was paid, to be held against what we asked for;
    None where it does not say. `receipt` is the number on the customer's own statement.
    """

    verdict: Verdict
    references: References = field(default_factory=dict)
    money: Money | None = None
    live_mode: bool | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    receipt: str | None = None


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """A payment that has begun: what the customer does next (None when they have done it), and until when.

    `outcome` is there where the answer already tells how it ended; UNKNOWN means "ask now".
    """

    next_action: NextAction | None
    references: References
    expires_at: datetime | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class PaymentRef:
    """Enough to ask a provider about a payment, in the dialect it was made in.

    `overdue`: the customer can no longer begin to pay, so that "never heard of it" is an answer and not an early one.
    """

    payment_id: str
    reference: str
    references: References
    dialect: str
    money: Money
    created_at: datetime
    overdue: bool = False


@dataclass(frozen=True, kw_only=True)
class RawNotice:
    """A delivery as it came: `headers` by lower-case name, `query` without its question mark, time in UTC."""

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime
    query: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A proven notice about a payment.

    `payment_id` is our own id, `reference` our own reference, where the provider echoes one of them. `dialects` are
    those whose payments it may speak of. `answer` is what the provider wants to hear; None for our usual words.
    """

    key: str
    kind: str
    references: References
    outcome: Outcome
    dialects: frozenset[str]
    payment_id: str | None = None
    reference: str | None = None
    answer: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Hint:
    """A notice that anybody could have sent: a reason to ask about the payment with our `reference`, and no more."""

    kind: str
    reference: str
    answer: Mapping[str, str] | None = None


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


@dataclass(frozen=True, kw_only=True)
class RefundNotice:
    """A proven notice about a refund."""

    key: str
    kind: str
    refund: RemoteRefund
    dialects: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class DisputeNotice:
    """A proven notice about a dispute."""

    key: str
    kind: str
    dispute: RemoteDispute
    dialects: frozenset[str]


Reading = Notice | RefundNotice | DisputeNotice | Hint | Postponed | Ignored
# What was proven when it came, and is read again from what we kept.
StoredReading = Notice | RefundNotice | DisputeNotice | Postponed | Ignored


class Provider(Protocol):
    """What every provider can do."""

    # Of new payments. An older payment keeps the one it was made in.
    dialect: str
    # Whether real money moves; every outcome must say the same.
    live_mode: bool

    def check(self, request: StartRequest) -> None:
        """Refuse what this provider cannot take, before anything is written. Pure.

        Raises InvalidRequest.
        """
        ...

    def start_mode(self, dialect: str) -> StartMode:
        """Say how payments of a dialect begin."""
        ...

    def plan_start(self, request: StartRequest) -> Plan:
        """Put a start into the provider's words. Pure; not asked for where the start is BY_FORM."""
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

    def can_inquire(self, ref: PaymentRef) -> bool:
        """Whether the payment has what an inquiry must name."""
        ...

    def poll_schedule(self, dialect: str) -> tuple[timedelta, ...]:
        """Say how long to wait before each inquiry; the last step repeats."""
        ...

    def read_notice(self, raw: RawNotice) -> Reading:
        """Verify and read a delivery. Pure.

        Raises BadSignature or NoticeMalformed.
        """
        ...

    def storable(self, raw: RawNotice) -> bytes:
        """Return the delivery as it may be kept: whatever the gateway echoes of secrets and of the payer is masked."""
        ...

    def reread_notice(self, body: bytes) -> StoredReading:
        """Read what `storable` kept of a delivery that was verified when it came. Pure."""
        ...


@runtime_checkable
class PostingForms(Protocol):
    """A provider some of whose dialects have the customer's browser begin the payment."""

    def form(self, request: StartRequest) -> PostForm:
        """Draw the form. Pure: the same request gives the same form."""
        ...


@runtime_checkable
class Returning(Protocol):
    """A provider that sends the customer's browser back to us, perhaps with one more form to post."""

    def next_form(self, raw: RawNotice) -> PostForm | None:
        """Draw the form that this return asks for; None where the browser is back for good. Pure."""
        ...

    def returned_reference(self, raw: RawNotice) -> str | None:
        """Our reference as this return names it. Unproven: good for choosing a page, and no more."""
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


@dataclass(frozen=True, kw_only=True)
class RefundRequest:
    """Money to give back. `already` is what earlier refunds of the payment have given back.

    `provider_id` is what the provider calls this refund, once it has said so.
    """

    refund_id: str
    payment: PaymentRef
    money: Money
    already: Money
    provider_id: str | None = None


class RefundMode(StrEnum):
    """How a dialect gives money back, which decides who may send what again."""

    BY_KEY = "by_key"  # a call under a key, and an id for each refund: several may be on their way at once
    ONCE = "once"  # a call that could give back twice: in doubt, only ask
    BY_HAND = "by_hand"  # there is no call: a person does it in the provider's portal


@runtime_checkable
class Refunding(Protocol):
    """A provider that gives money back by a call; some of its dialects may not."""

    def refund_mode(self, dialect: str) -> RefundMode:
        """Say how payments of a dialect are refunded."""
        ...

    def plan_refund(self, request: RefundRequest) -> Plan:
        """Put a refund into the provider's words. Pure."""
        ...

    def refund(self, call: StoredCall) -> RefundOutcome:
        """Send a stored refund.

        Raises ProviderUnavailable, OutcomeUncertain (then ask first) or RequestRefused.
        """
        ...

    def inquire_refund(self, request: RefundRequest) -> RefundOutcome:
        """Ask how a refund stands. Changes nothing there."""
        ...
