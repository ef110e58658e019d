import json
import time
from dataclasses import replace
from typing import Any

import pytest
import stripe
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from payproc.application import Application
from payproc.database.models import Notice, Payment, Scope, User
from payproc.records.identity.users import issue_key
from sandbox.stack.servers import Postgres
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.databases import no_writes
from tests.web.client import PREFIX, Client, checkout_body, is_problem
from web.app import create_app


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer \xff",
        "bearer" + "x" * 9000,
    ],
)
def test_nobody_gets_in_without_a_key(anonymous: FlaskClient, header: str | None) -> None:
    headers: dict[str, Any] = {} if header is None else {"Authorization": header}
    answer = anonymous.get(f"{PREFIX}/", headers=headers)
    assert is_problem(answer, 401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_reading_key_cannot_pay(flask_app: Flask, app: Application, customer: User) -> None:
    with app.database.transaction() as session:
        reader = Client(flask_app, issue_key(session, customer, scopes={Scope.READ}))
    assert reader.get("/").status_code == 200
    assert is_problem(reader.post("/checkout", checkout_body()), 403, "not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", f"{PREFIX}/checkout", 405),
        ("PUT", f"{PREFIX}/webhook/stripe", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_flasks_own_errors_have_our_shape(anonymous: FlaskClient, method: str, path: str, status: int) -> None:
    answer = anonymous.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")


def test_an_allowed_origin_may_read_and_no_other(app: Application) -> None:
    open_to = app.settings.model_copy(update={"cors_origins": ("https://shop.example.com",)})
    client = create_app(replace(app, settings=open_to)).test_client()
    allowed = client.get("/healthz", headers={"Origin": "https://shop.example.com"})
    foreign = client.get("/healthz", headers={"Origin": "https://evil.test"})
    asked = client.options(f"{PREFIX}/checkout", headers={"Origin": "https://shop.example.com"})

    assert allowed.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert asked.status_code == 200
    assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]


def test_health_says_alive_and_ready(anonymous: FlaskClient) -> None:
    assert anonymous.get("/healthz").json == {"status": "ok"}
    ready = anonymous.get("/readyz")
    assert ready.status_code == 200
    assert ready.json is not None
    assert ready.json["backlog"]["jobs_dead"] == 0


# --- The database was demoted, or takes no writes ---------------------------------------------------------------------

DEMOTE = "SELECT set_config('default_transaction_read_only', 'on', false)"
EVENT = {"id": "evt_1", "object": "event", "type": "customer.created", "livemode": False, "data": {"object": {}}}


def demote_pooled(app: Application) -> None:
    """Leave both pools with sessions that write no more, while new ones would."""
    with app.database.transaction() as session:
        session.execute(text(DEMOTE))
    app.database.single_statement(DEMOTE, {})


def deliver(client: FlaskClient) -> int:
    body = json.dumps(EVENT)
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, int(time.time()))
    return client.post(f"{PREFIX}/webhook/stripe", data=body, headers={"Stripe-Signature": header}).status_code


def test_after_a_failover_payments_and_notices_are_taken_as_before(
    amina: Client, anonymous: FlaskClient, app: Application
) -> None:
    demote_pooled(app)
    assert amina.post("/checkout", checkout_body()).status_code == 202
    assert deliver(anonymous) == 200
    assert anonymous.get("/readyz").status_code == 200
    with app.database.transaction() as session:
        assert len(list(session.scalars(select(Payment)))) == 1
        assert len(list(session.scalars(select(Notice)))) == 1


@pytest.mark.parametrize("again", [1, 2])
def test_a_database_that_takes_no_writes_is_503_and_unready_and_mends_itself(
    amina: Client, anonymous: FlaskClient, app: Application, database_url: str, postgres: Postgres, again: int
) -> None:
    with no_writes(postgres, database_url):
        for _ in range(again):
            refused = amina.post("/checkout", checkout_body())
            assert is_problem(refused, 503, "storage_unavailable")
            assert refused.headers["Retry-After"] == "2"
            assert deliver(anonymous) == 503
            assert is_problem(anonymous.get("/readyz"), 503, "storage_unavailable")
    assert anonymous.get("/readyz").status_code == 200
    assert amina.post("/checkout", checkout_body()).status_code == 202
    assert deliver(anonymous) == 200
    with app.database.transaction() as session:
        assert len(list(session.scalars(select(Payment)))) == 1


def test_being_asked_whether_it_is_ready_leaves_one_row(anonymous: FlaskClient, app: Application) -> None:
    assert {anonymous.get("/readyz").status_code for _ in range(3)} == {200}
    with app.database.transaction() as session:
        assert session.scalars(text("SELECT count(*) FROM ticks")).one() == 1
