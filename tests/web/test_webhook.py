import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import stripe
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Notice
from tests.support.configuration import WEBHOOK_SECRET
from tests.web.client import PREFIX, brought, is_problem
from web.app import create_app

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "livemode": False,
    "data": {"object": {"id": "cs_1", "object": "checkout.session", "status": "complete", "payment_status": "paid"}},
}


@pytest.fixture(params=["by itself", "brought by the front"])
def flask_app(app: Application, request: pytest.FixtureRequest) -> Flask:
    made = create_app(app)
    return made if request.param == "by itself" else brought(made)


def send(
    client: FlaskClient, body: Any, *, at: int = 0, secret: str = WEBHOOK_SECRET, header: str | None = None
) -> TestResponse:
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    signed = text.decode("latin-1") if isinstance(text, bytes) else text
    if header is None:
        header = stripe.WebhookSignature.generate_signature_header(signed, secret, int(time.time()) + at)
    return client.post(f"{PREFIX}/webhook/stripe", data=text, headers={"Stripe-Signature": header})


def stored(app: Application) -> list[Notice]:
    with app.database.transaction() as session:
        return list(session.scalars(select(Notice)))


def test_a_signed_event_is_stored_as_it_came(anonymous: FlaskClient, app: Application) -> None:
    body = json.dumps(EVENT, indent=3) + "\n"
    assert send(anonymous, body).json == {"status": "received"}

    [notice] = stored(app)
    assert notice.body == body.encode()
    assert (notice.provider, notice.key, notice.kind) == ("stripe", "evt_1", "checkout.session.completed")


def test_a_duplicate_is_200_and_stored_once(anonymous: FlaskClient, app: Application) -> None:
    assert [send(anonymous, EVENT).status_code for _ in range(5)] == [200] * 5
    assert len(stored(app)) == 1


@pytest.mark.parametrize("at", [-290, 290])
def test_a_clock_five_minutes_off_is_still_believed(anonymous: FlaskClient, at: int) -> None:
    assert send(anonymous, EVENT, at=at).status_code == 200


@pytest.mark.parametrize("at", [-310, 310, -86400, 10**6])
def test_an_old_or_future_signature_is_403(anonymous: FlaskClient, app: Application, at: int) -> None:
    assert is_problem(send(anonymous, EVENT, at=at), 403, "bad_signature")
    assert stored(app) == []


@pytest.mark.parametrize(
    "header", ["", "nonsense", "t=1", "t=x,v1=y", "v1=00", "t=,v1=", "t=99999999999999999999,v1=00", "=,=,="]
)
def test_a_header_that_signs_nothing_is_403(anonymous: FlaskClient, app: Application, header: str) -> None:
    assert is_problem(send(anonymous, EVENT, header=header), 403, "bad_signature")
    assert stored(app) == []


def test_another_secret_is_403(anonymous: FlaskClient) -> None:
    assert is_problem(send(anonymous, EVENT, secret="whsec_another_one_0123"), 403, "bad_signature")


@pytest.mark.parametrize("body", ["[]", "null", '"x"', "5", "{}", "{", "", '{"object":"event"}', "[" * 5000])
def test_a_signed_body_that_is_no_event_is_400(anonymous: FlaskClient, app: Application, body: str) -> None:
    assert is_problem(send(anonymous, body), 400, "notice_malformed")
    assert stored(app) == []


def test_a_thin_event_is_400_and_says_what_to_configure(anonymous: FlaskClient) -> None:
    answer = send(anonymous, {"object": "v2.core.event", "id": "evt_1", "type": "v1.checkout.session.completed"})
    assert is_problem(answer, 400, "notice_thin")
    assert "snapshot" in answer.text


@pytest.mark.parametrize("field", ["id", "type"])
def test_a_name_longer_than_stripe_ever_gave_is_400(anonymous: FlaskClient, field: str) -> None:
    assert is_problem(send(anonymous, EVENT | {field: "e" * 256}), 400, "notice_malformed")


def test_bytes_that_are_no_text_are_400(anonymous: FlaskClient) -> None:
    assert send(anonymous, b"\xff\xfe\x00", header="t=1,v1=00").status_code == 400


def test_a_body_over_a_mebibyte_is_413(anonymous: FlaskClient) -> None:
    assert send(anonymous, "x" * (1024 * 1024 + 1), header="t=1,v1=00").status_code == 413


@pytest.mark.parametrize("arrive", [lambda made: made, brought], ids=["by itself", "brought by the front"])
def test_nothing_stored_is_never_answered_200(app: Application, arrive: Callable[[Flask], Flask]) -> None:
    unreachable = Database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    client = arrive(create_app(replace(app, database=unreachable))).test_client()
    assert is_problem(send(client, EVENT), 503, "storage_unavailable")
    assert stored(app) == []
