"""A shop's orders over the simulated gateways: what its customers do in a browser, and what becomes of it."""

from dataclasses import dataclass
from typing import Any

from flask import Flask

from payproc.database.models import Order, Payment, Role, User
from payproc.domain.money import Money
from payproc.domain.requests.customer import CustomerRequest
from payproc.domain.requests.order import OrderRequest
from payproc.flows.orders import make_order
from payproc.records import orders
from payproc.records.identity.customers import named_customer
from payproc.records.identity.users import create_user
from tests.support.wallet_world import WalletWorld
from web.pay import links


@dataclass(frozen=True, kw_only=True)
class Till:
    """A shop with a link for every order, and the world in which they are paid."""

    world: WalletWorld
    maker: User
    web: Flask

    def order(self, *, phone: str | None = None, **changes: Any) -> Order:
        wanted: dict[str, Any] = {
            "money": Money.of(125050, "pkr"),
            "reference": "A-17",
            "description": "Two crates of Chaunsa mangoes",
        }
        app = self.world.app
        with app.database.transaction() as session:
            named = CustomerRequest(email="amina@example.com", name="Amina Khan", phone=phone)
            payer = named_customer(session, named, by=self.maker, cipher=app.payer_cipher)
            return make_order(app, session, OrderRequest(**(wanted | changes)), payer=payer, by=self.maker)

    def link(self, row: Order | Payment, language: str | None = None) -> str:
        with self.web.app_context():
            return links.url_of(row.id) + (f"?lang={language}" if language else "")

    def payments(self, order: Order) -> list[Payment]:
        with self.world.app.database.transaction() as session:
            return orders.payments_of(session, session.get_one(Order, order.id))

    def begun(self, order: Order) -> Payment:
        """Let what was chosen last be begun at its provider."""
        self.world.drain()
        return self.payments(order)[-1]

    def heard(self, payment: Payment) -> None:
        """Let everything be told and done that there is."""
        self.world.deliver_all(self.world.payment(payment.id))
        self.world.make_due()
        self.world.drain()


def opened(world: WalletWorld, web: Flask) -> Till:
    """Open a shop."""
    with world.app.database.transaction() as session:
        maker = create_user(session, email="server@mangoes.pk", name="Mango Shop", role=Role.SHOP)
    return Till(world=world, maker=maker, web=web)
