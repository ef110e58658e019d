"""What a provider must be able to do. The frozen values it does it with are in `requests`, `answers` and `notices`.

A provider never sees a session, a model, Flask or Celery. A decline is a value (a verdict); an exception means
that we did not learn the outcome (`payproc.errors`, below `ProviderError`).

A call that changes something is made in two halves: `prepare_…` is pure and its parameters are committed with their
idempotency key; the other half sends exactly what was committed. So a retry after a crash, a deploy or a change of the
customer's name still says the same thing (docs/decisions/0005).
"""

from datetime import timedelta
from typing import Protocol, runtime_checkable

from payproc.domain.settlement import RefundOutcome, RemoteRefund
from payproc.providers.answers import Outcome, PostForm, StartResult
from payproc.providers.notices import Hint, ParsedNotice, RawNotice, VerifiedNotice
from payproc.providers.requests import (
    Customer,
    PayerDetail,
    PaymentRef,
    PreparedCall,
    RefundMode,
    RefundRequest,
    StartMode,
    StartRequest,
    StoredCall,
)


class Provider(Protocol):
    """What every provider can do."""

    # Of new payments. An older payment keeps the one it was made in.
    dialect: str
    # Whether real money moves; every outcome must say the same.
    live_mode: bool
    # The only currency it takes, as its three letters; None where it takes many.
    only_currency: str | None

    def check(self, request: StartRequest) -> None:
        """Refuse what this provider cannot take, before anything is written. Pure.

        Raises InvalidRequest.
        """

    def asks_payer(self, dialect: str) -> frozenset[PayerDetail]:
        """Say what a start of a dialect must be told of the payer: a page asks for that and no more. Pure."""

    def start_mode(self, dialect: str) -> StartMode:
        """Say how payments of a dialect begin."""

    def prepare_start(self, request: StartRequest) -> PreparedCall:
        """Return the parameters of a start. Pure; not asked for where the start is FORM_POST."""

    def start(self, call: StoredCall) -> StartResult:
        """Send a stored start.

        Raises ProviderUnavailable, OutcomeUncertain or RequestRefused.
        """

    def inquire(self, ref: PaymentRef) -> Outcome:
        """Ask how a payment stands. Changes nothing there.

        Raises ProviderUnavailable or RequestRefused.
        """

    def can_inquire(self, ref: PaymentRef) -> bool:
        """Whether the payment has what an inquiry must name."""

    def poll_schedule(self, dialect: str) -> tuple[timedelta, ...]:
        """Say how long to wait before each inquiry; the last step repeats."""

    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        """Say whether a delivery is to be believed, and read no more of it than that takes. Pure.

        Raises BadSignature or NoticeMalformed.
        """

    def parse_stored(self, body: bytes) -> ParsedNotice:
        """Read what was kept of a delivery that `verify_notice` proved when it came. Pure."""


@runtime_checkable
class FindingStarts(Provider, Protocol):
    """A provider that makes payments under a key, and can find one when the key may have been forgotten."""

    def find_start(self, call: StoredCall) -> StartResult | None:
        """Look for what an earlier sending of this call made."""


@runtime_checkable
class PostingForms(Protocol):
    """A provider some of whose dialects have the customer's browser begin the payment."""

    def form(self, request: StartRequest) -> PostForm:
        """Draw the form. Pure: the same request gives the same form."""


@runtime_checkable
class Returning(Protocol):
    """A provider that sends the customer's browser back to us, perhaps with one more form to post."""

    def next_form(self, raw: RawNotice) -> PostForm | None:
        """Draw the form that this return asks for; None where the browser is back for good. Pure."""

    def returned(self, raw: RawNotice) -> Hint | None:
        """Say which payment this return names. Unproven: good for choosing a page and for asking, and no more."""


@runtime_checkable
class Cancelling(Protocol):
    """A provider whose open payments can be called off."""

    def prepare_cancel(self, ref: PaymentRef) -> PreparedCall:
        """Return the parameters of a cancellation. Pure."""

    def cancel(self, call: StoredCall) -> Outcome:
        """Send a stored cancellation and return how the payment stands after it: it may have been paid."""


@runtime_checkable
class KeepingCustomers(Protocol):
    """A provider that wants to know the customer before the payment."""

    def prepare_customer(self, customer: Customer) -> PreparedCall:
        """Return the parameters of a new customer. Pure."""

    def create_customer(self, call: StoredCall) -> str:
        """Send a stored creation and return the provider's id of the customer."""

    def find_customer(self, call: StoredCall) -> str | None:
        """Look for the customer that an earlier sending of this call made."""


@runtime_checkable
class Refunding(Protocol):
    """A provider that gives money back by a call; some of its dialects may not."""

    def refund_mode(self, dialect: str) -> RefundMode:
        """Say how payments of a dialect are refunded."""

    def prepare_refund(self, request: RefundRequest) -> PreparedCall:
        """Return the parameters of a refund. Pure."""

    def refund(self, call: StoredCall) -> RefundOutcome:
        """Send a stored refund.

        Raises ProviderUnavailable, OutcomeUncertain (then ask first) or RequestRefused.
        """

    def inquire_refund(self, request: RefundRequest) -> RefundOutcome:
        """Ask how a refund stands. Changes nothing there."""


@runtime_checkable
class ShowingRefunds(Refunding, Protocol):
    """A provider that shows every refund of a payment, whoever made it."""

    def refunds_of(self, ref: PaymentRef) -> tuple[RemoteRefund, ...]:
        """Show the refunds of a payment that can be read, newest first.

        Raises ProviderUnavailable or RequestRefused.
        """
