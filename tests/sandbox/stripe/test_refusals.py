from typing import Any

import pytest
import requests
import stripe

from sandbox.gateway import RunningGateway
from tests.sandbox.wire import Clock, session_params


def refusal(client: stripe.StripeClient, params: Any, **options: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(params, options or None)  # type: ignore[arg-type]  # wrong on purpose
    return caught.value


def line(**changes: Any) -> Any:
    price = {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Tea"}}
    return [{"quantity": 1, "price_data": {**price, **changes}}]


HERE = "line_items[0][price_data]"


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
        ({"line_items": line(color="red")}, "parameter_unknown", f"{HERE}[color]"),
        ({"line_items": line(unit_amount=10.5)}, "parameter_invalid_integer", f"{HERE}[unit_amount]"),
        ({"line_items": line(unit_amount=-5)}, "parameter_invalid_integer", f"{HERE}[unit_amount]"),
        ({"line_items": line(currency="zzz")}, None, f"{HERE}[currency]"),
        ({"line_items": line(product_data={"name": ""})}, "parameter_invalid_empty", f"{HERE}[product_data][name]"),
        ({"line_items": line(currency="kwd", unit_amount=5124)}, "parameter_invalid_integer", f"{HERE}[unit_amount]"),
        ({"line_items": line(currency="ugx", unit_amount=550)}, "parameter_invalid_integer", f"{HERE}[unit_amount]"),
        ({"line_items": line(unit_amount=49)}, "amount_too_small", None),
        ({"line_items": line(unit_amount=100_000_000)}, "amount_too_large", None),
        ({"line_items": []}, "parameter_missing", "line_items"),
        ({"success_url": "/done"}, "url_invalid", "success_url"),
        ({"client_reference_id": "x" * 201}, None, "client_reference_id"),
        ({"metadata": {"k" * 41: "v"}}, None, f"metadata[{'k' * 41}]"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {str(n): "v" for n in range(51)}}, None, "metadata"),
        ({"customer_email": "asha"}, "email_invalid", "customer_email"),
        ({"mode": "subscription"}, None, "mode"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"expand": ["payment_link"]}, None, "expand"),
    ],
)
def test_a_session_is_refused_for_what_stripe_refuses(
    client: stripe.StripeClient, *, changes: Any, code: str | None, param: str | None
) -> None:
    error = refusal(client, session_params(**changes))
    assert (error.http_status, error.code, error.param) == (400, code, param)


@pytest.mark.parametrize("seconds", [1799, 24 * 3600 + 1])
def test_a_session_lives_between_half_an_hour_and_a_day(
    client: stripe.StripeClient, clock: Clock, seconds: int
) -> None:
    assert refusal(client, session_params(expires_at=clock.now + seconds)).param == "expires_at"


@pytest.mark.parametrize("name", ["mode", "success_url", "line_items"])
def test_a_session_needs_the_required_parameters(client: stripe.StripeClient, name: str) -> None:
    params = session_params()
    del params[name]
    error = refusal(client, params)
    assert (error.code, error.param) == ("parameter_missing", name)


def test_before_endive_payment_method_types_was_a_parameter(client: stripe.StripeClient) -> None:
    params: Any = session_params(payment_method_types=["card"])
    session = client.v1.checkout.sessions.create(params, {"stripe_version": "2026-05-27.dahlia"})
    assert session.status == "open"


def test_a_deleted_customer_cannot_open_a_session(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "asha@shop.test"})
    client.v1.customers.delete(customer.id)
    error = refusal(client, session_params(customer=customer.id))
    assert (error.code, error.param) == ("resource_missing", "customer")
    assert client.v1.customers.retrieve(customer.id).deleted is True
    assert client.v1.customers.list().data == []


def test_an_unknown_id_is_a_404_that_names_the_parameter(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.retrieve("cs_test_nobody")
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (
        404,
        "resource_missing",
        "session",
    )


def test_a_call_the_simulator_does_not_know_is_a_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        client.v1.products.list()


@pytest.mark.parametrize("key", ["sk_live_x", "pk_test_x", ""])
def test_a_wrong_key_is_a_401(gateway: RunningGateway, key: str) -> None:
    answer = requests.get(f"{gateway.base_url}/v1/events", auth=(key, ""), timeout=5)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_key_may_come_by_basic_auth(gateway: RunningGateway) -> None:
    answer = requests.get(f"{gateway.base_url}/v1/events", auth=("sk_test_x", ""), timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Request-Id"].startswith("req_")


def test_an_invalid_version_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        client.v1.events.list(None, {"stripe_version": "latest"})


def test_amounts_without_decimals_are_whole_units(client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params(currency="JPY", unit_amount=500))
    assert (session.currency, session.amount_total) == ("jpy", 500)
    assert "JPY 500<" in requests.get(str(session.url), timeout=5).text
