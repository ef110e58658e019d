"""A shop as the document's examples know it: every id that they name is somebody's there."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from payproc import jobs
from payproc.application import Application
from payproc.database.models import (
    Dispute,
    DisputeEvent,
    Event,
    Loop,
    Payment,
    ReconciliationRun,
    Role,
    RunState,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.order import OrderRequest
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import DisputeStatus, Effect, Fact
from payproc.flows import checkout
from payproc.flows.request_refund import request_refund
from payproc.outgoing.webhooks.event_types import EventType
from payproc.providers.stripe import STRIPE
from payproc.records import orders, payments
from payproc.records.identity.permissions import RULES, Reach
from payproc.records.identity.users import create_user
from tests.support.databases import ROOT
from web.app import Web
from web.auth import act_of
from web.docs import document

RECORDED = ROOT / "web" / "docs" / "examples.json"
HOOK = "https://shop.example.com/hooks/payproc"
# Nobody's.
SECRET = f"whsec_{'A' * 43}="
_SUFFIX = "01kaw5m0v7e1cbb4wsy0s9p6jd"
# Of what nobody can send as it stands: each signature covers the moment at which it was made.
UNSENT = {
    "notices.stripe_webhook": "signed by Stripe, and old after five minutes",
    **{
        f"notices.{verb}_{wallet}_{what}": "sent by a wallet, in the words of its dialect"
        for verb in ("get", "post")
        for wallet in ("jazz_cash", "easy_paisa")
        for what in ("notify", "return")
    },
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """One operation, and the request that the document shows for it."""

    endpoint: str
    method: str
    path: str
    body: Any = None

    def send(self, flask_app: Flask, key: str | None) -> TestResponse:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return flask_app.test_client().open(self.path, method=self.method, json=self.body, headers=headers)


def examples_of(flask_app: Flask) -> Iterator[Example]:
    """Read the example of each operation from the document."""
    assert isinstance(flask_app, Web)
    endpoints = {
        (rule.rule.replace("<", "{").replace(">", "}"), method): rule.endpoint
        for rule in flask_app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    with flask_app.app_context():
        spec = document(flask_app)
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            yield Example(
                endpoint=endpoints[path, method.upper()],
                method=method.upper(),
                path=_filled(path, operation),
                body=content.get("application/json", {}).get("example"),
            )


def _filled(path: str, operation: Mapping[str, Any]) -> str:
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["schema"]["examples"][0])
    return path


def open_shop(app: Application, *, paid: bool) -> dict[Role, User]:
    """Write down whom and what the examples name; the payment is `paid`, or still open."""
    people = _people(app)
    payer, shop = people[Role.CUSTOMER], people[Role.SHOP]
    with app.database.transaction() as session, patch.object(orders, "new_id", lambda prefix: f"{prefix}_{_SUFFIX}"):
        wanted = OrderRequest(reference="A-16", money=Money.of(125050, "pkr"), description="Two mangoes")
        orders.create_order(session, payer, wanted, by=shop)
    request = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
    with patch.object(payments, "new_id", lambda prefix: f"{prefix}_{_SUFFIX}"):
        made = checkout.take_payment(app, request, user=payer, method=STRIPE)
    with app.database.transaction() as session:
        session.get_one(Payment, made.id).shop_id = shop.id
        session.add(_run())
        _open_endpoint(app, session, shop)
    if paid:
        _pay(app, made.id, payer)
    return people


def _people(app: Application) -> dict[Role, User]:
    people: dict[Role, User] = {}
    with app.database.transaction() as session:
        for role in (Role.SHOP, Role.OPERATOR, Role.ADMIN):
            people[role] = create_user(session, email=f"{role}@example.com", name=f"The {role}", role=role)
        people[Role.CUSTOMER] = User(
            id=f"usr_{_SUFFIX}",
            email="amina@example.com",
            full_name="Amina Khan",
            role=Role.CUSTOMER,
            shop_id=people[Role.SHOP].id,
            reference="customer-17",
            phone="0300****567",
        )
        session.add(people[Role.CUSTOMER])
    return people


def _pay(app: Application, payment_id: str, payer: User) -> None:
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, payment_id, Fact.PAID, provenance=told)
        request_refund(
            app, session, payment_id, user=payer, money=Money.of(100, "usd"), named=f"ref_{_SUFFIX}", reason="Not ripe"
        )


def _open_endpoint(app: Application, session: Session, shop: User) -> None:
    secret = app.webhook_cipher.encrypt(SECRET)
    endpoint = WebhookEndpoint(id=f"whe_{_SUFFIX}", shop_id=shop.id, url=HOOK, encrypted_secret=secret)
    told = EventType.WEBHOOK_TEST
    data = f'{{"endpoint_id":"{endpoint.id}"}}'
    event = Event(id=f"evt_{_SUFFIX}", type=told, shop_id=shop.id, subject=endpoint.id, sequence=1, data=data)
    session.add_all([endpoint, event])
    session.flush()
    session.add(WebhookDelivery(id=f"dlv_{_SUFFIX}", event_id=event.id, endpoint_id=endpoint.id))
    session.flush()
    jobs.stage(session, jobs.Kind.DELIVER_WEBHOOK, f"dlv_{_SUFFIX}")


def dispute(app: Application) -> None:
    """Have the customer's bank ask the payment's money back: nobody refunds it then."""
    with app.database.transaction() as session:
        session.add(
            Dispute(
                id=f"dsp_{_SUFFIX}",
                payment_id=f"pay_{_SUFFIX}",
                provider=STRIPE,
                provider_dispute_id="dp_1PqX",
                amount_minor=1999,
                currency="usd",
                status=DisputeStatus.NEEDS_RESPONSE,
                reason="fraudulent",
                reported_at=datetime.now(UTC),
            )
        )
        session.flush()
        status = DisputeStatus.NEEDS_RESPONSE
        moved = DisputeEvent(dispute_id=f"dsp_{_SUFFIX}", told=status, to_status=status)
        moved.effect, moved.source = Effect.MOVED, Source.NOTICE
        session.add(moved)


def _run() -> ReconciliationRun:
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    return ReconciliationRun(
        id=f"run_{_SUFFIX}",
        loop=Loop.OBJECTS,
        provider=STRIPE,
        period="2026-11-30",
        state=RunState.DONE,
        window_begin=moment,
        window_end=moment,
        finished_at=datetime.now(UTC),
    )


def caller_of(flask_app: Flask, endpoint: str) -> Role | None:
    """Return the first who may do it: a customer, else a shop, else the staff."""
    act = act_of(flask_app, endpoint)
    if act is None:
        return None
    return next(role for role in (Role.CUSTOMER, Role.SHOP, Role.OPERATOR) if RULES[act].reach[role] is not Reach.NONE)


def shape(value: Any) -> Any:
    """Return what of an answer is the same whenever it is given: names and kinds."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__ if not isinstance(value, float) else "int"


def record(endpoint: str, answer: TestResponse) -> None:
    """Write an answer down as the document's example."""
    kept = json.loads(RECORDED.read_text(encoding="utf-8"))
    shown = json.loads(answer.text)
    if "secret" in shown:
        shown["secret"] = SECRET
    kept[endpoint] = {"answers": {str(answer.status_code): shown}}
    text = json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True)
    RECORDED.write_text(f"{text}\n", encoding="utf-8")
