"""Webhook endpoints over HTTP: made, changed, tried out, and what became of each delivery."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import DeliveryState, EndpointState, Role, User, WebhookDelivery, WebhookEndpoint
from payproc.records.identity.users import create_user
from payproc.settings import Environment
from tests.support.shops.webhooks import answering, receiving, told
from tests.support.world import World
from tests.web.client import is_problem, key_of
from web.app import create_app

HOOKS = "/api/v1/webhook-endpoints"


class Shop:
    """Somebody with a key, at any address."""

    def __init__(self, flask_app: Flask, app: Application, user: User) -> None:
        self._client = flask_app.test_client()
        self._auth = {"Authorization": f"Bearer {key_of(app, user)}"}

    def ask(self, method: str, path: str, body: Any = None) -> TestResponse:
        return self._client.open(path, method=method, json=body, headers=self._auth)

    def made(self, url: str = "https://shop.example.com/hooks", **more: Any) -> dict[str, Any]:
        answer = self.ask("POST", HOOKS, {"url": url, **more})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Location"] == f"{HOOKS}/{answer.json['id']}"  # type: ignore[index]  # it is an object
        found: dict[str, Any] = answer.json or {}
        return found


@pytest.fixture
def mangoes(flask_app: Flask, app: Application, shop: User) -> Shop:
    return Shop(flask_app, app, shop)


@pytest.fixture
def melons(flask_app: Flask, app: Application) -> Shop:
    with app.database.transaction() as session:
        other = create_user(session, email="server@melons.pk", name="Melons", role=Role.SHOP)
    return Shop(flask_app, app, other)


def test_a_shop_makes_an_endpoint_and_sees_its_secret_once(mangoes: Shop, app: Application) -> None:
    made = mangoes.made(event_types=["payment.*", "order.paid", "payment.*"], description="Mangoes")
    assert made["secret"].startswith("whsec_")
    assert (made["state"], made["event_types"]) == ("enabled", ["order.paid", "payment.*"])
    shown = mangoes.ask("GET", f"{HOOKS}/{made['id']}").json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert mangoes.ask("GET", HOOKS).json == {"endpoints": [shown]}
    with app.database.transaction() as session:
        assert made["secret"][6:] not in session.get_one(WebhookEndpoint, made["id"]).encrypted_secret


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example.com/hooks", "must use https"),
        ("https://user:secret@shop.example.com/", "must have neither a user name"),
        ("https://shop.example.com/#top", "must have neither a user name nor a fragment"),
        ("https://127.0.0.1/", "must be of a host that the whole internet knows"),
        ("https://[::ffff:169.254.169.254]/", "must be of a host that the whole internet knows"),
        ("https://localhost/", "must be of a host that the whole internet knows"),
        ("ftp://shop.example.com/", "must be an absolute https URL"),
        ("https:///hooks", "must be an absolute https URL"),
        ("https://shop.example.com:99999/", "is not a URL"),
        ("https://shop.example.com/a b", "must be plain ASCII"),
        ("https://shop.example.com\\@10.0.0.1/", "must be plain ASCII"),
    ],
)
def test_in_production_an_address_that_nobody_should_call_is_refused(
    app: Application, shop: User, url: str, said: str
) -> None:
    settings = app.settings.model_copy(update={"environment": Environment.PRODUCTION})
    produced = Application(settings=settings, database=app.database, providers=app.providers, mailer=app.mailer)
    answer = Shop(create_app(produced), app, shop).ask("POST", HOOKS, {"url": url})
    assert is_problem(answer, 422, "webhook_url_refused")
    assert said in (answer.json or {})["detail"]
    assert "secret" not in answer.text


def test_events_that_there_are_not_are_refused_by_name(mangoes: Shop) -> None:
    answer = mangoes.ask("POST", HOOKS, {"url": "https://a.example.com/", "event_types": ["payment.payed", "x.*"]})
    assert is_problem(answer, 422, "event_type_unknown")
    assert "payment.payed, x.*" in (answer.json or {})["detail"]


def test_a_seventeenth_endpoint_is_refused_and_another_shop_has_its_own_sixteen(mangoes: Shop, melons: Shop) -> None:
    made = [mangoes.made() for _ in range(16)]
    assert is_problem(mangoes.ask("POST", HOOKS, {"url": "https://a.example.com/"}), 409, "webhook_endpoints_full")
    melons.made()
    assert mangoes.ask("DELETE", f"{HOOKS}/{made[0]['id']}").status_code == 204
    mangoes.made()


def test_another_shops_endpoint_is_not_there(mangoes: Shop, melons: Shop, world: World) -> None:
    theirs = melons.made()["id"]
    told(world.app, theirs)
    [delivery] = world.rows(WebhookDelivery)
    asked = [
        ("GET", f"{HOOKS}/{theirs}", None),
        ("PATCH", f"{HOOKS}/{theirs}", {"state": "paused"}),
        ("DELETE", f"{HOOKS}/{theirs}", None),
        ("POST", f"{HOOKS}/{theirs}/rotate-secret", None),
        ("POST", f"{HOOKS}/{theirs}/test", None),
        ("POST", f"{HOOKS}/{theirs}/replay", {"from": "2026-01-01T00:00:00Z"}),
        ("GET", f"{HOOKS}/{theirs}/deliveries", None),
    ]
    for method, path, body in asked:
        assert is_problem(mangoes.ask(method, path, body), 404, "webhook_endpoint_not_found"), path
    for method, path in [("GET", ""), ("POST", "/replay")]:
        answer = mangoes.ask(method, f"/api/v1/webhook-deliveries/{delivery.id}{path}")
        assert is_problem(answer, 404, "webhook_delivery_not_found")
    assert mangoes.ask("GET", HOOKS).json == {"endpoints": []}


def test_operators_see_everybodys_endpoints_and_change_none(
    mangoes: Shop, flask_app: Flask, app: Application, operator: User, admin: User
) -> None:
    made = mangoes.made()
    staff = Shop(flask_app, app, operator)
    assert staff.ask("GET", f"{HOOKS}/{made['id']}").status_code == 200
    assert staff.ask("PATCH", f"{HOOKS}/{made['id']}", {"state": "paused"}).status_code == 403
    everybodys = Shop(flask_app, app, admin).made()
    assert everybodys["shop_id"] is None
    assert Shop(flask_app, app, admin).ask("DELETE", f"{HOOKS}/{made['id']}").status_code == 204


def test_a_test_event_goes_to_its_endpoint_alone_and_its_tries_are_shown(mangoes: Shop, world: World) -> None:
    with receiving() as receiver:
        receiver.answer = answering(418, b"teapot")
        made = mangoes.made(receiver.url)
        mangoes.made(receiver.url)
        sent = mangoes.ask("POST", f"{HOOKS}/{made['id']}/test")
        assert sent.status_code == 202
        world.drain()
        assert len(receiver.received) == 1
    shown = mangoes.ask("GET", sent.headers["Location"]).json or {}
    assert (shown["event_type"], shown["state"], shown["tries"]) == ("webhook.test", "pending", 1)
    [attempt] = shown["attempts"]
    assert (attempt["status"], attempt["answer"], attempt["trouble"]) == (418, "teapot", None)
    listed = mangoes.ask("GET", f"{HOOKS}/{made['id']}/deliveries?state=pending&event_id={shown['event_id']}").json
    assert listed == {
        "deliveries": [{name: value for name, value in shown.items() if name != "attempts"}],
        "next_cursor": None,
    }


def test_deliveries_come_page_by_page(mangoes: Shop, world: World) -> None:
    made = mangoes.made("http://127.0.0.1:9/")
    events = [told(world.app, made["id"]) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = mangoes.ask("GET", f"{HOOKS}/{made['id']}/deliveries?limit=2{cursor}").json or {}
        seen += [each["event_id"] for each in page["deliveries"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == events[::-1]


def test_a_delivery_that_has_ended_goes_once_more_under_its_own_id(mangoes: Shop, world: World) -> None:
    with receiving() as receiver:
        made = mangoes.made(receiver.url)
        event = told(world.app, made["id"])
        world.drain()
        [delivery] = world.rows(WebhookDelivery)
        again = mangoes.ask("POST", f"/api/v1/webhook-deliveries/{delivery.id}/replay")
        assert (again.status_code, (again.json or {})["state"]) == (202, "pending")
        world.drain()
        assert receiver.ids == [event, event]
    shown = mangoes.ask("GET", f"/api/v1/webhook-deliveries/{delivery.id}").json or {}
    assert [each["number"] for each in shown["attempts"]] == [1, 2]


def test_a_span_goes_once_more_and_nothing_else(mangoes: Shop, world: World) -> None:
    with receiving() as receiver:
        made = mangoes.made(receiver.url)
        wanted = [told(world.app, made["id"], kind="order.paid") for _ in range(3)]
        told(world.app, made["id"], kind="payment.failed")
        old = told(world.app, made["id"], kind="order.paid")
        world.drain()
        receiver.received.clear()
        with world.app.database.transaction() as session:
            for delivery in session.query(WebhookDelivery).filter_by(event_id=old):
                delivery.created_at -= timedelta(days=2)
        since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        body = {"from": since, "event_types": ["order.paid"], "state": "delivered"}
        assert mangoes.ask("POST", f"{HOOKS}/{made['id']}/replay", body).json == {"replayed": 3}
        world.make_due()
        world.drain()
        assert sorted(receiver.ids) == sorted(wanted)


def test_nothing_is_sent_to_what_is_disabled_until_it_is_enabled(mangoes: Shop, world: World) -> None:
    made = mangoes.made()
    with world.app.database.transaction() as session:
        found = session.get_one(WebhookEndpoint, made["id"])
        found.state, found.disabled_reason = EndpointState.DISABLED, "it answered 410: gone"
    path = f"{HOOKS}/{made['id']}"
    assert is_problem(mangoes.ask("POST", f"{path}/test"), 409, "webhook_endpoint_disabled")
    assert is_problem(mangoes.ask("PATCH", path, {"state": "paused"}), 409, "webhook_endpoint_disabled")
    enabled = mangoes.ask("PATCH", path, {"state": "enabled"}).json or {}
    assert (enabled["state"], enabled["disabled_reason"]) == ("enabled", None)


def test_a_deleted_endpoint_is_gone_and_what_waited_for_it_has_failed(mangoes: Shop, world: World) -> None:
    made = mangoes.made()
    told(world.app, made["id"])
    assert mangoes.ask("DELETE", f"{HOOKS}/{made['id']}").status_code == 204
    assert is_problem(mangoes.ask("GET", f"{HOOKS}/{made['id']}"), 404, "webhook_endpoint_not_found")
    world.drain()
    [delivery] = world.rows(WebhookDelivery)
    assert (delivery.state, delivery.tries) == (DeliveryState.FAILED, 0)
    assert mangoes.ask("GET", f"/api/v1/webhook-deliveries/{delivery.id}").status_code == 200


def test_a_rotation_answers_another_secret_and_says_how_long_the_one_before_signs(mangoes: Shop) -> None:
    made = mangoes.made()
    rotated = mangoes.ask("POST", f"{HOOKS}/{made['id']}/rotate-secret").json or {}
    assert rotated["secret"] != made["secret"]
    until = datetime.fromisoformat(rotated["previous_secret_until"])
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(hours=24)
