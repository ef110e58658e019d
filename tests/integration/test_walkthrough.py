"""`docs/walkthrough.md`, walked: its functions exist, and are called in its order, once each on its list."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import pytest
import stripe
from flask.testing import FlaskClient

from payproc.domain.states import PaymentStatus
from payproc.records.identity.users import issue_key
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.databases import ROOT
from tests.support.world import World
from web.app import create_app

API = "/api/v1/payments"
OURS = ("payproc.", "web.", "tasks.")
MOST_STEPS = 15
_STEP = re.compile(r"^\d+\. `([\w.<>]+)` ", re.MULTILINE)


def walks() -> dict[str, list[str]]:
    page = (ROOT / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    title, *sections = re.split(r"^## ", page, flags=re.MULTILINE)
    assert title
    return {text.partition("\n")[0]: _STEP.findall(text) for text in sections}


class Walk:
    """What was called meanwhile, by its whole name, in the order of the first calls."""

    def __init__(self) -> None:
        self.called: dict[str, None] = {}

    @contextmanager
    def recorded(self) -> Iterator[None]:
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _note(self, frame: FrameType, event: str, _argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith(OURS):
            self.called.setdefault(f"{module}.{frame.f_code.co_qualname}")

    def passed(self, steps: Sequence[str]) -> list[str]:
        """Those of the steps that were called, in the order in which they were."""
        wanted = set(steps)
        return [name for name in self.called if name in wanted]


@pytest.fixture
def walk() -> Walk:
    return Walk()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return create_app(world.app).test_client()


@pytest.fixture
def amina(world: World) -> dict[str, str]:
    with world.app.database.transaction() as session:
        return {"Authorization": f"Bearer {issue_key(session, world.customer)}"}


@pytest.fixture
def deliver(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the relay find what is due and a worker do it; only the broker between them is left out."""
    secret = world.app.settings.secret_key.get_secret_value()
    for name, value in {
        "DATABASE_URL": world.app.settings.database_url,
        "SECRET_KEY": secret,
        "STRIPE_SECRET_KEY": "sk_test_payproc",
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    from tasks import relay, tasks  # noqa: PLC0415 (reads the environment as it is imported)

    monkeypatch.setattr(tasks, "application", lambda: world.app)
    monkeypatch.setattr("tasks.relay.backlog.lengths", dict)
    monkeypatch.setattr("tasks.relay.celery.send_task", lambda _name, args, **_: tasks.run(*args))

    def work() -> None:
        while relay.dispatch_due(world.app):
            pass

    return work


def webhook(client: FlaskClient, world: World, event: dict[str, Any]) -> None:
    body = json.dumps(event)
    now = int(datetime.now(UTC).timestamp())
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, now)
    assert client.post(f"{API}/webhook/stripe", data=body, headers={"Stripe-Signature": header}).status_code == 200
    assert world.notices()


@pytest.mark.parametrize("walk_name", walks())
def test_a_walk_passes_each_function_once_and_not_too_many(walk_name: str) -> None:
    steps = walks()[walk_name]
    assert len(steps) == len(set(steps))
    assert 0 < len(steps) <= MOST_STEPS


def test_a_webhook_walks_as_the_page_says(
    walk: Walk, client: FlaskClient, world: World, deliver: Callable[[], None]
) -> None:
    payment = world.started()
    world.act(payment, "pay")
    (paid,) = (event for event in world.stripe_events(payment) if event["type"] == "checkout.session.completed")
    with walk.recorded():
        webhook(client, world, paid)
        deliver()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert walk.passed(walks()["A webhook"]) == walks()["A webhook"]


def test_a_checkout_walks_as_the_page_says(
    walk: Walk, client: FlaskClient, world: World, deliver: Callable[[], None], amina: dict[str, str]
) -> None:
    world.started()  # from now on Stripe knows the customer
    urls = {"success_url": "https://example.com/thanks", "cancel_url": "https://example.com/basket"}
    body = {"amount": "19.99", "currency": "usd", "description": "Two mangoes", **urls}
    with walk.recorded():
        answer = client.post(f"{API}/checkout", json=body, headers=amina | {"Idempotency-Key": "one"})
        deliver()

    assert answer.status_code == 202, answer.text
    assert answer.json is not None
    assert world.payment(answer.json["payment_id"]).stripe_session_id
    assert walk.passed(walks()["A checkout"]) == walks()["A checkout"]


def test_a_refund_walks_as_the_page_says(
    walk: Walk, client: FlaskClient, world: World, deliver: Callable[[], None], amina: dict[str, str]
) -> None:
    payment = world.paid()
    with walk.recorded():
        assert client.post(f"{API}/refund/{payment.id}", json={}, headers=amina).status_code == 202
        deliver()

    assert world.status(payment.id) is PaymentStatus.REFUNDED
    assert walk.passed(walks()["A refund"]) == walks()["A refund"]


def test_a_poll_walks_as_the_page_says(walk: Walk, world: World, deliver: Callable[[], None]) -> None:
    payment = world.started()
    world.act(payment, "pay")
    world.make_due()
    with walk.recorded():
        deliver()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert walk.passed(walks()["A poll"]) == walks()["A poll"]
