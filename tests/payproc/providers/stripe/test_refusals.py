"""What Stripe's refusal of a refund means: for this refund alone, for the account, or for nobody yet."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from payproc.errors import OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.providers.requests import StoredCall
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.provider import StripeProvider
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from tests.support.contract.scripted import ScriptedGateway, scripted_gateway

CALL = StoredCall(
    parameters={"payment_intent": "pi_1", "amount": 500, "metadata": {"refund_id": "ref_1"}},
    idempotency_key="refund of ref_1",
    first_sent_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    dialect="checkout",
)


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as scripted:
        yield scripted


@pytest.fixture
def provider(gateway: ScriptedGateway) -> StripeProvider:
    return made(gateway)


def made(gateway: ScriptedGateway, *, key: str = "sk_test_refusals0123456789") -> StripeProvider:
    config = StripeConfig(
        secret_key=key,
        webhook_secrets=("whsec_refusals",),
        api_version="2026-10-28.endive",
        api_base=gateway.url,
        live_mode=False,
        connect_timeout=timedelta(seconds=1),
        read_timeout=timedelta(seconds=5),
        poll_schedule=(timedelta(minutes=1),),
    )
    return StripeProvider(config, CircuitBreakers(STRIPE, longest_rest=timedelta(seconds=30)))


def refuse(gateway: ScriptedGateway, *, status: int = 400, **error: Any) -> None:
    told = {"error": {"type": "invalid_request_error", "message": "No."} | error}
    # As Stripe does with a refusal: or the SDK would try a 409 once more.
    gateway.says(json.dumps(told).encode(), status=status, Stripe_Should_Retry="false")


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        ({"code": "charge_already_refunded"}, Refusal.GIVEN_BACK),
        ({"code": "charge_disputed"}, Refusal.CHARGED_BACK),
        ({"code": "refund_disputed_payment"}, Refusal.CHARGED_BACK),
        # More than is left of a charge: no code, only the parameter.
        ({"param": "amount"}, Refusal.GIVEN_BACK),
        ({"code": "parameter_unknown", "param": "reasonn"}, Refusal.BUG),
        ({"code": "resource_missing", "param": "payment_intent"}, Refusal.CONFIGURATION),
        ({"code": "balance_insufficient"}, Refusal.EXECUTION),
        ({"code": "a_new_code"}, Refusal.EXECUTION),
        ({}, Refusal.EXECUTION),
        ({"type": "idempotency_error"}, Refusal.KEY_CONFLICT),
    ],
    ids=str,
)
def test_a_refused_refund_ends_only_where_stripe_says_that_it_was_at_fault(
    provider: StripeProvider, gateway: ScriptedGateway, error: dict[str, Any], refusal: Refusal
) -> None:
    refuse(gateway, **error)
    with pytest.raises(RequestRefused) as caught:
        provider.refund(CALL)
    assert (caught.value.refusal, caught.value.code) == (refusal, error.get("code", "request_refused"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_without_the_right_to_refund_is_the_accounts_fault(
    provider: StripeProvider, gateway: ScriptedGateway, status: int
) -> None:
    refuse(gateway, status=status)
    with pytest.raises(RequestRefused) as caught:
        provider.refund(CALL)
    assert caught.value.refusal is Refusal.CONFIGURATION
    assert not caught.value.settles_call(sent_before=False)


@pytest.mark.parametrize(
    ("replayed", "sent_before", "settled"),
    [("false", False, True), ("false", True, False), ("true", True, True)],
)
def test_an_unlisted_no_settles_a_call_sent_once_or_kept_under_its_key(
    provider: StripeProvider, gateway: ScriptedGateway, replayed: str, *, sent_before: bool, settled: bool
) -> None:
    told = {"error": {"type": "invalid_request_error", "message": "Top up.", "message_code": "balance_short"}}
    gateway.says(json.dumps(told).encode(), status=400, Stripe_Should_Retry="false", Idempotent_Replayed=replayed)
    with pytest.raises(RequestRefused, match="400: balance_short: Top up") as caught:
        provider.refund(CALL)
    assert caught.value.code == "balance_short"
    assert caught.value.settles_call(sent_before=sent_before) is settled


def test_a_refund_whose_key_is_still_being_served_is_sent_again_later(
    provider: StripeProvider, gateway: ScriptedGateway
) -> None:
    refuse(gateway, status=409, code="idempotency_key_in_use")
    with pytest.raises(ProviderUnavailable):
        provider.refund(CALL)


def test_a_refund_that_is_answered_without_an_id_is_in_doubt(
    provider: StripeProvider, gateway: ScriptedGateway
) -> None:
    gateway.says(b'{"object": "refund", "status": "succeeded"}')
    with pytest.raises(OutcomeUncertain):
        provider.refund(CALL)


def test_exactly_the_stored_words_leave_the_building_under_their_key(
    provider: StripeProvider, gateway: ScriptedGateway
) -> None:
    gateway.says(b'{"id": "re_1", "object": "refund", "status": "pending"}')
    provider.refund(CALL)
    [sent] = gateway.seen
    assert (sent.path, sent.headers["idempotency-key"]) == ("/v1/refunds", "refund of ref_1")
    assert parse_qs(sent.body.decode()) == {
        "payment_intent": ["pi_1"],
        "amount": ["500"],
        "metadata[refund_id]": ["ref_1"],
    }


@pytest.mark.parametrize("error", [{"code": "email_invalid", "param": "email"}, {"param": "name"}])
def test_a_customer_whose_words_are_refused_is_made_without_them(
    provider: StripeProvider, gateway: ScriptedGateway, error: dict[str, str]
) -> None:
    words = {"email": "amina@example.com", "name": "Amina", "metadata": {"user_id": "usr_1"}}
    told = {"error": {"type": "invalid_request_error", "message": "No."} | error}
    gateway.says_in_turn((400, json.dumps(told).encode()), (200, b'{"id": "cus_1"}'))
    assert provider.create_customer(replace(CALL, parameters=words)) == "cus_1"
    first, second = (parse_qs(request.body.decode()) for request in gateway.seen)
    assert set(first) == {"email", "name", "metadata[user_id]"}
    assert second == {"metadata[user_id]": ["usr_1"]}


def test_a_request_that_cannot_be_written_was_not_sent_and_is_no_outage(gateway: ScriptedGateway) -> None:
    for _ in range(6):
        with pytest.raises(RequestRefused) as refused:
            made(gateway, key="sk_test_کلید").refund(CALL)
        assert (refused.value.code, refused.value.refusal) == ("request_unwritable", Refusal.BUG)
    assert gateway.seen == []
