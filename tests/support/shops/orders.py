"""Orders of a shop, and tries to pay one by card."""

from typing import Any

from payproc.database.models import Order, Payment, User
from payproc.domain.money import Money
from payproc.domain.requests.order import OrderRequest
from payproc.domain.requests.payment import PaymentRequest
from payproc.flows.checkout import take_payment
from payproc.flows.orders import make_order
from payproc.providers.stripe import STRIPE
from tests.support.world import World

USD = Money.of(1999, "usd")


def order_of(world: World, shop: User, *, payer: User | None = None, **words: Any) -> Order:
    said: dict[str, Any] = {"money": USD, "reference": "A-1"}
    wanted = OrderRequest(**(said | words))
    with world.app.database.transaction() as session:
        return make_order(world.app, session, wanted, payer=payer or shop, by=shop)


def attempt(world: World, order: Order, *, user: User) -> Payment:
    """Try to pay the order by card, as its page does."""
    request = PaymentRequest(
        money=None,
        description="Two mangoes",
        order_id=order.id,
        success_url="https://example.com/thanks?payment={PAYMENT_ID}",
        cancel_url="https://example.com/basket",
    )
    return take_payment(world.app, request, user=user, method=STRIPE)


def card_request() -> PaymentRequest:
    """What a client asks for who wants 19.99 USD by card."""
    return PaymentRequest(
        money=USD,
        description="Two mangoes",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/basket",
    )
