"""Stripe Checkout."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import stripe

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.providers.answers import PostForm
from payproc.providers.base import KeepingCustomers, Provider
from payproc.providers.notices import RawNotice
from payproc.providers.requests import PaymentRef, StartMode, StartRequest, StoredCall
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.provider import StripeProvider
from payproc.providers.stripe.settings import StripeConfig
from sandbox.stripe.config import API_VERSION
from tests.support.contract.case import Begun, Case, End, Operation
from tests.support.contract.played import WEBHOOK_SECRET, Played
from tests.support.contract.scripted import Seen

SECRET_KEY = "sk_test_contract0123456789"
_SESSION = "cs_test_contract"
_SIGNATURE = "stripe-signature"

# A refused card ends nothing: declined for good is a delayed payment that did not arrive.
_ACTIONS = {End.PAID: ("pay",), End.DECLINED: ("pay_later", "fail"), End.PENDING: ()}
_STATUSES = {
    End.PAID: ("complete", "paid", "succeeded"),
    End.DECLINED: ("complete", "unpaid", "requires_payment_method"),
    End.PENDING: ("open", "unpaid", "requires_payment_method"),
}

_CALLS = {Operation.START: "POST /v1/checkout/sessions", Operation.REFUND: "POST /v1/refunds"}


class StripeCase(Case):
    method = STRIPE
    dialect = "checkout"
    mode = StartMode.IDEMPOTENT
    currency = "usd"
    signs_notices = True
    refunds = True
    refunds_idempotently = True
    ends = frozenset(_ACTIONS)
    strange_to_start = ("frozen",)
    strange_to_inquiry = ("frozen", "paid", "succeeded", "failed")

    @property
    def secrets(self) -> tuple[str, ...]:
        return SECRET_KEY, WEBHOOK_SECRET

    def config(self, base_url: str, *, patience: timedelta, notify_url: str) -> StripeConfig:  # noqa: ARG002 (its endpoint is set at Stripe)
        return StripeConfig(
            secret_key=SECRET_KEY,
            webhook_secrets=(WEBHOOK_SECRET,),
            api_version=API_VERSION,
            api_base=base_url,
            live_mode=False,
            connect_timeout=timedelta(seconds=1),
            read_timeout=patience,
            poll_schedule=(timedelta(minutes=10),),
        )

    def made(self, config: StripeConfig) -> Provider:
        return StripeProvider(config, self.breakers())

    def known(self, provider: Provider, request: StartRequest) -> StartRequest:
        assert isinstance(provider, KeepingCustomers)
        call = StoredCall(
            parameters=provider.prepare_customer(request.customer).parameters,
            idempotency_key=f"customer of {request.payment_id}",
            first_sent_at=request.created_at,
            dialect=self.dialect,
        )
        return replace(request, customer=replace(request.customer, provider_id=provider.create_customer(call)))

    def ref(self, request: StartRequest, **changes: Any) -> PaymentRef:
        return super().ref(request, **({"references": {Reference.STRIPE_SESSION: _SESSION}} | changes))

    def gateway_url(self, played: Played) -> str:
        return played.gateway.base_url

    def bring_about(self, played: Played, begun: Begun, end: End) -> list[RawNotice]:
        for action in _ACTIONS[end]:
            played.control(f"sessions/{begun.ref.references[Reference.STRIPE_SESSION]}/{action}")
        return []

    def debits(self, played: Played, begun: Begun) -> int:
        mine = [event for event in played.look("events") if begun.request.payment_id in str(event)]
        return sum(event["type"] == "charge.succeeded" for event in mine)

    def refunded(self, played: Played, begun: Begun) -> int:
        session = played.look(f"objects/{begun.ref.references[Reference.STRIPE_SESSION]}")
        intent = played.look(f"objects/{session['payment_intent']}")
        return int(played.look(f"objects/{intent['latest_charge']}")["amount_refunded"])

    def lose_answers(self, played: Played, operation: Operation, *, times: int) -> None:
        # The SDK tries each call twice, under the same key.
        played.control("faults", operation=_CALLS[operation], fault="error_502_after", times=2 * times)

    def start_answer(self, request: StartRequest, said: str) -> bytes:
        return json.dumps(_session(request, said)).encode()

    def inquiry_answer(self, request: StartRequest, said: str, *, money: Money | None = None) -> bytes:
        return json.dumps(_session(request, said, money=money)).encode()

    def money_sent(self, sent: Seen | PostForm) -> Money:
        assert isinstance(sent, Seen)
        fields = parse_qs(sent.body.decode())
        price = "line_items[0][price_data]"
        return Money.of(int(fields[f"{price}[unit_amount]"][0]), fields[f"{price}[currency]"][0])

    def notice(self, request: StartRequest, said: str, *, money: Money | None = None) -> RawNotice:
        told = money or request.money
        event = {
            "id": f"evt_{request.reference}_{said}_{told.amount_minor}",
            "object": "event",
            "type": "checkout.session.completed",
            "livemode": False,
            "data": {"object": _session(request, said, money=money)},
        }
        return _signed(json.dumps(event).encode(), datetime.now(UTC))

    def again(self, raw: RawNotice) -> RawNotice:
        return _signed(raw.body, raw.received_at + timedelta(minutes=1))

    def badly_signed(self, raw: RawNotice) -> list[RawNotice]:
        others = _signed(raw.body, raw.received_at, secret="whsec_another")
        return [replace(raw, headers={}), replace(raw, headers={_SIGNATURE: ""}), others]

    def of_another_amount(self, raw: RawNotice) -> RawNotice:
        event = json.loads(raw.body)
        event["data"]["object"] |= {"amount_total": 100, "amount_received": 100}
        return replace(raw, body=json.dumps(event).encode())


def _session(request: StartRequest, said: str, *, money: Money | None = None) -> dict[str, Any]:
    known = _STATUSES.get(End(said)) if isinstance(said, End) else None
    status, payment_status, intent = known or (said, said, said)
    told = money or request.money
    return {
        "id": _SESSION,
        "object": "checkout.session",
        "status": status,
        # "paid" is a word of the payment status alone: as a status it is strange.
        "payment_status": payment_status if known else "unpaid",
        "payment_intent": {
            "id": "pi_contract",
            "object": "payment_intent",
            "status": intent if known else "unheard_of",
        },
        "amount_total": told.amount_minor,
        "currency": told.currency.code,
        "client_reference_id": request.payment_id,
        "metadata": {"payment_id": request.payment_id},
        "url": "https://checkout.example/c/pay",
        "expires_at": int(request.created_at.timestamp()) + 86400,
        "livemode": False,
    }


def _signed(body: bytes, at: datetime, *, secret: str = WEBHOOK_SECRET) -> RawNotice:
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
    return RawNotice(body=body, headers={_SIGNATURE: header}, received_at=at)
