"""What operators do with webhook endpoints on the command line."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from payproc.cli import app as cli
from payproc.database.models import DeliveryState, User, WebhookDelivery
from tests.support.shops.webhooks import Receiver, receiving, told
from tests.support.world import World


@pytest.fixture
def told_where(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The command line is told the settings of the test's own application."""
    settings = world.app.settings
    for name, value in {
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "ENVIRONMENT": "test",
        "STRIPE_SECRET_KEY": "sk_test_payproc",
        "STRIPE_WEBHOOK_SECRET": "whsec_payproc",
        "MAIL_FROM": "shop@example.com",
    }.items():
        monkeypatch.setenv(name, value)
    return world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ("webhook", *arguments))


def read(*arguments: str) -> Any:
    answer = run(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def made(receiver: Receiver, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = read("create", receiver.url, *options)
    return found


def test_an_endpoint_is_made_tried_out_and_looked_at(told_where: World, shop: User) -> None:
    with receiving() as receiver:
        endpoint = made(receiver, "--shop", shop.email, "--event", "payment.*", "--description", "Mangoes")
        assert endpoint["secret"].startswith("whsec_")
        sent = read("test", endpoint["id"])
        told_where.drain()
        assert len(receiver.received) == 1
    assert (sent["event_type"], endpoint["shop_id"]) == ("webhook.test", shop.id)
    [listed] = read("list")["endpoints"]
    assert listed == {name: value for name, value in endpoint.items() if name != "secret"}
    assert read("show", endpoint["id"]) == listed
    [delivery] = read("deliveries", endpoint["id"], "--state", "delivered")["deliveries"]
    assert (delivery["id"], delivery["tries"]) == (sent["id"], 1)
    [attempt] = read("delivery", sent["id"])["attempts"]
    assert (attempt["status"], attempt["answer"]) == (200, "ok")


def test_an_endpoint_is_changed_paused_resumed_rotated_and_deleted(told_where: World) -> None:
    with receiving() as receiver:
        endpoint = made(receiver)
        changed = read("change", endpoint["id"], "--event", "order.paid")
        assert (changed["event_types"], changed["url"]) == (["order.paid"], receiver.url)
        assert read("pause", endpoint["id"])["state"] == "paused"
        event = told(told_where.app, endpoint["id"])
        told_where.drain()
        assert receiver.received == []
        assert read("resume", endpoint["id"])["state"] == "enabled"
        told_where.make_due()
        told_where.drain()
        assert receiver.ids == [event]
        assert read("rotate", endpoint["id"])["secret"] != endpoint["secret"]
        assert read("enable", endpoint["id"])["state"] == "enabled"
        assert read("delete", endpoint["id"])["state"] == "deleted"
    assert run("show", endpoint["id"]).exit_code == 1
    assert read("list")["endpoints"] == []


def test_one_delivery_or_a_span_goes_once_more(told_where: World) -> None:
    with receiving() as receiver:
        endpoint = made(receiver)
        events = [told(told_where.app, endpoint["id"]) for _ in range(2)]
        told_where.drain()
        first, _ = sorted(told_where.rows(WebhookDelivery), key=lambda each: each.event_id)
        assert read("replay", first.id)["state"] == DeliveryState.PENDING
        told_where.drain()
        assert read("replay", endpoint["id"], "--from", "2026-01-01T00:00:00Z") == {"replayed": 2}
        told_where.make_due()
        told_where.drain()
        assert sorted(receiver.ids) == sorted([*events, *events, events[0]])


@pytest.mark.usefixtures("told_where")
def test_a_shop_that_is_none_and_a_time_that_is_none_are_refused(customer: User) -> None:
    refused = run("create", "http://127.0.0.1:9/", "--shop", customer.email)
    assert (refused.exit_code, "no shop" in refused.stderr) == (1, True)
    with receiving() as receiver:
        endpoint = made(receiver)
    assert run("replay", endpoint["id"], "--from", "yesterday").exit_code == 1


@pytest.mark.usefixtures("told_where")
def test_tables_show_no_secret_but_the_new_one() -> None:
    with receiving() as receiver:
        endpoint = made(receiver)
    for arguments in (("list",), ("show", endpoint["id"]), ("deliveries", endpoint["id"])):
        answer = run(*arguments)
        assert answer.exit_code == 0
        assert "whsec_" not in answer.stdout
        assert "gAAAA" not in answer.stdout
