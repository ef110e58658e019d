"""The Python client against the real application, over a socket."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import payproc_client
import pytest
from payproc_client import AsyncPayproc, Payproc, Webhook, WebhookRefused, resources
from payproc_client.calls import Call, Json
from standardwebhooks.webhooks import Webhook as Signer

from payproc.application import Application
from payproc.database.models import Role, User
from payproc.records.identity.users import create_user, issue_key
from tests.support.serving import Front
from web.app import create_app

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime.now(UTC)


@pytest.fixture
def front(app: Application) -> Iterator[Front]:
    running = Front()
    running.app = create_app(app)
    yield running
    running.clear()
    running.stop()


@pytest.fixture
def shop(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="shop@example.com", name="Mango Shop", role=Role.SHOP)


@pytest.fixture
def key(app: Application, shop: User) -> str:
    with app.database.transaction() as session:
        return issue_key(session, shop)


@pytest.fixture
def client(front: Front, key: str) -> Iterator[Payproc]:
    with Payproc(front.url, key) as made:
        yield made


def scripted(*answers: httpx.Response | Exception) -> tuple[Payproc, list[httpx.Request]]:
    """A client whose wire says these, one after another, and what it heard."""
    heard: list[httpx.Request] = []
    left = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Payproc("http://pay.test", "pp_x", http=httpx.Client(transport=httpx.MockTransport(handle))), heard


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited."""
    waited: list[float] = []
    monkeypatch.setattr("payproc_client.clients.time.sleep", waited.append)
    return waited


def test_an_order_is_made_found_listed_and_closed(client: Payproc) -> None:
    order = client.orders.create(
        reference="A-1001",
        amount=Decimal("1250.50"),
        currency="pkr",
        description="Two mangoes",
        customer={"email": "amina@example.com", "name": "Amina Khan"},
        metadata={"basket": "7"},
    )
    assert order["pay_url"].startswith("http")
    assert client.orders.get("A-1001")["id"] == order["id"]
    assert client.orders.get(order["id"])["payments"] == []
    assert [each["id"] for each in client.orders.list()["orders"]] == [order["id"]]
    assert client.orders.close("A-1001")["status"] == "closed"
    [customer] = client.customers.each()
    assert client.customers.get(customer["id"])["email"] == "amina@example.com"


def test_the_same_key_is_the_same_order(client: Payproc) -> None:
    words: dict[str, Any] = {"amount": "10.00", "currency": "pkr", "description": "A mango", "idempotency_key": "once"}
    assert client.orders.create(**words)["id"] == client.orders.create(**words)["id"]
    with pytest.raises(payproc_client.IdempotencyKeyReused):
        client.orders.create(**(words | {"amount": "11.00"}))


def test_all_pages_are_gone_through(client: Payproc) -> None:
    made = [
        client.orders.create(reference=f"A-{number}", amount="10.00", currency="pkr", description="A mango")["id"]
        for number in range(5)
    ]
    assert [each["id"] for each in client.orders.each(limit=2)] == made[::-1]


def test_a_payment_is_begun_shown_and_called_off(client: Payproc) -> None:
    begun = client.payments.checkout(
        amount="19.99",
        currency="usd",
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    payment = client.payments.get(begun["payment_id"])
    assert (payment["status"], payment["amount"]) == ("pending", Decimal("19.99"))
    assert client.payments.timeline(payment["payment_id"])
    assert client.payments.refunds(payment["payment_id"]) == {"refunds": []}
    with pytest.raises(payproc_client.PaymentNotRefundable):
        client.payments.refund(payment["payment_id"], reason="unripe")
    assert [each["payment_id"] for each in client.payments.each(q=payment["payment_id"])] == [payment["payment_id"]]
    client.payments.cancel(payment["payment_id"])


def test_an_error_is_a_class_by_its_code_and_by_its_status(client: Payproc, front: Front) -> None:
    with pytest.raises(payproc_client.OrderNotFound) as missing:
        client.orders.get("nobody's")
    assert isinstance(missing.value, payproc_client.NotFound)
    assert (missing.value.code, missing.value.status) == ("order_not_found", 404)
    assert missing.value.request_id
    with pytest.raises(payproc_client.InvalidRequest) as wrong:
        client.orders.create(amount="10.005", currency="pkr", description="A mango")
    assert wrong.value.code == "amount_too_precise"
    with pytest.raises(payproc_client.NotAuthenticated):
        Payproc(front.url, "pp_nobody").orders.list()


def test_what_can_be_done_awaiting_is_the_same(front: Front, key: str) -> None:
    async def shop() -> list[str]:
        async with AsyncPayproc(front.url, key) as client:
            made = [
                (await client.orders.create(amount="10.00", currency="pkr", description="A mango"))["id"] for _ in "abc"
            ]
            with pytest.raises(payproc_client.OrderNotFound):
                await client.orders.get("nobody's")
            assert [each["id"] async for each in client.orders.each(limit=2)] == made[::-1]
            return made

    assert len(asyncio.run(shop())) == 3


def test_a_webhook_endpoint_is_made_changed_and_deleted(client: Payproc) -> None:
    made = client.webhook_endpoints.create(url="https://shop.example.com/hook", event_types=["order.paid"])
    assert made["secret"].startswith("whsec_")
    client.webhook_endpoints.change(made["id"], state="paused")
    assert [each["state"] for each in client.webhook_endpoints.list()["endpoints"]] == ["paused"]
    assert client.webhook_endpoints.rotate_secret(made["id"])["secret"] != made["secret"]
    assert list(client.webhook_endpoints.each_delivery(made["id"])) == []
    assert client.webhook_endpoints.delete(made["id"]) == {}


def test_every_operation_of_the_document_is_a_method(front: Front) -> None:
    document = httpx.get(f"{front.url}/openapi.json").json()
    told = re.compile(r"/(notify|return|webhook/stripe|metrics)$")
    wanted = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, operations in document["paths"].items()
        for method in operations
        # What providers and browsers call, and what is no JSON.
        if not told.search(path)
    }
    assert wanted - _methods() == set()


def _methods() -> set[tuple[str, str]]:
    """Every operation that a method of the client carries out, by calling each."""
    sent: list[Call] = []

    def send(call: Call) -> Json:
        sent.append(call)
        return {}

    for kind in vars(resources).values():
        if isinstance(kind, type) and issubclass(kind, resources.Resource):
            made = kind(send, lambda call, _noun: send(call))
            for name in vars(kind):
                if not name.startswith("_"):
                    _called(getattr(made, name))
    return {(call.method, call.path.replace("an%20id", "{}")) for call in sent}


def _called(method: Callable[..., Any]) -> None:
    for arguments, more in (((), {}), (("an id",), {}), ((), {"url": "x"}), (("an id",), {"since": NOW})):
        try:
            method(*arguments, **more)
        except TypeError:
            continue
        return
    raise AssertionError(method)


def test_a_request_under_a_key_is_sent_again_with_the_same_key(no_pause: list[float]) -> None:
    busy = httpx.Response(503, headers={"Retry-After": "2"}, json={})
    client, heard = scripted(
        httpx.ReadTimeout("late"), busy, httpx.Response(429, json={}), httpx.Response(201, json={"id": "ord_1"})
    )
    assert client.orders.create(amount="1.00", currency="pkr") == {"id": "ord_1"}
    assert len({request.headers["Idempotency-Key"] for request in heard}) == 1
    assert (len(heard), no_pause[1], no_pause[0] <= 0.5) == (4, 2, True)


def test_what_knows_no_key_goes_out_once() -> None:
    client, heard = scripted(httpx.ReadTimeout("late"))
    with pytest.raises(payproc_client.NotAnswered):
        client.payments.cancel("pay_1")
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("answer", "error", "tries"),
    [
        (httpx.Response(503, json={"code": "storage_unavailable"}), payproc_client.Unavailable, 4),
        (httpx.Response(409, json={"code": "idempotency_key_in_use"}), payproc_client.IdempotencyKeyInUse, 4),
        (httpx.Response(429, headers={"Retry-After": "3600"}, json={}), payproc_client.TooManyRequests, 1),
        (httpx.Response(409, json={"code": "order_paid"}), payproc_client.OrderPaid, 1),
        (httpx.Response(500, json={}), payproc_client.Unavailable, 1),
        (httpx.Response(418, text="<html>"), payproc_client.PayprocError, 1),
        (httpx.Response(200, text="<html>"), payproc_client.NotAnswered, 1),
        (httpx.Response(302, headers={"Location": "http://elsewhere.test"}), payproc_client.NotAnswered, 1),
    ],
)
def test_what_is_worth_another_try_is_tried_four_times(
    answer: httpx.Response, error: type[Exception], tries: int
) -> None:
    client, heard = scripted(*[answer] * 4)
    with pytest.raises(error):
        client.orders.create(amount="1.00", currency="pkr")
    assert len(heard) == tries


def test_no_float_is_sent_and_none_is_read() -> None:
    client, heard = scripted(httpx.Response(200, text='{"amount": 0.1}'))
    with pytest.raises(TypeError, match="no floats"):
        client.payments.refund("pay_1", amount=0.1)  # type: ignore[arg-type]  # that it is refused is the point
    assert heard == []
    assert client.payments.get("pay_1") == {"amount": Decimal("0.1")}


@pytest.mark.parametrize("name", ["../payments", "a/b", "a?b", "a b"])
def test_a_name_stays_in_its_place(name: str) -> None:
    client, heard = scripted(httpx.Response(200, json={}))
    client.orders.get(name)
    assert heard[0].url.raw_path.count(b"/") == 4
    with pytest.raises(ValueError, match="an id is needed"):
        client.orders.get("")


def delivery(
    body: str = '{"type": "order.paid", "data": {"amount": 0.1}}', *, at: datetime | None = None
) -> tuple[bytes, dict[str, str]]:
    # Not when tests are gathered: what was signed is good for five minutes.
    at = at or datetime.now(UTC)
    signature = Signer(SECRET).sign("evt_1", at, body)
    stamp = str(int(at.timestamp()))
    return body.encode(), {"Webhook-Id": "evt_1", "Webhook-Timestamp": stamp, "Webhook-Signature": signature}


def test_a_delivery_of_standard_webhooks_is_verified() -> None:
    body, headers = delivery()
    event = Webhook.verify(body, headers, SECRET)
    assert event == {"id": "evt_1", "type": "order.paid", "data": {"amount": Decimal("0.1")}}
    another = "whsec_" + "A" * 32
    assert Webhook.verify(body, headers, [another, SECRET]) == event
    both = headers | {"Webhook-Signature": f"v1,{'A' * 43}= {headers['Webhook-Signature']}"}
    assert Webhook.verify(body.decode(), both, SECRET) == event


@pytest.mark.parametrize(
    "changes",
    [
        {"Webhook-Id": "evt_2"},
        {"Webhook-Id": ""},
        {"Webhook-Timestamp": str(int(NOW.timestamp()) + 1)},
        {"Webhook-Timestamp": "soon"},
        {"Webhook-Timestamp": "9" * 400},
        {"Webhook-Signature": ""},
        {"Webhook-Signature": "v1,"},
        {"Webhook-Signature": "v1a,AAAA"},
        {"Webhook-Signature": "v1,é"},
    ],
)
def test_a_changed_header_is_refused(changes: dict[str, str]) -> None:
    body, headers = delivery()
    with pytest.raises(WebhookRefused):
        Webhook.verify(body, headers | changes, SECRET)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_delivery_and_one_from_the_future_are_refused(seconds: int) -> None:
    body, headers = delivery()
    now = int(headers["Webhook-Timestamp"]) + seconds
    with pytest.raises(WebhookRefused, match="clock"):
        Webhook.verify(body, headers, SECRET, now=now)


def test_a_changed_byte_another_secret_and_none_are_refused() -> None:
    body, headers = delivery()
    for words, secret in ((body + b" ", SECRET), (body, "whsec_" + "A" * 32), (body, ""), (body, "whsec_"), (body, [])):
        with pytest.raises(WebhookRefused):
            Webhook.verify(words, headers, secret)
    with pytest.raises(WebhookRefused, match="no event"):
        Webhook.verify(*delivery(json.dumps([])), SECRET)
