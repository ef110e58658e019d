"""The only socket to Stripe, and the only place that knows its SDK's errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import stripe

from payproc.errors import (
    KeyInUse,
    NoSuchObject,
    OutcomeUncertain,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    Refusal,
    RepeatedOutcome,
    RequestRefused,
    UnreadableOutcome,
)
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.providers.transport.http import UNSENDABLE, never_connected
from payproc.providers.transport.pace import named_wait

if TYPE_CHECKING:
    from stripe.params.checkout import SessionListParams

# A start may need two calls. Two tries each of (3 s connect + 8 s read), and their pauses, stay below a task's soft
# limit of 50 s; after that the job tries again, under the same keys.
_NETWORK_RETRIES = 1
# Payments that begin together for a customer whom Stripe does not know yet each ask it to make that customer, under one
# key: one does, and the others come back for its answer.
_ANSWERED_WITHIN = timedelta(seconds=1)
_QUOTED = (Refusal.GIVEN_BACK, Refusal.CHARGED_BACK, Refusal.EXECUTION)
_LONGEST_QUOTE = 300
_PAGE = 100

# What the payment or the refund itself brought: only these refusals end it.
_INPUT_CODES = frozenset(
    {
        "amount_too_small",
        "amount_too_large",
        "url_invalid",
        "email_invalid",
        "card_declined",
    }
)
# Each says for certain that no refund was made.
_GIVEN_BACK = "charge_already_refunded"
_CHARGED_BACK = frozenset({"charge_disputed", "refund_disputed_payment"})
# More than is left of a charge has no code of its own, only the parameter it is about.
_AMOUNT_OF_A_REFUND = "amount"
_INPUT_PARAMETERS = (
    "line_items",
    "success_url",
    "cancel_url",
    "metadata",
    "payment_intent_data",
    "email",
    "name",
)

# Stripe's data to its own engineers about our latency and platform; not the customer's business.
stripe.enable_telemetry = False


class StripeApi:
    """The handful of calls we make. Answers are plain dictionaries: no SDK object leaves this file."""

    def __init__(self, config: StripeConfig, breakers: CircuitBreakers) -> None:
        self._breakers = breakers
        timeout = (config.connect_timeout.total_seconds(), config.read_timeout.total_seconds())
        self._sdk = stripe.StripeClient(
            config.secret_key,
            stripe_version=config.api_version,
            base_addresses={"api": config.api_base},
            # A client retries nothing unless told, unlike the SDK's global style.
            max_network_retries=_NETWORK_RETRIES,
            http_client=stripe.RequestsClient(timeout=timeout),
        )
        self._client = self._sdk.v1

    def create_customer(self, parameters: Any, *, key: str) -> dict[str, Any]:  # noqa: ANN401 (the SDK's TypedDict)
        """POST /v1/customers."""
        with self._translated("create customer"):
            made = self._client.customers.create(parameters, {"idempotency_key": key})
            return _with(made.to_dict(), "id")

    def customers_by_email(self, email: str) -> list[dict[str, Any]]:
        """GET /v1/customers: the newest hundred with that address."""
        with self._translated_read("list customers"):
            page = self._client.customers.list({"email": email, "limit": _PAGE})
            return [customer.to_dict() for customer in page.data]

    def create_session(self, parameters: Any, *, key: str) -> dict[str, Any]:  # noqa: ANN401 (the SDK's TypedDict)
        """POST /v1/checkout/sessions."""
        with self._translated("create session"):
            made = self._client.checkout.sessions.create(parameters, {"idempotency_key": key})
            return _with(made.to_dict(), "id", "expires_at")

    def expire_session(self, session_id: str, *, key: str) -> dict[str, Any]:
        """POST /v1/checkout/sessions/{id}/expire."""
        with self._translated("expire session"):
            expired = self._client.checkout.sessions.expire(_named(session_id), {}, {"idempotency_key": key})
            return expired.to_dict()

    def session(self, session_id: str) -> dict[str, Any]:
        """GET /v1/checkout/sessions/{id} with its payment intent."""
        with self._translated_read("retrieve session"):
            found = self._client.checkout.sessions.retrieve(_named(session_id), {"expand": ["payment_intent"]})
            return found.to_dict()

    def sessions_since(self, created: int, *, customer: str | None) -> Iterator[dict[str, Any]]:
        """GET /v1/checkout/sessions from `created` (Unix seconds) on, newest first: of one customer, or of all."""
        with self._translated_read("list sessions"):
            asked: SessionListParams = {"created": {"gte": created}, "limit": _PAGE}
            if customer is not None:
                asked["customer"] = customer
            pages = self._client.checkout.sessions.list(asked)
            for found in pages.auto_paging_iter():
                yield found.to_dict()

    def create_refund(self, parameters: Any, *, key: str) -> dict[str, Any]:  # noqa: ANN401 (the SDK's TypedDict)
        """POST /v1/refunds."""
        with self._translated("create refund"):
            made = self._client.refunds.create(parameters, {"idempotency_key": key})
            return _with(made.to_dict(), "id")

    def refund(self, refund_id: str) -> dict[str, Any]:
        """GET /v1/refunds/{id}."""
        with self._translated_read("retrieve refund"):
            return _with(self._client.refunds.retrieve(_named(refund_id)).to_dict(), "id")

    def refunds_of(self, intent_id: str) -> Iterator[dict[str, Any]]:
        """GET /v1/refunds of one payment intent, newest first."""
        with self._translated_read("list refunds"):
            pages = self._client.refunds.list({"payment_intent": _named(intent_id), "limit": _PAGE})
            for found in pages.auto_paging_iter():
                yield found.to_dict()

    def intent(self, intent_id: str) -> dict[str, Any]:
        """GET /v1/payment_intents/{id} with its latest charge."""
        with self._translated_read("retrieve payment intent"):
            found = self._client.payment_intents.retrieve(_named(intent_id), {"expand": ["latest_charge"]})
            return _with(found.to_dict(), "id")

    def dispute(self, dispute_id: str) -> dict[str, Any]:
        """GET /v1/disputes/{id}."""
        with self._translated_read("retrieve dispute"):
            return _with(self._client.disputes.retrieve(_named(dispute_id)).to_dict(), "id")

    # Each list below is one page, newest first, with `data` and `has_more`.

    def events(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/events."""
        return self._page("/v1/events", parameters)

    def intents(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/payment_intents, each with its latest charge."""
        return self._page("/v1/payment_intents", {**parameters, "expand": ["data.latest_charge"]})

    def refunds(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/refunds of the whole account."""
        return self._page("/v1/refunds", parameters)

    def disputes(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/disputes."""
        return self._page("/v1/disputes", parameters)

    def lines(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/balance_transactions."""
        return self._page("/v1/balance_transactions", parameters)

    def lines_of(self, payout_id: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/balance_transactions of one payout."""
        return self.lines({**parameters, "payout": _named(payout_id)})

    def payouts(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/payouts."""
        return self._page("/v1/payouts", parameters)

    def webhook_endpoints(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """GET /v1/webhook_endpoints."""
        return self._page("/v1/webhook_endpoints", parameters)

    def create_webhook_endpoint(self, parameters: Any) -> dict[str, Any]:  # noqa: ANN401 (the SDK's TypedDict)
        """POST /v1/webhook_endpoints. This answer alone has its `secret`."""
        with self._translated("create webhook endpoint"):
            return _with(self._client.webhook_endpoints.create(parameters).to_dict(), "id", "secret")

    def update_webhook_endpoint(self, endpoint_id: str, parameters: Any) -> dict[str, Any]:  # noqa: ANN401 (the same)
        """POST /v1/webhook_endpoints/{id}."""
        with self._translated("update webhook endpoint"):
            return _with(self._client.webhook_endpoints.update(_named(endpoint_id), parameters).to_dict(), "id")

    def may(self, method: str, path: str, parameters: Mapping[str, Any]) -> bool:
        """Whether our key may make a call, with parameters that change nothing or that Stripe does not take."""
        with self._translated_read("rights"):
            try:
                self._sdk.raw_request(method, path, **parameters)
            except stripe.PermissionError:
                return False
            except stripe.InvalidRequestError:
                # Who may not is told so before anybody reads the parameters.
                return True
            return True

    def date(self) -> str:
        """Return the `Date` of an answer; "" where there is none."""
        with self._translated_read("list webhook endpoints"):
            try:
                headers = self._sdk.raw_request("get", "/v1/webhook_endpoints", limit=1).headers
            except stripe.PermissionError as refused:
                headers = refused.headers or {}
            return str(headers.get("Date", ""))

    def _page(self, path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        with self._translated_read(f"list {path.removeprefix('/v1/')}"):
            # As it was on the wire: the SDK's objects of a hundred lines take 32 ms to make, the dictionaries one,
            # and make numbers of some texts.
            return _listed(self._sdk.raw_request("get", path, **parameters).data)

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        with self._breakers.guard(operation):
            try:
                yield
            except stripe.StripeError as error:
                raise translate(error) from error
            except (AttributeError, KeyError, TypeError) as error:
                # The SDK takes any JSON for Stripe's. What a proxy says in its place breaks it in these ways.
                raise _unreadable() from error

    @contextmanager
    def _translated_read(self, operation: str) -> Iterator[None]:
        try:
            with self._translated(operation):
                yield
        except OutcomeUncertain as uncertain:
            raise uncertain.of_a_question() from uncertain


def _with(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    if not all(answer.get(name) for name in names):
        raise _unreadable()
    return answer


def _listed(answer: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(answer.get("data"), list) or not isinstance(answer.get("has_more"), bool):
        raise _unreadable()
    return answer


def _unreadable() -> UnreadableOutcome:
    return UnreadableOutcome("Stripe answered with what is no answer of its")


def _named(object_id: str) -> str:
    # With an empty id the SDK would ask for the list instead, and a list is truthy.
    if not object_id:
        raise ValueError("an id is needed")
    return object_id


def translate(error: stripe.StripeError) -> ProviderError:
    """Say what an SDK error means for the caller.

    What was surely not executed, and what may have been: Stripe's "Advanced error handling" (November 2026).
    """
    code = _code(error)
    sentence = f"Stripe answered {error.http_status or 'nothing'}: {code or type(error).__name__}"
    match error:
        case stripe.RateLimitError():
            return RateLimited(sentence, code=code, retry_after=named_wait((error.headers or {}).get("Retry-After")))
        case stripe.APIError(http_status=409):
            return KeyInUse(sentence, code=code, retry_after=_ANSWERED_WITHIN)
        case stripe.AuthenticationError() | stripe.PermissionError():
            return RequestRefused(sentence, refusal=Refusal.CONFIGURATION, code=code)
        case stripe.IdempotencyError():
            return RequestRefused(sentence, refusal=Refusal.KEY_CONFLICT, code=code)
        case stripe.InvalidRequestError() | stripe.CardError():
            return _refused(error, code, sentence)
        case stripe.APIConnectionError() if isinstance(error.__cause__, UNSENDABLE):
            return RequestRefused(sentence, refusal=Refusal.BUG, code="request_unwritable")
        case stripe.APIConnectionError() if never_connected(error.__cause__):
            return ProviderUnavailable(sentence, code="no_connection")
        case _:
            # A time-out, a reset, 5xx, 424, HTML with status 200: it may have been executed.
            doubt = RepeatedOutcome if _is_replayed(error) else OutcomeUncertain
            return doubt(sentence, code=code)


def _refused(error: stripe.InvalidRequestError | stripe.CardError, code: str | None, sentence: str) -> RequestRefused:
    refusal = _refusal(code, error)
    if code == "resource_missing":
        return NoSuchObject(sentence, refusal=refusal, code=code)
    if refusal in _QUOTED and error.user_message:
        # Words about the account or the charge, which say better than any code what a person must do.
        sentence = f"{sentence}: {error.user_message[:_LONGEST_QUOTE]}"
    return RequestRefused(sentence, refusal=refusal, code=code, replayed=_is_replayed(error))


def _is_replayed(error: stripe.StripeError) -> bool:
    return (error.headers or {}).get("idempotent-replayed") == "true"


def _refusal(code: str | None, error: stripe.InvalidRequestError | stripe.CardError) -> Refusal:
    match code:
        case "resource_missing" if error.param == "customer":
            return Refusal.CUSTOMER_GONE
        case "resource_missing":
            return Refusal.CONFIGURATION
        case "parameter_unknown":
            return Refusal.BUG
        case _ if code in _CHARGED_BACK:
            return Refusal.CHARGED_BACK
        case _ if code == _GIVEN_BACK or (code is None and error.param == _AMOUNT_OF_A_REFUND):
            return Refusal.GIVEN_BACK
        case _ if code in _INPUT_CODES or (error.param or "").startswith(_INPUT_PARAMETERS):
            return Refusal.INPUT
        case _:
            # Much is answered 400 that is about the account: its balance, its version, its name, its methods.
            return Refusal.EXECUTION


def _code(error: stripe.StripeError) -> str | None:
    # `error.code` is filled for card and request errors only; the others keep it one level down. What a balance is too
    # short for has its word beside it.
    told = error.error.to_dict() if error.error is not None else {}
    code = error.code or told.get("code") or told.get("message_code")
    return str(code) if code else None
