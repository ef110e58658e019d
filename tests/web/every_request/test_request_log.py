"""The line that ends a request says what it was about, and never what the one before it was about."""

import time

import pytest
import stripe
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import LogCapture

from payproc.application import Application
from payproc.database.models import Notice, Payment, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import Fact
from payproc.flows import checkout
from payproc.providers.stripe import STRIPE
from payproc.records import payments
from tests.support.configuration import WEBHOOK_SECRET
from tests.web.client import PREFIX, Client, checkout_body, lines
from web.pay import links

UNKNOWN = "pay_01kaw5m0v7e1cbb4wsy0s9p6jd"


@pytest.fixture
def payment(app: Application, customer: User) -> Payment:
    wanted = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    return checkout.take_payment(app, wanted, user=customer, method=STRIPE)


def ids_on_last_line(log: LogCapture) -> dict[str, str]:
    names = {"payment", "refund", "dispute", "notice", "order", "run"}
    return {name: value for name, value in lines(log)[-1].items() if name in names}


def test_a_checkout_is_logged_with_its_payment_at_once_replayed_and_after_a_wait(
    amina: Client, log: LogCapture, customer: User
) -> None:
    for headers in ({"Idempotency-Key": "k"}, {"Idempotency-Key": "k"}, {"Prefer": "wait=1"}):
        answer = amina.post("/checkout", checkout_body(), headers=headers)
        assert ids_on_last_line(log) == {"payment": (answer.json or {})["payment_id"]}
        assert lines(log)[-1]["user"] == customer.id


def test_a_refused_refund_is_logged_with_its_payment(amina: Client, log: LogCapture, payment: Payment) -> None:
    assert amina.post(f"/refund/{payment.id}", {}).status_code == 409
    assert ids_on_last_line(log) == {"payment": payment.id}


def test_a_refund_is_logged_with_its_payment_too(
    amina: Client, app: Application, log: LogCapture, payment: Payment
) -> None:
    with app.database.transaction() as session:
        payments.apply_fact(
            session, payment.id, Fact.PAID, provenance=Provenance(source=Source.OPERATOR, evidence="of_a_test")
        )
    refund_id = (amina.post(f"/refund/{payment.id}", {}).json or {})["refund_id"]
    assert ids_on_last_line(log) == {"payment": payment.id, "refund": refund_id}
    assert amina.get(f"/refund/{refund_id}").status_code == 200
    assert ids_on_last_line(log) == {"payment": payment.id, "refund": refund_id}


def test_a_notice_is_logged_by_its_id(app: Application, anonymous: FlaskClient, log: LogCapture) -> None:
    body = '{"id": "evt_1", "object": "event", "type": "x", "livemode": false, "data": {"object": {"id": "cs_1"}}}'
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, int(time.time()))
    answer = anonymous.post(f"{PREFIX}/webhook/stripe", data=body, headers={"Stripe-Signature": header})
    assert answer.status_code == 200, answer.text
    with app.database.transaction() as session:
        assert ids_on_last_line(log) == {"notice": session.scalars(select(Notice.id)).one()}


def test_a_look_at_what_is_not_there_is_logged_with_what_was_asked_for(amina: Client, log: LogCapture) -> None:
    assert amina.get(f"/{UNKNOWN}").status_code == 404
    assert ids_on_last_line(log) == {"payment": UNKNOWN}


def test_only_what_can_be_an_id_is_logged_as_one(amina: Client, log: LogCapture) -> None:
    for written in ("pay_1", "03001234567", f"{UNKNOWN}x", f"usr{UNKNOWN[3:]}"):
        amina.get(f"/{written}")
        assert ids_on_last_line(log) == {}


def test_a_pay_page_is_logged_with_its_payment(flask_app: Flask, log: LogCapture, payment: Payment) -> None:
    with flask_app.app_context():
        path = links.path_of(payment.id)
    for address in (path, f"{path}/status"):
        assert flask_app.test_client().get(address).status_code == 200
        assert ids_on_last_line(log) == {"payment": payment.id}


def test_a_link_to_a_pay_page_is_kept_out_of_the_log(flask_app: Flask, log: LogCapture, payment: Payment) -> None:
    with flask_app.app_context():
        link = links.path_of(payment.id)
    flask_app.test_client().get(link)
    assert lines(log)[-1]["path"] == "/pay/…"
    assert link.rpartition("/")[2] not in str(log.entries)


def test_no_capability_is_logged_whatever_is_asked_with_it(
    amina: Client, flask_app: Flask, log: LogCapture, payment: Payment
) -> None:
    with flask_app.app_context():
        link = links.path_of(payment.id)
    token = link.rpartition("/")[2]
    key, jwt = "pp_" + "k" * 43, ".".join(("h" * 30, "c" * 60, "s" * 43))
    browser = flask_app.test_client()
    for path in (f"{link}/cancel", f"{link}/", f"{link}/nothing", f"{link}x", f"/{token}", f"/pay/{token}/status/x"):
        browser.get(path)
    browser.post(link)
    for secret in (key, jwt):
        amina.get(f"/{secret}")
        browser.get(f"/console/{secret}")
    assert len(lines(log)) == 11
    for secret in (token, token[:-1], key, jwt):
        assert secret not in str(log.entries)
    assert lines(log)[0]["path"] == "/pay/…/cancel"


def test_the_next_request_of_a_thread_does_not_inherit_them(
    amina: Client, flask_app: Flask, log: LogCapture, payment: Payment
) -> None:
    assert amina.get(f"/{payment.id}").status_code == 200
    assert structlog.contextvars.get_contextvars() == {}
    structlog.contextvars.bind_contextvars(payment="of somebody else")
    flask_app.test_client().get("/healthz")
    assert ids_on_last_line(log) == {}


def test_a_body_that_is_too_large_is_logged_with_what_it_was_for(
    amina: Client, log: LogCapture, payment: Payment
) -> None:
    assert amina.post_text(f"/refund/{payment.id}", "x" * (1024 * 1024 + 1)).status_code == 413
    assert ids_on_last_line(log) == {"payment": payment.id}
    assert lines(log)[-1]["path"] == f"{PREFIX}/refund/{payment.id}"
