"""A shop that was down asks what it has missed."""

import json

import pytest
from flask import Flask
from standardwebhooks import Webhook

from payproc.application import Application
from payproc.database.models import User
from payproc.outgoing.webhooks.sending import signing
from tests.support.shops.webhooks import Receiver, endpoint_at, receiving
from tests.support.world import World
from tests.web.client import Client, is_problem, key_of

EVENTS = "/api/v1/events"


@pytest.fixture
def mangoes(flask_app: Flask, app: Application, shop: User) -> Client:
    return Client(flask_app, key_of(app, shop))


def test_a_shop_reads_what_it_missed_and_goes_on_from_there(mangoes: Client, world: World, shop: User) -> None:
    mine, _ = world.paid(user=shop), world.paid()
    first = mangoes.get_at(f"{EVENTS}?limit=1").json
    assert first is not None
    assert first["is_more"] is True
    rest = mangoes.get_at(f"{EVENTS}?after={first['next_after']}").json
    assert rest is not None
    found = first["events"] + rest["events"]
    assert {event["data"]["id"] for event in found} == {mine.id}
    assert [event["sequence"] for event in found] == list(range(1, len(found) + 1))
    assert found[-1]["type"] == "payment.completed"
    nothing = mangoes.get_at(f"{EVENTS}/?after={rest['next_after']}").json
    assert nothing == {"events": [], "next_after": rest["next_after"], "is_more": False}


def test_an_event_of_the_feed_is_what_its_webhook_said_letter_for_letter(
    mangoes: Client, world: World, shop: User
) -> None:
    with receiving() as receiver:
        told = delivered(receiver, world, shop)
        for event_id, body in told.items():
            answer = mangoes.get_at(f"{EVENTS}/{event_id}").text
            assert answer.startswith(f'{{"id":"{event_id}","sequence":')
            assert answer.endswith(body[1:])
        page = mangoes.get_at(EVENTS).text
    assert all(body[1:] in page for body in told.values())
    assert {event["id"] for event in json.loads(page)["events"]} == set(told)


def delivered(receiver: Receiver, world: World, shop: User) -> dict[str, str]:
    secret = signing.new_secret()
    endpoint_at(world.app, receiver.url, secret=secret, shop_id=shop.id)
    world.paid(user=shop)
    world.drain()
    for got in receiver.received:
        Webhook(secret).verify(got.body, dict(got.headers))
    return {got.headers["webhook-id"]: got.body.decode() for got in receiver.received}


def test_events_are_asked_for_by_type_and_by_payment(mangoes: Client, world: World, shop: User) -> None:
    one, other = world.paid(user=shop), world.paid(user=shop)
    page = mangoes.get_at(f"{EVENTS}?type=payment.completed").json
    assert page is not None
    assert [event["data"]["id"] for event in page["events"]] == [one.id, other.id]
    page = mangoes.get_at(f"{EVENTS}?payment_id={other.id}&type=payment.*").json
    assert page is not None
    assert {event["data"]["id"] for event in page["events"]} == {other.id}
    assert is_problem(mangoes.get_at(f"{EVENTS}?type=payment.vanished"), 422, "event_type_unknown")


def test_an_event_that_is_not_kept_is_no_place_to_go_on_from(mangoes: Client, omar: Client, world: World) -> None:
    payment = world.started()
    theirs = omar.get_at(f"{EVENTS}?payment_id={payment.id}").json
    assert theirs is not None
    event_id = theirs["events"][0]["id"]
    assert is_problem(mangoes.get_at(f"{EVENTS}?after={event_id}"), 422, "event_not_kept")
    assert is_problem(mangoes.get_at(f"{EVENTS}/{event_id}"), 404, "event_not_found")
    assert omar.get_at(f"{EVENTS}/{event_id}").status_code == 200


def test_customers_have_webhooks_of_nothing(amina: Client) -> None:
    assert is_problem(amina.get_at(EVENTS), 403, "not_allowed")
    assert is_problem(amina.get_at(f"{EVENTS}/evt_1"), 403, "not_allowed")
