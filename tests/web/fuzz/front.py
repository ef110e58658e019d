"""The real front over a real database, with everybody who may call it, and all that has been seen of its rows."""

from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy import select
from structlog.testing import capture_logs

from payproc.application import Application
from payproc.bootstrap import application_from, settings_type
from payproc.database.models import Event, Payment, Role, Scope, WebhookDelivery
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.order import OrderRequest
from payproc.domain.states import Fact
from payproc.operations.doctor import broken_invariants
from payproc.records import payments
from payproc.records.identity.users import create_user, issue_key
from payproc.records.orders import create_order
from payproc.settings.connections import Pools
from tests.support.configuration import settings_of_a_test
from tests.support.seeding import Seeded
from tests.support.shops.webhooks import endpoint_at, told
from tests.support.wallet_world import wallet_settings
from tests.web.fuzz.written import Written
from web.app import create_app

PAYMENTS = "/api/v1/payments"
# Nobody listens there: whatever were to call a provider would be refused.
_NOWHERE = "http://127.0.0.1:9"
_PEOPLE = {Role.CUSTOMER: "amina", Role.OPERATOR: "omar", Role.ADMIN: "adil"}


@dataclass(frozen=True, kw_only=True)
class Front:
    """The front, the Authorization headers of its callers, and the ids that they may name."""

    app: Application
    flask_app: Flask
    written: Written
    callers: tuple[str | None, ...]
    known: dict[str, list[str]]
    # What was logged since the last request began.
    lines: list[MutableMapping[str, Any]]
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def gateway(self) -> str:
        """Return the address at which Easypaisa's gateway is said to be."""
        return f"{_NOWHERE}/easypaisa"

    def learn(self, body: Mapping[str, Any]) -> None:
        """Remember what an answer names, so that later requests may name it too."""
        for name, said_as in (("payment_id", "payment_id"), ("cursor", "next_cursor")):
            value, ids = body.get(said_as), self.known[name]
            if isinstance(value, str) and value not in ids and len(ids) < _MOST_KNOWN:
                ids.append(value)


_MOST_KNOWN = 500


@contextmanager
def front_over(url: str, **changes: Any) -> Iterator[Front]:
    """Put a front together over a clean database; when it is over, every invariant must hold."""
    words = wallet_settings(settings_of_a_test(url, stripe_api_base=_NOWHERE), _NOWHERE, "http://127.0.0.1:8400")
    # All requests are of one address, which may tell so much in no time.
    words |= {"hints_per_minute": 1_000_000_000}
    app = application_from(settings_type()(**(words | changes)), pools=Pools(transactions=2, statements=2))
    flask_app = create_app(app)
    known, callers = _peopled(app, flask_app)
    written = Written(url=url)
    try:
        with capture_logs() as lines:
            yield Front(app=app, flask_app=flask_app, written=written, callers=callers, known=known, lines=lines)
        with app.database.transaction() as session:
            assert not broken_invariants(session)
    finally:
        written.close()
        app.database.dispose()


def _peopled(app: Application, flask_app: Flask) -> tuple[dict[str, list[str]], tuple[str | None, ...]]:
    with app.database.transaction() as session:
        people = {
            role: create_user(session, email=f"{name}@example.com", name=name, role=role)
            for role, name in _PEOPLE.items()
        }
        keys = {role: issue_key(session, user) for role, user in people.items()}
        narrow = [issue_key(session, people[Role.ADMIN], scopes={scope}) for scope in (Scope.READ, Scope.METRICS)]
        orders = [
            create_order(
                session,
                people[Role.CUSTOMER],
                OrderRequest(reference=f"order-{number}", money=Money.of(1999, currency)),
            )
            for number, currency in enumerate(("usd", "pkr") * 10)
        ]
        # Each is erased, and each endpoint deleted, by whoever draws it first.
        others = [
            create_user(session, email=f"customer-{number}@example.com", name="Bilal", role=Role.CUSTOMER)
            for number in range(30)
        ]
        # Whose endpoints they are: so the staff has room for some of their own.
        shop_id = create_user(session, email="server@example.com", name="Shop", role=Role.SHOP).id
    url = "https://shop.example.com/hook"
    endpoints = [endpoint_at(app, url, shop_id=shop_id)[0] for _ in range(30)]
    told(app, *endpoints)
    with app.database.transaction() as session:
        events = list(session.scalars(select(Event.id)))
        deliveries = list(session.scalars(select(WebhookDelivery.id)))
    amina = f"Bearer {keys[Role.CUSTOMER]}"
    shop = _Shop(app=app, flask_app=flask_app, authorization=amina)
    taken = [shop.paid() for _ in range(30)]
    known = {
        "payment_id": taken,
        "stripe_id": [*taken[:5], "pay_of_nobody"],
        "reference": [*(shop.rung(wallet) for wallet in ("jazz-cash", "easy-paisa") * 4), "P" + "Q" * 19],
        "refund_id": [shop.refunded(payment_id) for payment_id in taken[:5]],
        "run_id": [_run(app)],
        "cursor": [],
        "order_id": [order.id for order in orders],
        "user_id": [user.id for user in people.values()],
        "order": [order.id for order in orders],
        "customer_id": [user.id for user in others],
        "endpoint_id": endpoints,
        "delivery_id": deliveries,
        "event_id": events,
    }
    staff = [f"Bearer {keys[role]}" for role in (Role.OPERATOR, Role.ADMIN)] * 2
    limited = [f"Bearer {key}" for key in narrow]
    return known, (amina, amina, amina, amina, *staff, *limited, None, "Bearer pk_nobody", "Basic YTpi")


def _run(app: Application) -> str:
    now = datetime.now(UTC)
    return Seeded(app=app, now=now).run(started_at=now)


@dataclass(frozen=True, kw_only=True)
class _Shop:
    """Amina, before the first request of the test's own."""

    app: Application
    flask_app: Flask
    authorization: str

    def paid(self) -> str:
        """Take a payment, which its customer then pays; return its id."""
        body = {"amount": 1999, "currency": "usd", "description": "Two mangoes"}
        addresses = dict.fromkeys(("success_url", "cancel_url"), "https://example.com/thanks")
        payment_id: str = self._post("checkout", body | addresses)["payment_id"]
        with self.app.database.transaction() as session:
            by_hand = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
            payments.apply_fact(session, payment_id, Fact.PAID, provenance=by_hand)
        return payment_id

    def rung(self, wallet: str) -> str:
        """Take a payment by wallet; return its reference, by which the wallet knows it."""
        body = {"amount": 1250.5, "currency": "pkr", "description": "Two mangoes", "phone": "03001234567"}
        payment_id = self._post(f"{wallet}/initiate", body | {"cnic": "345678"})["payment_id"]
        with self.app.database.transaction() as session:
            return session.get_one(Payment, payment_id).reference

    def refunded(self, payment_id: str) -> str:
        """Ask for a part of a payment back; return the refund's id."""
        refund_id: str = self._post(f"refund/{payment_id}", {"amount_minor": 1})["refund_id"]
        return refund_id

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": self.authorization}
        answer = self.flask_app.test_client().post(f"{PAYMENTS}/{path}", json=body, headers=headers)
        assert answer.status_code in (201, 202), answer.text
        return dict(answer.json or {})
