"""What is asked and answered about orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from payproc.database.models import Order, OrderStatus, Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.order import Item, OrderRequest
from payproc.domain.requests.payment import WrittenAmount
from payproc.domain.states import PaymentStatus
from web.schemas.base import AmountIn, AmountOut, Answer, Asked, Body, MetaKey, MetaValue, Moment, PageQuery
from web.schemas.customers import CustomerBody
from web.schemas.payments import PAY_URL_EXAMPLE

_MOST_ITEMS, _MOST_METADATA, _MOST_METHODS = 100, 50, 10
_ORDER_ID = "ord_01kaw5m0v7e1cbb4wsy0s9p6jd"


class ItemBody(Body):
    """Something that is sold."""

    name: str = Field(min_length=1, max_length=200, examples=["Mango"])
    quantity: int = Field(default=1, ge=1, le=1_000_000)
    amount_minor: int | None = Field(
        default=None, ge=0, le=10**12, description="Of one of them, in minor units.", examples=[62525]
    )


class OrderBody(Body):
    """What is to be paid, by whom and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reference": "A-17",
                    "amount": "1250.50",
                    "currency": "pkr",
                    "description": "Two mangoes",
                    "customer": {"email": "amina@example.com", "name": "Amina Khan", "locale": "ur"},
                }
            ]
        },
    )

    amount: AmountIn | None = None
    amount_minor: int | None = Field(default=None, description="Minor units, instead of amount.", examples=[125050])
    currency: str | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="May be left out where the setting DEFAULT_CURRENCY says it; never guessed.",
        examples=["pkr"],
    )
    reference: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=r"^[^/?#]+$",
        description="Your own number of it, once for each order; its id where you have none.",
        examples=["A-17"],
    )
    description: str = Field(
        default="", max_length=500, description="What it is for; the customer reads it.", examples=["Two mangoes"]
    )
    customer: CustomerBody | None = Field(default=None, description="Who is to pay, where you know it.")
    items: list[ItemBody] = Field(default_factory=list, max_length=_MOST_ITEMS)
    methods: list[str] | None = Field(
        default=None,
        max_length=_MOST_METHODS,
        description="How it may be paid; all that take its currency unless said.",
        examples=[["stripe", "jazz_cash"]],
    )
    expires_at: Moment | None = Field(default=None, description="Until when, with its offset; at most a year away.")
    success_url: str | None = Field(
        default=None,
        max_length=2000,
        description="Where the customer goes when it is paid, `{PAYMENT_ID}` put in. Arriving there proves nothing.",
        examples=["https://example.com/thanks?payment={PAYMENT_ID}"],
    )
    cancel_url: str | None = Field(default=None, max_length=2000, examples=["https://example.com/basket"])
    metadata: dict[MetaKey, MetaValue] = Field(
        default_factory=dict, max_length=_MOST_METADATA, description="Yours; kept here and sent to nobody."
    )

    def request(self, *, usual_currency: str | None) -> OrderRequest:
        """Say it in the core's words.

        Raises InvalidRequest for an amount that cannot be charged, or that is in no currency.
        """
        written = WrittenAmount(major=self.amount, minor=self.amount_minor)
        return OrderRequest(
            money=written.offered(currency=self.currency, usual_currency=usual_currency),
            reference=self.reference,
            description=self.description,
            items=[Item(**dict(item)) for item in self.items],
            methods=None if self.methods is None else [PaymentMethod(name) for name in self.methods],
            expires_at=self.expires_at,
            success_url=self.success_url,
            cancel_url=self.cancel_url,
            meta=self.metadata,
        )


class OrderPath(Asked):
    """Which order."""

    order: str = Field(max_length=100, description="Its id, or the reference you gave it.", examples=[_ORDER_ID])


class OrdersQuery(PageQuery):
    """Which orders; newest first."""

    status: OrderStatus | None = None


class OrderPayment(Answer):
    """An attempt to pay an order."""

    payment_id: str = Field(examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    status: PaymentStatus
    payment_method: str = Field(examples=["jazz_cash"])


class OrderAnswer(Answer):
    """An order, and the page where whoever has its address pays it."""

    id: str = Field(examples=[_ORDER_ID])
    reference: str = Field(examples=["A-17"])
    shop_id: str | None
    user_id: str = Field(description="The customer; the shop where none was named.")
    status: OrderStatus
    amount: AmountOut
    amount_minor: int = Field(examples=[125050])
    currency: str = Field(examples=["pkr"])
    description: str
    items: list[dict[str, Any]]
    methods: list[str] | None
    metadata: dict[str, Any]
    pay_url: str = Field(description="Send it to the customer.", examples=[PAY_URL_EXAMPLE])
    success_url: str | None
    cancel_url: str | None
    expires_at: datetime | None
    opened_at: datetime | None = Field(description="When its page was first shown.")
    closed_at: datetime | None = Field(description="When it ended unpaid.")
    created_at: datetime

    @classmethod
    def of(cls, order: Order, *, pay_url: str) -> "OrderAnswer":
        """Show an order."""
        return cls.of_row(order, amount=order.money.major, metadata=order.meta, pay_url=pay_url)


class OrderWithPayments(OrderAnswer):
    """An order, and what was tried to pay it, oldest first."""

    payments: list[OrderPayment]

    @classmethod
    def showing(cls, order: Order, payments: Sequence[Payment], *, pay_url: str) -> "OrderWithPayments":
        """Show an order with its payments."""
        shown = [OrderPayment.of_row(payment, payment_id=payment.id) for payment in payments]
        return cls.of_row(order, amount=order.money.major, metadata=order.meta, pay_url=pay_url, payments=shown)


class OrdersAnswer(Answer):
    """One page of orders, newest first."""

    orders: list[OrderAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")
