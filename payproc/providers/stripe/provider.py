"""Stripe Checkout as a provider."""

from datetime import timedelta

from payproc.domain.references import Reference
from payproc.domain.settlement import RefundOutcome, RefundVerdict, RemoteRefund
from payproc.errors import InvalidRequest, OperationNotSupported, Refusal, RequestRefused
from payproc.providers.answers import Outcome, StartResult, Verdict
from payproc.providers.notices import ParsedNotice, RawNotice, VerifiedNotice
from payproc.providers.requests import (
    Customer,
    Operation,
    PayerDetail,
    PaymentRef,
    PreparedCall,
    RefundMode,
    RefundRequest,
    StartMode,
    StartRequest,
    StoredCall,
)
from payproc.providers.stripe import notices, signature
from payproc.providers.stripe.client import StripeApi
from payproc.providers.stripe.lists import StripeListing
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.stripe.wire import checkout, events, refunds
from payproc.providers.transport.circuit_breakers import CircuitBreakers

# Stripe stamps objects with whole seconds of its own clock, ours may differ a little.
_CLOCK_SLACK_SECONDS = 300


class StripeProvider(StripeListing):
    """Stripe Checkout: Provider, FindingStarts, Cancelling, KeepingCustomers, ShowingRefunds and Listing."""

    dialect = "checkout"
    only_currency: str | None = None

    def __init__(self, config: StripeConfig, breakers: CircuitBreakers) -> None:
        super().__init__(StripeApi(config, breakers))
        self._config = config
        self.live_mode = config.live_mode

    def check(self, request: StartRequest) -> None:
        """Refuse a checkout that says not where its browser goes afterwards."""
        for field in ("success_url", "cancel_url"):
            if getattr(request, field) is None:
                raise InvalidRequest(f"{field} is missing.", code="url_missing", field=field)

    def asks_payer(self, dialect: str) -> frozenset[PayerDetail]:  # noqa: ARG002 (there is one)
        """Ask nothing: the card is typed on Stripe's own page."""
        return frozenset()

    def start_mode(self, dialect: str) -> StartMode:  # noqa: ARG002 (there is one)
        """Say that every session is made under a key."""
        return StartMode.IDEMPOTENT

    def prepare_customer(self, customer: Customer) -> PreparedCall:
        """Return the parameters of a new customer."""
        return PreparedCall(operation=Operation.CREATE_CUSTOMER, parameters=checkout.customer_parameters(customer))

    def create_customer(self, call: StoredCall) -> str:
        """Send a stored creation, bare where Stripe refuses the name or the address, and return the `cus_…`."""
        try:
            made = self._api.create_customer(call.parameters, key=call.idempotency_key)
        except RequestRefused as refused:
            if refused.refusal is not Refusal.INPUT:
                raise
            bare = {"metadata": call.parameters["metadata"]}
            made = self._api.create_customer(bare, key=f"{call.idempotency_key}:bare")
        return str(made["id"])

    def find_customer(self, call: StoredCall) -> str | None:
        """Look a customer up by address and our user id; without an address there is no list of them to look in."""
        if "email" not in call.parameters:
            return None
        user_id = call.parameters["metadata"]["user_id"]
        for customer in self._api.customers_by_email(call.parameters["email"]):
            if (customer.get("metadata") or {}).get("user_id") == user_id:
                return str(customer["id"])
        return None

    def prepare_start(self, request: StartRequest) -> PreparedCall:
        """Return the parameters of a Checkout session."""
        return PreparedCall(operation=Operation.START, parameters=checkout.session_parameters(request))

    def start(self, call: StoredCall) -> StartResult:
        """Create the Checkout session, or get the one this key has made before."""
        return checkout.start_result(self._api.create_session(call.parameters, key=call.idempotency_key))

    def find_start(self, call: StoredCall) -> StartResult | None:
        """Look for the session by our id among the customer's since the first sending."""
        since = int(call.first_sent_at.timestamp()) - _CLOCK_SLACK_SECONDS
        payment_id = checkout.marked_payment(call.parameters)
        for session in self._api.sessions_since(since, customer=call.parameters.get("customer")):
            if checkout.marked_payment(session) == payment_id:
                return checkout.start_result(session)
        return None

    def prepare_cancel(self, ref: PaymentRef) -> PreparedCall:
        """Name the session to expire: the intent of a session cannot be cancelled itself."""
        return PreparedCall(operation=Operation.CANCEL, parameters={"session": _session_of(ref)})

    def cancel(self, call: StoredCall) -> Outcome:
        """Expire the session. One that is not open any more is refused: then how it ended is the answer."""
        session_id = call.parameters["session"]
        try:
            return checkout.session_outcome(self._api.expire_session(session_id, key=call.idempotency_key))
        except RequestRefused:
            outcome = checkout.session_outcome(self._api.session(session_id))
            if outcome.verdict is Verdict.PENDING:
                # Still open and yet refused: the refusal was about something else.
                raise
            return outcome

    def refund_mode(self, dialect: str) -> RefundMode:  # noqa: ARG002 (there is one)
        """Say that every refund is made under a key."""
        return RefundMode.IDEMPOTENT

    def prepare_refund(self, request: RefundRequest) -> PreparedCall:
        """Return the parameters of a refund.

        Raises OperationNotSupported for a payment whose intent Stripe never told us.
        """
        _intent_of(request.payment)
        return PreparedCall(operation=Operation.REFUND, parameters=refunds.parameters(request))

    def refund(self, call: StoredCall) -> RefundOutcome:
        """Make the refund, or get the one that this key has made before."""
        return refunds.outcome(self._api.create_refund(call.parameters, key=call.idempotency_key))

    def inquire_refund(self, request: RefundRequest) -> RefundOutcome:
        """Ask for the refund by Stripe's id of it, or look for ours among the payment's."""
        if request.provider_id is not None:
            return refunds.outcome(self._api.refund(request.provider_id))
        for found in self._api.refunds_of(_intent_of(request.payment)):
            if checkout.metadata(found).get(refunds.REFUND_ID) == request.refund_id:
                return refunds.outcome(found)
        return RefundOutcome(verdict=RefundVerdict.NOT_FOUND)

    def refunds_of(self, ref: PaymentRef) -> tuple[RemoteRefund, ...]:
        """Show the refunds of the payment's intent, those made in the Dashboard too."""
        shown = (refunds.remote(each) for each in self._api.refunds_of(_intent_of(ref)))
        return tuple(refund for refund in shown if refund is not None and refund.money is not None)

    def can_inquire(self, ref: PaymentRef) -> bool:
        """Tell whether there is a session to ask about; another of Stripe's ids does not do."""
        return bool(ref.references.get(Reference.STRIPE_SESSION))

    def poll_schedule(self, dialect: str) -> tuple[timedelta, ...]:  # noqa: ARG002 (there is one)
        """Say how long to wait before each inquiry."""
        return self._config.poll_schedule

    def inquire(self, ref: PaymentRef) -> Outcome:
        """Ask how the session stands, with its intent."""
        return checkout.session_outcome(self._api.session(_session_of(ref)))

    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        """Verify a webhook. It is kept as it came: Stripe echoes no secret, and of a card four digits."""
        event = signature.verified_event(raw, self._config.webhook_secrets)
        return VerifiedNotice(notice=notices.named(event, live_mode=self._config.live_mode), redacted=raw.body)

    def parse_stored(self, body: bytes) -> ParsedNotice:
        """Read a stored webhook."""
        return notices.read(events.parsed_event(body), live_mode=self._config.live_mode)


def _intent_of(ref: PaymentRef) -> str:
    intent_id = ref.references.get(Reference.STRIPE_PAYMENT_INTENT)
    if not intent_id:
        raise OperationNotSupported("Stripe never told us the intent of this payment.", subject=ref.payment_id)
    return intent_id


def _session_of(ref: PaymentRef) -> str:
    session_id = ref.references.get(Reference.STRIPE_SESSION)
    if not session_id:
        raise OperationNotSupported("The payment has no Checkout session yet.", subject=ref.payment_id)
    return session_id
