"""The real front over a real database, a wallet's page that writes down what it was sent, and Chromium."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, redirect, request
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from payproc.application import Application
from payproc.database.models import Payment, Source, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import EASY_PAISA, JAZZ_CASH, STRIPE, PaymentMethod
from payproc.flows import checkout
from payproc.flows.checkout import PaymentRequest
from payproc.providers.base import AwaitCustomer, NextAction, Outcome, StartResult, Verdict
from payproc.records import outcomes
from payproc.records.payments import Told
from payproc.settings import Settings
from tests.conftest import test_settings as settings_of_a_test
from tests.support.serving import Slot
from web.app import create_app
from web.pay import links

CHROMIUM = "/usr/bin/chromium"
FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync
"""
# Whatever the browser wants besides the two servers of a test does not exist.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
PHONE = "03001234567"

# A change is noticed after two seconds at best, and the machine may have other things to do.
expect.set_options(timeout=20_000)


@contextmanager
def served(app: Callable[..., Iterable[bytes]], *, name: str) -> Iterator[str]:
    """Serve an application in a thread; `name` is what this machine is called in its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://{name}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Wallet:
    """A wallet's pages: writes down every form, and answers as it is told to."""

    url: str = ""
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    sends_on_to: str = "/its-own-page"

    def app(self) -> Flask:
        pages = Flask("wallet")
        pages.add_url_rule("/ApplicationAPI/API/", view_func=self.take, methods=["POST"])
        pages.add_url_rule("/easypay/Confirm.jsf", view_func=self.take, methods=["POST"])
        pages.add_url_rule("/<page>", view_func=self.show)
        return pages

    def take(self) -> Response:
        self.forms.append(request.form.to_dict(flat=False))
        self.orders.append(",".join(request.form))
        return redirect(self.sends_on_to, 303)

    def show(self, page: str) -> str:
        return f'<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>{page}</title><h1>{page}</h1>'


@pytest.fixture
def wallet() -> Iterator[Wallet]:
    made = Wallet()
    # By another name than the front's: to a browser these are two sites.
    with served(made.app(), name="localhost") as made.url:
        yield made


class Front(Slot):
    """A server that is told later what it serves: the settings need its address first."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""


@pytest.fixture
def front() -> Iterator[Front]:
    made = Front()
    with served(made, name="127.0.0.1") as made.url:
        yield made


@pytest.fixture
def settings(database_url: str, wallet: Wallet, front: Front) -> Settings:
    return settings_of_a_test(
        database_url,
        public_base_url=front.url,
        allow_guide_dialect=True,
        jazz_cash_merchant_id="MC00001",
        jazz_cash_password="pw12345678",
        jazz_cash_integrity_salt="TESTSALT01",
        jazz_cash_base_url=wallet.url,
        easy_paisa_dialect="rest-v4",
        easy_paisa_store_id="1234",
        easy_paisa_username="shop",
        easy_paisa_password="pw12345678",
        easy_paisa_account_number="987654321",
        easy_paisa_base_url=wallet.url,
    )


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A merchant with payments in every state, and short words to get them there."""

    app: Application
    wallet: Wallet
    front: Front
    customer: User

    def take(self, method: PaymentMethod, **changes: Any) -> Payment:
        wanted: dict[str, Any] = {
            "money": Money.of(1999, "usd") if method == STRIPE else Money.of(125050, "pkr"),
            "description": "Two crates of Chaunsa mangoes",
            "success_url": f"{self.wallet.url}/thanks",
            "cancel_url": f"{self.wallet.url}/basket",
            "phone": None if method == STRIPE else PHONE,
        }
        with self.app.database.transaction() as session:
            request_ = PaymentRequest(**(wanted | changes))
            return checkout.take_payment(self.app, session, request_, user=self.customer, method=method)

    def by_form(self, **changes: Any) -> Payment:
        return self.take(JAZZ_CASH, **changes)

    def by_push(self, **changes: Any) -> Payment:
        return self.take(EASY_PAISA, **changes)

    def by_token(self) -> Payment:
        payment = self.by_push()
        until = datetime(2026, 9, 1, 18, 59, tzinfo=UTC)
        self.begin(payment, AwaitCustomer(token="84710362"), expires_at=until)
        return payment

    def begin(self, payment: Payment, action: NextAction, *, expires_at: datetime | None = None) -> None:
        result = StartResult(next_action=action, references={}, expires_at=expires_at)
        with self.app.database.transaction() as session:
            outcomes.record_start(session, payment.id, result, told=Told(source=Source.API))

    def end(self, payment: Payment, verdict: Verdict, **said: Any) -> None:
        if verdict is Verdict.PAID:
            said = {"money": payment.money} | said
        with self.app.database.transaction() as session:
            outcome = Outcome(verdict=verdict, **said)
            outcomes.apply_outcome(
                session, payment.id, outcome, told=Told(source=Source.POLL, evidence="job_of_a_test")
            )

    def age(self, payment: Payment, by: timedelta) -> None:
        with self.app.database.transaction() as session:
            session.get_one(Payment, payment.id).created_at = payment.created_at - by

    def link(self, payment: Payment) -> str:
        assert isinstance(self.front.app, Flask)
        with self.front.app.app_context():
            return links.url_of(payment.id)


@pytest.fixture
def shop(app: Application, wallet: Wallet, front: Front, customer: User) -> Iterator[Shop]:
    front.app = create_app(app)
    yield Shop(app=app, wallet=wallet, front=front, customer=customer)
    front.clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the whole run: Playwright keeps an event loop in this thread for as long as it lives.
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS.split(), NOWHERE])
        yield running
        running.close()


@dataclass
class Watch:
    """Everything a page did that a page of ours must not do."""

    ours: set[str]
    wrong: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("console", self._spoke)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        context.on("request", self._asked)

    def _spoke(self, message: ConsoleMessage) -> None:
        # A violated policy is an error here, too.
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, asked: Request) -> None:
        parts = urlsplit(asked.url)
        if parts.scheme != "data" and parts.netloc not in self.ours:
            self.wrong.append(f"request: {asked.url}")

    def forgive(self, pattern: str) -> None:
        """Let a test that breaks something on purpose hear of it."""
        self.forgiven.append(pattern)

    def check(self) -> None:
        left = [what for what in self.wrong if not any(re.search(pattern, what) for pattern in self.forgiven)]
        assert left == []


OpenPage = Callable[..., Page]


@pytest.fixture
def watch(shop: Shop) -> Watch:
    return Watch(ours={urlsplit(url).netloc for url in (shop.front.url, shop.wallet.url)})


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Open a browser window of its own; at the end nothing may have gone wrong in any."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 360, "height": 740}, "locale": "en-GB"} | options))
        contexts.append(context)
        watch.over(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    watch.check()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()
