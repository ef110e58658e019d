"""An application whose Stripe is the simulator, run without Celery: jobs are drained where the test stands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import stripe
from sqlalchemy import select, text

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Email, Notice, Order, Payment, PaymentEvent, ProviderCall, Review, User
from payproc.domain.money import Money
from payproc.domain.requests.order import OrderRequest
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import PaymentStatus
from payproc.flows.checkout import take_payment
from payproc.flows.inbox import accept
from payproc.providers import registry
from payproc.providers.notices import RawNotice
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.settings import StripeSettings
from payproc.records.orders import create_order
from sandbox.gateway import GatewayConfig, RunningGateway, start_gateway
from tasks import runner
from tests.support.configuration import WEBHOOK_SECRET


@pytest.fixture(scope="session")
def gateway() -> Iterator[RunningGateway]:
    """One simulator for the run; nothing is delivered by itself, tests hand events over."""
    running = start_gateway(GatewayConfig(webhook_secret=WEBHOOK_SECRET))
    yield running
    running.stop()


@dataclass(frozen=True, kw_only=True)
class World:
    """The application, its Stripe, and short words for what tests do all the time."""

    app: Application
    gateway: RunningGateway
    customer: User

    def checkout(self, **changes: Any) -> Payment:
        """Post a checkout of 19.99 USD: of the customer's own, or of whoever asks for it."""
        user = changes.pop("user", self.customer)
        request = PaymentRequest(
            money=changes.pop("money", Money.of(1999, "usd")),
            description="Two mangoes",
            success_url="https://example.com/thanks",
            cancel_url="https://example.com/basket",
            **changes,
        )
        return take_payment(self.app, request, user=user, method=STRIPE)

    def started(self, **changes: Any) -> Payment:
        """Post a checkout and let its session be made."""
        payment = self.checkout(**changes)
        self.drain()
        return self.payment(payment.id)

    def drain(self) -> None:
        """Do all work that is due, as relay and workers would."""
        while self.drain_once():
            pass

    def drain_once(self) -> int:
        dispatched = jobs.dispatch(self.app.database, limit=100, lease=timedelta(seconds=20))
        return runner.run(self.app, [(job.job_id, job.token) for job in dispatched]) if dispatched else 0

    def make_due(self) -> None:
        """Let all waiting be over."""
        with self.app.database.transaction() as session:
            session.execute(text("UPDATE jobs SET due_at = now(), leased_until = NULL WHERE state = 'ready'"))

    def age(self, table: str, row_id: str, **columns: str) -> None:
        """Set times of a row back, such as `created_at="2 days"`."""
        sets = ", ".join(f"{column} = {column} - interval '{by}'" for column, by in columns.items())
        with self.app.database.transaction() as session:
            session.execute(text(f"UPDATE {table} SET {sets} WHERE id = :id"), {"id": row_id})  # noqa: S608 (a test's own words)

    def payment(self, payment_id: str) -> Payment:
        with self.app.database.transaction() as session:
            return session.get_one(Payment, payment_id)

    def status(self, payment_id: str) -> PaymentStatus:
        return self.payment(payment_id).status

    def rows(self, model: type[Any]) -> list[Any]:
        with self.app.database.transaction() as session:
            return list(session.scalars(select(model)))

    def events(self, payment_id: str) -> list[PaymentEvent]:
        query = select(PaymentEvent).where(PaymentEvent.payment_id == payment_id).order_by(PaymentEvent.number)
        with self.app.database.transaction() as session:
            return list(session.scalars(query))

    def emails(self) -> list[Email]:
        return self.rows(Email)

    def reviews(self) -> list[Review]:
        return self.rows(Review)

    def calls(self) -> list[ProviderCall]:
        return self.rows(ProviderCall)

    def notices(self) -> list[Notice]:
        return self.rows(Notice)

    def order(self, reference: str, *, amount_minor: int = 1999) -> Order:
        with self.app.database.transaction() as session:
            return create_order(
                session, self.customer, OrderRequest(reference=reference, money=Money.of(amount_minor, "usd"))
            )

    # the simulator

    def act(self, payment: Payment, action: str) -> None:
        """Do on Stripe's page what a customer does: pay, decline, pay_later, settle, fail, expire."""
        answer = requests.post(
            f"{self.gateway.base_url}/_sandbox/sessions/{payment.stripe_session_id}/{action}", timeout=5
        )
        assert answer.ok, answer.text

    def paid(self, **changes: Any) -> Payment:
        """Post a checkout of 19.99 USD, pay it, and let all of it be told."""
        payment = self.started(**changes)
        self.act(payment, "pay")
        self.deliver_all(payment)
        self.drain()
        return self.payment(payment.id)

    def at_stripe(self, path: str, **body: Any) -> dict[str, Any]:
        """Do something by hand at Stripe: below /_sandbox."""
        # Thousands of payments take a while on a busy machine.
        answer = requests.post(f"{self.gateway.base_url}/_sandbox/{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def stripe(self) -> stripe.StripeClient:
        """Speak to Stripe as the merchant's own Dashboard would."""
        settings = self.app.settings
        assert isinstance(settings, StripeSettings)
        key = settings.stripe_secret_key.get_secret_value()
        return stripe.StripeClient(key, base_addresses={"api": self.gateway.base_url})

    def sessions_at_stripe(self) -> list[str]:
        return [session.id for session in self.stripe().v1.checkout.sessions.list({"limit": 100}).data]

    def at(self, gateway: RunningGateway) -> "World":
        """The same application with another account at Stripe."""
        return replace(self.with_settings(stripe_api_base=gateway.base_url), gateway=gateway)

    def with_settings(self, **changes: Any) -> "World":
        """The same application, set otherwise."""
        settings = self.app.settings.model_copy(update=changes)
        return replace(self, app=replace(self.app, settings=settings, providers=registry.build(settings)))

    def break_stripe(self, operation: str, fault: str, **more: Any) -> None:
        body = {"operation": operation, "fault": fault, **more}
        answer = requests.post(f"{self.gateway.base_url}/_sandbox/faults", json=body, timeout=5)
        assert answer.ok, answer.text

    def mend_stripe(self) -> None:
        requests.delete(f"{self.gateway.base_url}/_sandbox/faults", timeout=5)

    def stripe_events(self, payment: Payment) -> list[dict[str, Any]]:
        """Everything Stripe has to tell about this payment, oldest first."""
        # A refund or a dispute of the Dashboard's making knows only the intent.
        intent = self.payment(payment.id).stripe_payment_intent_id or payment.id
        mine = [event for event in self.every_event() if payment.id in str(event) or intent in str(event)]
        return sorted(mine, key=lambda event: event["created"])

    def every_event(self) -> list[dict[str, Any]]:
        """Everything Stripe has to tell, in the order it was made."""
        listed = requests.get(f"{self.gateway.base_url}/_sandbox/events", timeout=5).json()
        return list(reversed(listed))

    def requests_to(self, path: str) -> list[dict[str, Any]]:
        log = requests.get(f"{self.gateway.base_url}/_sandbox/requests", timeout=5).json()
        return [request for request in log if f"{request['method']} {request['path']}" == path]

    def deliver(self, event: dict[str, Any], *, secret: str = WEBHOOK_SECRET) -> str | None:
        """Deliver an event as Stripe does: signed, now."""
        now = datetime.now(UTC)
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, secret, int(now.timestamp()))
        raw = RawNotice(body=body.encode(), headers={"stripe-signature": header}, received_at=now)
        return accept.accept_notice(self.app, STRIPE, raw).notice_id

    def deliver_all(self, payment: Payment) -> None:
        for event in self.stripe_events(payment):
            self.deliver(event)


@pytest.fixture
def world(app: Application, gateway: RunningGateway, customer: User) -> Iterator[World]:
    requests.post(f"{gateway.base_url}/_sandbox/reset", timeout=5)
    settings = app.settings.model_copy(
        update={
            "stripe_api_base": gateway.base_url,
            "provider_read_timeout": timedelta(seconds=0.4),
        }
    )
    connected = replace(app, settings=settings, providers=registry.build(settings))
    yield World(app=connected, gateway=gateway, customer=customer)
    requests.delete(f"{gateway.base_url}/_sandbox/faults", timeout=5)
