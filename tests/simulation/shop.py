"""One simulated shop: its application, its gateways, its broker and its clock, all of this process."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest.mock import patch

import psycopg
import stripe
from flask.testing import FlaskClient
from sqlalchemy import select

from payproc.application import Application, Letter
from payproc.bootstrap import settings_type
from payproc.database.models import Job, JobState, Payment, Refund, Review, Role, User
from payproc.flows.inbox import accept
from payproc.outgoing.mail.smtp import MailUnavailable
from payproc.providers import registry
from payproc.providers.notices import RawNotice
from payproc.providers.stripe import STRIPE as METHOD
from payproc.records.identity.users import create_user
from sandbox.gateway import STRIPE, WALLETS, create_app
from sandbox.stripe.account import outcomes, refunds
from sandbox.stripe.simulator import Simulator
from sandbox.wallets.config import WalletTimes
from sandbox.wallets.notices import now_ms
from sandbox.wallets.service import WalletService
from tests.simulation.fate import Fate, Moment, MortalDatabase, between_statements
from tests.simulation.workers import Broker, employed
from tests.simulation.world.chance import chance_of
from tests.simulation.world.clock import Clock, clock_of
from tests.simulation.world.wire import FRONT, GATEWAY, Front, Wire, wired
from tests.support.configuration import WEBHOOK_SECRET, settings_of_a_test
from tests.support.mailbox import parsed
from tests.support.wallet_world import gateway_config, wallet_settings

Row = TypeVar("Row")

# A card's refund can be cancelled for a while although it `succeeded` ("Canceling a refund", support.stripe.com,
# November 2026).
_CANCELLED_IN_THE_DASHBOARD = {refunds.Ending.CANCEL: ("pending", "requires_action", "succeeded")}
# Nobody waits for an answer here, and nothing happens by itself but when time passes.
_TIMES = WalletTimes(hold=0, person_wait=0, paid_after=120, late_after=7200)


@dataclass(kw_only=True)
class Post:
    """The mail server, and everything that it took. `troubles`: so many mails more it does not take now."""

    fate: Fate
    taken: list[EmailMessage] = field(default_factory=list)
    troubles: int = 0

    @contextmanager
    def connection(self) -> Iterator["Post"]:
        yield self

    def post(self, letter: Letter) -> None:
        self.fate.come_to(Moment.BEFORE_MAIL)
        if self.troubles:
            self.troubles -= 1
            self.fate.met["a mail that is not taken"] += 1
            raise MailUnavailable("the mail server is busy")
        self.taken.append(parsed(letter))
        self.fate.come_to(Moment.AFTER_MAIL)


@dataclass(frozen=True, kw_only=True)
class Shop:
    """Everything an action may touch."""

    app: Application
    bank: Simulator
    wallets: WalletService
    gateways: FlaskClient
    broker: Broker
    clock: Clock
    fate: Fate
    post: Post
    customers: tuple[User, ...]
    operator: User
    # Whoever approves what the operator has drafted.
    colleague: User
    # Where statements are put.
    directory: Path
    done: Counter[str]
    dropped: set[str] = field(default_factory=set)
    delivered: set[str] = field(default_factory=set)
    # Payments that somebody completed by mistake, and lines of statements that were told otherwise than they are.
    mistaken: set[str] = field(default_factory=set)
    lied_about: set[str] = field(default_factory=set)

    def at_gateway(self, path: str, **body: Any) -> bool:
        """Do something by hand at a gateway: below /_sandbox. Tell whether it could be done."""
        answer = self.gateways.post(f"/_sandbox/{path}", json=body)
        assert answer.status_code < 500, answer.text
        return answer.status_code < 300

    def listed(self, kind: str) -> list[dict[str, Any]]:
        """Return what Stripe has of a kind, oldest first."""
        with self.bank.store.transaction() as connection:
            rows = connection.execute("SELECT body FROM objects WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
        return [json.loads(row["body"]) for row in rows]

    def deliver(self, event: dict[str, Any]) -> None:
        """Bring an event of Stripe's as it would: signed, now. Raises Death, or one of PASSING_TROUBLE."""
        body = json.dumps({name: value for name, value in event.items() if not name.startswith("_")})
        now = datetime.now(UTC)
        header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, int(now.timestamp()))
        raw = RawNotice(body=body.encode(), headers={"stripe-signature": header}, received_at=now)
        accept.accept_notice(self.app, METHOD, raw)
        self.delivered.add(event["id"])

    def undelivered(self) -> list[dict[str, Any]]:
        """Return the events that may still come, oldest first."""
        gone = self.delivered | self.dropped
        return [event for event in self.listed("event") if event["id"] not in gone]

    def notices_waiting(self) -> list[sqlite3.Row]:
        """Return the wallets' notices that are to be brought now, oldest first."""
        due = "SELECT * FROM wallet_notices WHERE state = 'pending' AND next_attempt_ms <= ? ORDER BY id"
        with self.wallets.store.transaction() as connection:
            return list(connection.execute(due, (now_ms(),)))

    def bring_notice(self, notice: sqlite3.Row) -> None:
        """Bring one of the wallets' notices, before those that wait longer."""
        self.wallets.postman._attempt(notice)  # noqa: SLF001 (it is handed the oldest, where nobody chooses)

    def give_back_at_stripe(self, charge: str, amount: int) -> bool:
        """Give money back in Stripe's Dashboard; tell whether it could be done."""
        return self._asked_at_stripe("refunds", charge=charge, amount=amount) is not None

    def session_beside_ours(self, payment: Payment, *, amount: int) -> str | None:
        """Make a session at Stripe as another program of the merchant's would, under our mark; return its id."""
        line = "line_items[0]"
        made = self._asked_at_stripe(
            "checkout/sessions",
            **{
                "mode": "payment",
                "success_url": "https://example.com/thanks",
                f"{line}[quantity]": 1,
                f"{line}[price_data][currency]": payment.currency,
                f"{line}[price_data][unit_amount]": amount,
                f"{line}[price_data][product_data][name]": "Two mangoes",
                "metadata[payment_id]": payment.id,
                "payment_intent_data[metadata][payment_id]": payment.id,
            },
        )
        return None if made is None else str(made["id"])

    def _asked_at_stripe(self, path: str, **parameters: Any) -> dict[str, Any] | None:
        headers = {"Authorization": "Bearer sk_test_payproc"}
        answer = self.gateways.post(f"/v1/{path}", data=parameters, headers=headers)
        return answer.get_json(silent=True) if answer.status_code < 300 else None

    def payments(self) -> list[Payment]:
        return self._rows(select(Payment).order_by(Payment.id))

    def refunds(self) -> list[Refund]:
        return self._rows(select(Refund).order_by(Refund.id))

    def open_reviews(self) -> list[Review]:
        return self._rows(select(Review).where(Review.resolved_at.is_(None)).order_by(Review.id))

    def dead_jobs(self) -> list[Job]:
        return self._rows(select(Job).where(Job.state == JobState.DEAD).order_by(Job.id))

    def ready_jobs(self) -> list[Job]:
        return self._rows(select(Job).where(Job.state == JobState.READY).order_by(Job.id))

    def one(self, kind: type[Row], id_: str) -> Row:
        """Return a row by its id."""
        return self.app.database.read(lambda session: session.get_one(kind, id_))

    def user(self, number: int) -> User:
        return self.customers[number % len(self.customers)]

    def pass_time(self, by: timedelta) -> None:
        """Let time pass for everybody; what the gateways had arranged for it happens."""
        self.clock.move(by)
        outcomes.expire_overdue(self.bank)
        outcomes.ring_alarms(self.bank)
        refunds.ring_refund_alarms(self.bank)
        self.wallets.timers.ring()

    def _rows(self, query: Any) -> list[Any]:
        # Reading commits nothing: what the driver looks at is no moment of a process.
        return list(self.app.database.read(lambda session: session.scalars(query).all()))


@contextmanager
def opened(url: str, seed: int, *, connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[Shop]:
    """Open a shop over a clean database with a clock of its own; `connection` is the driver's way to it."""
    with ExitStack() as held:
        clock = held.enter_context(clock_of(connection))
        held.enter_context(chance_of(seed))
        fate, broker = Fate(), Broker()
        database = MortalDatabase(url, fate)
        held.callback(database.dispose)
        post = Post(fate=fate)
        settings = _settings(url)
        app = Application(settings=settings, database=database, providers=registry.build(settings), mailer=post)
        gateways = create_app(gateway_config(FRONT, times=_TIMES))
        held.callback(gateways.extensions[STRIPE].store.close)
        held.enter_context(wired(Wire(gateways, fate), Front(app)))
        held.enter_context(employed(broker))
        held.enter_context(between_statements(fate))
        held.enter_context(patch.dict(refunds.POSSIBLE_FROM, _CANCELLED_IN_THE_DASHBOARD))
        directory = Path(held.enter_context(TemporaryDirectory()))
        with database.transaction() as session:
            customers = tuple(
                create_user(session, email=f"{name}@example.com", name=name, role=Role.CUSTOMER)
                for name in ("amina", "bilal", "chand")
            )
            operator, colleague = (
                create_user(session, email=f"{name}@example.com", name=name, role=Role.ADMIN)
                for name in ("omar", "parveen")
            )
        yield Shop(
            app=app,
            bank=gateways.extensions[STRIPE],
            wallets=gateways.extensions[WALLETS],
            gateways=gateways.test_client(),
            broker=broker,
            clock=clock,
            fate=fate,
            post=post,
            customers=customers,
            operator=operator,
            colleague=colleague,
            directory=directory,
            done=Counter(),
        )


def _settings(url: str) -> Any:
    told = wallet_settings(settings_of_a_test(url), GATEWAY, FRONT)
    return settings_type()(
        **told
        | {
            "stripe_api_base": GATEWAY,
            "jazz_cash_dialect": "mwallet-2.0",
            "easy_paisa_dialect": "rest-v4",
            "operator_mail": "operators@example.com",
            "refund_by_owner": "request",
            "work_lease": timedelta(seconds=20),
            "retry_base": timedelta(seconds=2),
        }
    )
