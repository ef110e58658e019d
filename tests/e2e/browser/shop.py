"""A merchant with payments in every state, and a wallet's page that writes down what it was sent."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, redirect, request
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from payproc.application import Application
from payproc.database.models import Payment, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.flows import checkout
from payproc.providers.answers import AwaitCustomer, NextAction, Outcome, StartResult, Verdict
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from payproc.records import outcomes
from tests.support.serving import Slot
from web.pay import links

PHONE = "03001234567"


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


class Front(Slot):
    """A server that is told later what it serves: the settings need its address first."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""


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
        request_ = PaymentRequest(**(wanted | changes))
        return checkout.take_payment(self.app, request_, user=self.customer, method=method)

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
            outcomes.record_start(session, payment.id, result, provenance=Provenance(source=Source.API))

    def end(self, payment: Payment, verdict: Verdict, **said: Any) -> None:
        if verdict is Verdict.PAID:
            said = {"money": payment.money} | said
        with self.app.database.transaction() as session:
            outcome = Outcome(verdict=verdict, **said)
            outcomes.apply_outcome(
                session, payment.id, outcome, provenance=Provenance(source=Source.POLL, evidence="job_of_a_test")
            )

    def age(self, payment: Payment, by: timedelta) -> None:
        with self.app.database.transaction() as session:
            session.get_one(Payment, payment.id).created_at = payment.created_at - by

    def link(self, payment: Payment) -> str:
        assert isinstance(self.front.app, Flask)
        with self.front.app.app_context():
            return links.url_of(payment.id)
