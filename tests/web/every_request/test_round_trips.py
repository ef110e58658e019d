"""How often a process of the front asks PostgreSQL for a request: the guard of its speed, because timings are noise."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import stripe
from flask import Flask
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.engine import Database
from payproc.database.models import User
from payproc.providers import registry
from payproc.settings import Settings
from tests.support.configuration import WEBHOOK_SECRET, settings_of_a_test
from tests.support.round_trips import Wire
from tests.support.wallet_world import wallet_settings
from tests.support.world import World
from tests.web.client import PREFIX, Client, checkout_body, key_of
from web.app import create_app

# psycopg prepares a statement at its sixth use.
TIMES_UNTIL_WARM = 8
WALLET_BODY = {"amount_minor": 125050, "currency": "pkr", "description": "Two mangoes", "phone": "03001234567"}


@pytest.fixture
def settings(wire: Wire) -> Settings:
    return settings_of_a_test(wire.url)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A front with the pools of a real one, and its customer."""

    flask_app: Flask
    amina: Client
    world: World

    def create(self, path: str, body: Any) -> Callable[[int], TestResponse]:
        """Post it under a key that is new each time."""
        return lambda number: self.amina.post(path, body, headers={"Idempotency-Key": f"order-{number}"})


@pytest.fixture
def shop(app: Application, wire: Wire, world: World, customer: User) -> Iterator[Shop]:
    told = wallet_settings(world.app.settings, "http://127.0.0.1:9", "http://127.0.0.1:8")
    told |= {"jazz_cash_dialect": "hosted-1.1", "easy_paisa_dialect": "rest-v4"}
    # Counted without the question, each second, whether the server still writes: a slow test would be asked it.
    database = Database(wire.url, pool_size=2, statements=2, trusted_for=timedelta(hours=1))
    settings = settings_type()(**told)
    front = Application(settings=settings, database=database, providers=registry.build(settings), mailer=app.mailer)
    flask_app = create_app(front)
    yield Shop(flask_app=flask_app, amina=Client(flask_app, key_of(app, customer)), world=world)
    database.dispose()


Ask = Callable[[int], TestResponse]


def webhook(number: int) -> EnvironBuilder:
    event = {"id": f"evt_{number}", "object": "event", "livemode": False, "type": "checkout.session.completed"}
    body = json.dumps(event | {"data": {"object": {"id": "cs_1", "object": "checkout.session"}}})
    now = int(datetime.now(UTC).timestamp())
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, now)
    return EnvironBuilder(f"{PREFIX}/webhook/stripe", method="POST", data=body, headers=[("Stripe-Signature", header)])


def accept_a_webhook(shop: Shop) -> Ask:
    client = shop.flask_app.test_client()
    return lambda number: client.open(webhook(number))


def accept_as_many_as_wait(shop: Shop) -> Ask:
    def ask(number: int) -> TestResponse:
        environs = [webhook(100 * number + each).get_environ() for each in range(32)]
        shop.flask_app.extensions["intake"].take(environs)
        answers = [run_wsgi_app(shop.flask_app, environ) for environ in environs]
        assert {status for _, status, _ in answers} == {"200 OK"}
        return TestResponse(*answers[0], request=Request(environs[0]))

    return ask


def create_by_card(shop: Shop) -> Ask:
    return shop.create("/checkout", checkout_body())


def create_by_form(shop: Shop) -> Ask:
    return shop.create("/jazz-cash/initiate", WALLET_BODY)


def create_by_push(shop: Shop) -> Ask:
    return shop.create("/easy-paisa/initiate", WALLET_BODY)


def get_an_open_one(shop: Shop) -> Ask:
    payment = shop.world.checkout()
    return lambda _: shop.amina.get(f"/{payment.id}")


def get_a_paid_one(shop: Shop) -> Ask:
    payment = shop.world.paid()
    return lambda _: shop.amina.get(f"/{payment.id}")


def list_a_page(shop: Shop) -> Ask:
    shop.world.paid()
    shop.world.checkout()
    return lambda _: shop.amina.get("/?status=pending")


def refund_a_part(shop: Shop) -> Ask:
    return shop.create(f"/refund/{shop.world.paid().id}", {"amount_minor": 1})


# Every number is what it takes, exactly. One that falls is written down here; one that rises has to be argued for.
@pytest.mark.parametrize(
    ("path", "status", "round_trips"),
    [
        pytest.param(path, status, round_trips, id=path.__name__)
        for path, status, round_trips in (
            (accept_a_webhook, 200, 1),
            (accept_as_many_as_wait, 200, 1),
            (create_by_card, 202, 2),
            (create_by_form, 201, 2),
            (create_by_push, 202, 2),
            (get_an_open_one, 200, 2),
            (get_a_paid_one, 200, 2),
            (list_a_page, 200, 2),
            (refund_a_part, 202, 13),
        )
    ],
)
def test_a_request_asks_the_database_so_often(
    shop: Shop, wire: Wire, path: Callable[[Shop], Ask], status: int, round_trips: int
) -> None:
    ask = path(shop)
    for number in range(TIMES_UNTIL_WARM):
        assert ask(number).status_code == status
    with wire.counted() as counted:
        answer = ask(TIMES_UNTIL_WARM)
    assert answer.status_code == status, answer.text
    assert len(counted.round_trips) == round_trips, f"\n{counted}"
    # Who calls is read once; what providers tell us is signed instead.
    asked_who = len([each for each in counted.statements if "users.email" in each])
    assert asked_who == (path not in (accept_a_webhook, accept_as_many_as_wait))


def test_the_counter_sees_what_a_client_would_not_say(wire: Wire) -> None:
    connection = psycopg.connect(wire.url.replace("+psycopg", ""))
    with connection, wire.counted() as counted:
        connection.execute("SELECT 1")
        connection.commit()
        connection.autocommit = True
        with connection.pipeline():
            connection.execute("SELECT 2 WHERE %s", [True])
            connection.execute("SELECT 3 WHERE %s", [True])
    assert counted.round_trips == [["BEGIN"], ["SELECT 1"], ["COMMIT"], ["SELECT 2 WHERE $1", "SELECT 3 WHERE $1"]]
