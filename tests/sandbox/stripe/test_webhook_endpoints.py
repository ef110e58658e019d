from typing import Any

import pytest
import requests
import stripe

from sandbox.gateway import RunningGateway
from tests.sandbox.wire import Connect, Controls, Receiver, serve, session_params
from tests.support.waiting import wait_until

URL = "https://shop.test/webhook"


def made(client: stripe.StripeClient, **changes: Any) -> stripe.WebhookEndpoint:
    parameters: Any = {"url": URL, "enabled_events": ["payment_intent.succeeded"], **changes}
    return client.v1.webhook_endpoints.create(parameters)


def refusal(client: stripe.StripeClient, **changes: Any) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        made(client, **changes)
    return caught.value


def test_the_secret_is_said_once_at_creation(client: stripe.StripeClient) -> None:
    endpoint = made(client, api_version="2026-10-28.endive", description="Shop", metadata={"a": "b"})
    assert (endpoint.id[:3], endpoint.status, endpoint.livemode) == ("we_", "enabled", False)
    assert (endpoint.secret or "")[:6] == "whsec_"

    again = client.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()
    assert again == {name: value for name, value in endpoint.to_dict().items() if name != "secret"}
    assert [each.to_dict() for each in client.v1.webhook_endpoints.list().data] == [again]


def test_an_endpoint_is_changed_and_deleted(client: stripe.StripeClient) -> None:
    endpoint = made(client)
    changed = client.v1.webhook_endpoints.update(
        endpoint.id, {"enabled_events": ["*"], "disabled": True, "url": f"{URL}/2"}
    )
    assert (changed.enabled_events, changed.status, changed.url) == (["*"], "disabled", f"{URL}/2")
    assert client.v1.webhook_endpoints.delete(endpoint.id).to_dict()["deleted"] is True
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook endpoint") as gone:
        client.v1.webhook_endpoints.retrieve(endpoint.id)
    assert gone.value.code == "resource_missing"


def test_what_is_no_endpoint_is_refused(client: stripe.StripeClient) -> None:
    assert refusal(client, url="shop.test").code == "url_invalid"
    assert refusal(client, enabled_events=["everything"]).param == "enabled_events[0]"
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: enabled_events"):
        client.v1.webhook_endpoints.create({"url": URL})  # type: ignore[typeddict-item]  # what is missing is the point
    changes: Any = {"api_version": "2026-10-28.endive"}
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: api_version"):
        client.v1.webhook_endpoints.update(made(client).id, changes)
    for _ in range(15):
        made(client)
    assert "maximum of 16" in str(refusal(client))


def test_events_are_brought_to_each_endpoint_that_wants_them(
    client: stripe.StripeClient, controls: Controls, receiver: Receiver
) -> None:
    other = Receiver()
    server = serve(other)
    made(client, url=other.url)
    made(client, url=other.url, enabled_events=["payout.paid"])
    off = made(client, url=other.url, enabled_events=["*"])
    client.v1.webhook_endpoints.update(off.id, {"disabled": True})

    controls.act(client.v1.checkout.sessions.create(session_params()).id, "pay")

    wait_until(lambda: len(receiver.accepted) == 4 and other.refused)
    # Its secret is its own.
    assert "No signatures found matching" in other.refused[0]
    server.shutdown()
    server.server_close()


def test_a_restricted_key_is_refused_what_is_withheld(
    gateway: RunningGateway, connect: Connect, controls: Controls
) -> None:
    controls.post("rights", {"withheld": ["GET /v1/payouts"]})
    answer = requests.get(f"{gateway.base_url}/v1/payouts", auth=("rk_test_x", ""), timeout=5)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "invalid_request_error")
    assert "required permissions" in answer.json()["error"]["message"]
    assert requests.get(f"{gateway.base_url}/v1/refunds", auth=("rk_test_x", ""), timeout=5).ok
    assert connect(gateway.base_url).v1.payouts.list().data == []
