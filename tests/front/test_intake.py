"""Notices that wait at the same time: kept by one statement, and each answered as if it had come alone."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from wsgiref.types import WSGIEnvironment

import pytest
import stripe
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from payproc.application import Application
from payproc.database.engine import Database, Parameters
from payproc.database.models import Job, Notice
from payproc.providers.easy_paisa import EASY_PAISA
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.wallet_world import NEVER, WalletWorld
from web.app import create_app

WEBHOOK = "/api/v1/payments/webhook/stripe"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request to the webhook, and what it is answered."""

    body: str
    status: int = 200
    secret: str = WEBHOOK_SECRET
    path: str = WEBHOOK
    method: str = "POST"
    agent: str = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"

    def environ(self) -> WSGIEnvironment:
        header = stripe.WebhookSignature.generate_signature_header(self.body, self.secret, int(time.time()))
        headers = [("Stripe-Signature", header), ("Content-Type", "application/json"), ("User-Agent", self.agent)]
        headers.append(("X-Request-Id", "one-name"))
        return EnvironBuilder(self.path, method=self.method, data=self.body, headers=headers).get_environ()


def event(key: str = "evt_1", **changes: Any) -> str:
    found = {"id": "cs_1", "object": "checkout.session", "status": "complete", "payment_status": "paid"}
    said = {"id": key, "object": "event", "type": "checkout.session.completed", "livemode": False}
    return json.dumps(said | {"data": {"object": found}} | changes)


GOOD = Sent(body=event())
OTHERS = {
    "another": Sent(body=event("evt_2")),
    "the same again": GOOD,
    "ignored": Sent(body=event("evt_3", type="customer.created")),
    "of the other mode": Sent(body=event("evt_4", livemode=True)),
    "foreign": Sent(body=event("evt_5"), secret="whsec_another_one_0123", status=403),
    "unreadable": Sent(body="[]", status=400),
    "not to be kept": Sent(body=event("evt_6"), agent="\0", status=422),
    "asked for": Sent(body="", method="GET", status=405),
    "of a wallet that is not set up": Sent(body="a=b", path="/api/v1/payments/easy-paisa/notify", status=404),
    "of nobody": Sent(body="{}", path="/api/v1/payments/nobody/notify", status=404),
}


class Away(Database):
    """A database that cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked = 0

    def rows(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:  # noqa: ARG002 (the real one's)
        self.asked += 1
        raise OperationalError(statement, None, Exception("away"))


def carried_out(flask_app: Flask, environ: WSGIEnvironment) -> TestResponse:
    return TestResponse(*run_wsgi_app(flask_app, environ), request=Request(environ))


def arrive(flask_app: Flask, sent: Sequence[Sent]) -> list[TestResponse]:
    """Have the front bring these at once, and carry each out."""
    environs = [each.environ() for each in sent]
    flask_app.extensions["intake"].take(environs)
    return [carried_out(flask_app, environ) for environ in environs]


def kept(app: Application) -> set[tuple[str, str, str | None]]:
    with app.database.transaction() as session:
        jobs = {job.subject: job.kind for job in session.scalars(select(Job))}
        return {(each.key, each.state, jobs.get(each.id)) for each in session.scalars(select(Notice))}


def forget(app: Application) -> None:
    with app.database.transaction() as session:
        session.execute(delete(Job))
        session.execute(delete(Notice))


@pytest.mark.parametrize("name", OTHERS)
def test_a_good_one_among_others_is_kept_and_each_is_answered_as_if_alone(app: Application, name: str) -> None:
    other, flask_app = OTHERS[name], create_app(app)
    alone = [arrive(flask_app, [each])[0] for each in (GOOD, other, GOOD)]
    kept_alone = kept(app)
    forget(app)

    together = arrive(flask_app, [GOOD, other, GOOD])

    assert [answer.status_code for answer in together] == [200, other.status, 200]
    assert [(answer.status, answer.data) for answer in together] == [(answer.status, answer.data) for answer in alone]
    assert kept(app) == kept_alone
    assert ("evt_1", "new", "notice.apply") in kept_alone


def test_the_answer_is_the_views_own(app: Application) -> None:
    flask_app = create_app(app)
    [brought] = arrive(flask_app, [GOOD])
    by_itself = carried_out(flask_app, GOOD.environ())
    assert brought.data == by_itself.data
    assert dict(brought.headers) == dict(by_itself.headers)


def test_a_page_of_another_site_hears_from_the_view_what_it_may_read(app: Application) -> None:
    flask_app = create_app(
        replace(app, settings=app.settings.model_copy(update={"cors_origins": ("https://a.example",)}))
    )
    environ = GOOD.environ() | {"HTTP_ORIGIN": "https://a.example"}
    flask_app.extensions["intake"].take([environ])
    answer = carried_out(flask_app, environ)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_the_line_of_each_names_its_own_notice(app: Application) -> None:
    flask_app = create_app(app)
    with capture_logs() as lines:
        arrive(flask_app, [GOOD, OTHERS["another"], GOOD])
    with app.database.transaction() as session:
        ids = {notice.key: notice.id for notice in session.scalars(select(Notice))}
    assert [line.get("notice") for line in lines] == [ids["evt_1"], ids["evt_2"], None]
    assert {(line["event"], line["method"], line["path"], line["status"]) for line in lines} == {
        ("request", "POST", WEBHOOK, 200)
    }
    assert all(line["ms"] >= 0 for line in lines)


def test_a_wallets_hint_among_them_is_taken_by_itself(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(easy_paisa_dialect="rest-v4")
    payment = world.begin(EASY_PAISA, phone=NEVER)
    said = {"transactionId": payment.reference, "transactionStatus": "success"}
    hint = Sent(body=json.dumps(said), path="/api/v1/payments/easy-paisa/notify")
    answers = arrive(create_app(world.app), [GOOD, hint])
    assert [answer.json for answer in answers] == [{"status": "received"}] * 2
    assert {(notice.provider, notice.state) for notice in world.notices()} == {
        ("stripe", "new"),
        (EASY_PAISA, "applied"),
    }


def test_where_the_database_is_away_each_is_asked_for_again_and_it_was_tried_once(app: Application) -> None:
    away = Away(app.database)
    flask_app = create_app(replace(app, database=away))
    answers = arrive(flask_app, [GOOD, OTHERS["foreign"], OTHERS["another"]])
    assert [answer.status_code for answer in answers] == [503, 403, 503]
    assert away.asked == 1
    assert kept(app) == set()


@given(order=st.permutations([*OTHERS, "another", "ignored"]), cuts=st.sets(st.integers(1, 11)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_and_however_they_arrive_the_same_is_kept(
    app: Application, order: list[str], cuts: set[int]
) -> None:
    forget(app)
    flask_app = create_app(app)
    for first, last in pairwise([0, *sorted(cuts), len(order)]):
        sent = [OTHERS[name] for name in order[first:last]]
        assert [answer.status_code for answer in arrive(flask_app, sent)] == [each.status for each in sent]
    assert kept(app) == {
        ("evt_1", "new", "notice.apply"),
        ("evt_2", "new", "notice.apply"),
        ("evt_3", "ignored", None),
        ("evt_4", "ignored", None),
    }
