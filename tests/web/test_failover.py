"""The database was demoted, or takes no writes: what clients, providers and probes are told."""

import json
import time

import pytest
import stripe
from flask.testing import FlaskClient
from sqlalchemy import select, text

from payproc.application import Application
from payproc.database.models import Notice, Payment
from sandbox.stack.servers import Postgres
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.databases import no_writes
from tests.web.client import PREFIX, Client, checkout_body, is_problem

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
