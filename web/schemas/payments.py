"""What is asked and answered about payments."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, model_validator

from payproc.database.encryption import PhoneHasher
from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.payment import PaymentRequest, WrittenAmount
from payproc.domain.states import PaymentStatus
from payproc.operations.decline_reasons import DeclineReason, decline_reason
from payproc.operations.finding.lists import Filter
from payproc.operations.refund_balances import RefundBalance
from payproc.operations.timeline import Entry
from web.schemas.base import AmountIn, AmountOut, Answer, Asked, Body, Id, MetaKey, MetaValue, Moment, PageQuery
from web.schemas.customers import CustomerBody
from web.schemas.pay import NextAction

_MOST_METADATA = 50
_MOST_METADATA_ASKED = 10
_METADATA = re.compile(r"metadata\[(.+)\]")
DECLINE_REASON = "Why it failed or was called off, in words of a closed list; `failure_code` has the provider's."
PAY_URL_EXAMPLE = "https://pay.example.com/pay/InBheV8wMWth….Zm9v"


class PaymentBody(Body):
    """What is to be paid, and for what."""

    only_currency: ClassVar[str | None] = None

    amount: AmountIn | None = None
    amount_minor: int | None = Field(default=None, description="Minor units, instead of amount.", examples=[1999])
    order_id: Id | None = Field(default=None, description="Its amount is what is charged.")
    metadata: dict[MetaKey, MetaValue] = Field(
        default_factory=dict, max_length=_MOST_METADATA, description="Yours; kept here and sent to nobody."
    )
    customer: CustomerBody | None = Field(
        default=None, description="Who pays, where a shop or the staff asks; others pay for themselves."
    )
    currency: str | None
    description: str
    success_url: str | None
    cancel_url: str | None

    def request(self, *, phone: str | None = None, cnic: str | None = None) -> PaymentRequest:
        """Say it in the core's words.

        No amount is read yet: what it is in may stand in an order, or in the settings.
        """
        given = self.amount is not None or self.amount_minor is not None
        return PaymentRequest(
            money=WrittenAmount(major=self.amount, minor=self.amount_minor) if given else None,
            description=self.description,
            success_url=self.success_url,
            cancel_url=self.cancel_url,
            order_id=self.order_id,
            currency=self.currency.lower() if self.currency else None,
            only_currency=self.only_currency,
            customer=self.customer.request() if self.customer else None,
            meta=self.metadata,
            phone=phone,
            cnic=cnic,
        )


class CheckoutBody(PaymentBody):
    """What to charge, for what, and where the customer's browser goes afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amount": 19.99,
                    "currency": "usd",
                    "description": "Two mangoes",
                    "success_url": "https://example.com/thanks",
                    "cancel_url": "https://example.com/basket",
                }
            ]
        },
    )

    currency: str | None = Field(
        default=None,
        min_length=3,
        max_length=3,
        description="May be left out where an order or the setting DEFAULT_CURRENCY says it; never guessed.",
    )
    description: str = Field(min_length=1, max_length=500, examples=["Two mangoes"])
    success_url: str = Field(max_length=2000, examples=["https://example.com/thanks"])
    cancel_url: str = Field(max_length=2000, examples=["https://example.com/basket"])


class PaymentPath(Asked):
    """Which payment."""

    payment_id: str = Field(max_length=64, examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])


class ListQuery(PageQuery):
    """Which payments; newest first."""

    status: PaymentStatus | None = None
    payment_method: str | None = Field(default=None, max_length=32, examples=["stripe"])
    order_id: Id | None = None
    user_id: Id | None = Field(default=None, description="The same as customer_id.")
    customer_id: Id | None = Field(default=None, description="Whose payments, of those that you may see.")
    shop_id: Id | None = Field(default=None, description="Those that a shop made; for the staff and that shop.")
    created_from: Moment | None = Field(default=None, description="Inclusive, with its offset.")
    created_to: Moment | None = Field(default=None, description="Exclusive, with its offset.")
    updated_from: Moment | None = Field(default=None, description="Inclusive, with its offset.")
    updated_to: Moment | None = Field(default=None, description="Exclusive, with its offset.")
    metadata: dict[MetaKey, Annotated[str, Field(max_length=500)]] = Field(
        default_factory=dict, max_length=_MOST_METADATA_ASKED, description="Each as `metadata[key]=value`."
    )
    q: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="Whatever a payment may be found by.",
        examples=["amina@example.com"],
    )

    @model_validator(mode="before")
    @classmethod
    def _gather_metadata(cls, asked: object) -> object:
        """Read `metadata[key]=value`, as Stripe's clients write it, into one field."""
        if not isinstance(asked, dict):
            return asked
        named = {found[1]: name for name in asked if (found := _METADATA.fullmatch(name))}
        rest = {name: value for name, value in asked.items() if name not in named.values()}
        return rest | {"metadata": {key: asked[name] for key, name in named.items()}} if named else rest

    def filter(self, *, method: PaymentMethod | None, phones: PhoneHasher) -> Filter:
        """Say it in the core's words."""
        return Filter(
            status=self.status,
            payment_method=method,
            order_id=self.order_id,
            user_id=self.user_id,
            customer_id=self.customer_id,
            shop_id=self.shop_id,
            created_from=self.created_from,
            created_to=self.created_to,
            updated_from=self.updated_from,
            updated_to=self.updated_to,
            metadata=self.metadata,
            text=self.q,
            phones=phones,
        )


class PaymentAnswer(Answer):
    """A payment."""

    id: str = Field(examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    payment_id: str = Field(description="The same as id.")
    user_id: str = Field(description="The customer; the shop where it named none.")
    shop_id: str | None
    order_id: str | None
    amount: AmountOut
    amount_minor: int = Field(examples=[1999])
    currency: str = Field(examples=["usd"])
    status: PaymentStatus
    payment_method: str = Field(examples=["stripe", "jazz_cash", "easy_paisa"])
    reference: str = Field(examples=["P7K2M9QX4TZ8BVWN3HCD"])
    description: str
    metadata: dict[str, Any]
    session_id: str | None = Field(description="Stripe's Checkout session.")
    phone: str | None = Field(description="Masked.", examples=["0300****567"])
    provider_receipt: str | None = Field(description="The number on the customer's own statement, where there is one.")
    next_action: NextAction | None
    pay_url: str | None = Field(
        description="While it is open: the page that leads its customer through.", examples=[PAY_URL_EXAMPLE]
    )
    amount_refunded: AmountOut
    amount_refunded_minor: int = Field(description="What has surely gone back to the customer.", examples=[0])
    amount_refundable: AmountOut
    amount_refundable_minor: int = Field(
        description="What of a completed payment no refund has taken or reserved; 0 while it is disputed. The end of "
        "the time for refunds may forbid it all the same.",
        examples=[1999],
    )
    decline_reason: DeclineReason | None = Field(description=DECLINE_REASON)
    failure_code: str | None = Field(description="The provider's own word, where it has one.")
    failure_message: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, payment: Payment, *, balance: RefundBalance, pay_url: str | None) -> "PaymentAnswer":
        """Show a payment."""
        return cls.of_row(
            payment,
            payment_id=payment.id,
            pay_url=pay_url,
            amount_refunded=balance.refunded.major,
            amount_refunded_minor=balance.refunded.amount_minor,
            amount_refundable=balance.refundable.major,
            amount_refundable_minor=balance.refundable.amount_minor,
            decline_reason=decline_reason(payment),
            amount=payment.money.major,
            metadata=payment.meta,
            session_id=payment.stripe_session_id,
        )


class AcceptedAnswer(Answer):
    """What was asked for is written down, and will be carried out."""

    payment_id: str = Field(examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    status: PaymentStatus


class CheckoutAnswer(AcceptedAnswer):
    """A checkout that was written down; its session is being made, and `pay_url` leads to it as soon as it is there."""

    pay_url: str = Field(examples=[PAY_URL_EXAMPLE])


class StartedAnswer(CheckoutAnswer):
    """A checkout whose session is there: send the customer to `url`, or to `pay_url`.

    `status` may also be `failed`: what was refused before a session was made has none, and no `url`.
    """

    session_id: str | None = Field(examples=["cs_test_a1b2c3"])
    url: str | None = Field(examples=["https://checkout.stripe.com/c/pay/cs_test_a1b2c3"])
    decline_reason: DeclineReason | None = Field(default=None, description=DECLINE_REASON)
    failure_code: str | None = None
    failure_message: str | None = None


class PageAnswer(Answer):
    """One page of payments, newest first."""

    payments: list[PaymentAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class EntryAnswer(Answer):
    """One thing that happened, or is due."""

    at: datetime
    what: str = Field(examples=["payment.paid"])
    source: str | None = Field(description="Who told what moved it, or could not.", examples=["notice"])
    from_: str | None = Field(validation_alias="from_status", serialization_alias="from", examples=["pending"])
    to: str | None = Field(validation_alias="to_status", examples=["completed"])
    sentence: str = Field(examples=["paid, told by notice: pending became completed"])
    evidence: str | None


class TimelineAnswer(Answer):
    """Why a payment is in its state."""

    payment_id: str
    status: PaymentStatus
    timeline: list[EntryAnswer]

    @classmethod
    def of(cls, payment: Payment, entries: list[Entry]) -> "TimelineAnswer":
        """Show a timeline."""
        shown = [EntryAnswer.model_validate(entry) for entry in entries]
        return cls(payment_id=payment.id, status=payment.status, timeline=shown)
