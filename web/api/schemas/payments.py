"""Bodies and answers, as the OpenAPI document shows them: supersets of the guide's."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from payproc.database.models import Account, Dispute, Payment, Refund
from payproc.domain.money import Money, parse_major, parse_minor
from payproc.domain.states import DisputeStatus, PaymentStatus, RefundStatus
from payproc.errors import InvalidRequest
from payproc.flows.checkout import PaymentRequest
from payproc.operations.timeline import Entry
from payproc.records.ledger.journal import Balance
from web.json import NumberText

_MOST_METADATA = 50
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]*")


class Body(BaseModel):
    """A request's body. An unknown field is refused: a misspelt `order_id` must not become a free amount."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(from_attributes=True)


def _amount_text(value: object) -> object:
    # web.json hands numbers over as text or int; a bool is an int to Python, but no amount.
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a number or a string such as 19.99")  # noqa: TRY004 (pydantic reports ValueError)
    return str(value)


def _no_fraction(value: object) -> object:
    if isinstance(value, NumberText):
        raise ValueError("must be a string, a whole number, true, false or null")  # noqa: TRY004 (pydantic's way)
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        raise ValueError("must not contain control characters")
    return value


AmountIn = Annotated[
    str,
    BeforeValidator(_amount_text),
    Field(max_length=32),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}],
            "description": "Major units, read exactly; more decimals than the currency has are refused.",
            "examples": [19.99, "19.99"],
        }
    ),
]
# For reading: a JSON number with exactly the currency's decimals; a program computes with `amount_minor`.
AmountOut = Annotated[
    Decimal,
    WithJsonSchema({"type": "number", "description": "Major units, for reading.", "examples": [19.99]}),
]
SignedAmountOut = Annotated[
    Decimal,
    WithJsonSchema({"type": "number", "description": "Major units, for reading.", "examples": [-19.99]}),
]
Line = Annotated[str, BeforeValidator(_plain)]
# Never empty: an order's id that is lost on the way must not become a freely chosen amount.
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
MetaValue = Annotated[Annotated[str, Field(max_length=500)] | int | bool | None, BeforeValidator(_no_fraction)]


class _Priced(Body):
    """What is to be paid, and for what."""

    amount: AmountIn | None = None
    amount_minor: int | None = Field(default=None, description="Minor units, instead of amount.", examples=[1999])
    order_id: Id | None = Field(default=None, description="Its amount is what is charged.")
    metadata: dict[Annotated[str, BeforeValidator(_plain), Field(min_length=1, max_length=40)], MetaValue] = Field(
        default_factory=dict, max_length=_MOST_METADATA, description="Yours; kept here and sent to nobody."
    )

    def _money(self, code: str) -> Money | None:
        in_major = None if self.amount is None else parse_major(self.amount, code)
        in_minor = None if self.amount_minor is None else parse_minor(self.amount_minor, code)
        if in_major is not None and in_minor is not None and in_major != in_minor:
            raise InvalidRequest("amount and amount_minor differ.", code="amounts_differ", field="amount")
        return in_major if in_major is not None else in_minor


class CheckoutBody(_Priced):
    """What to charge, for what, and where the customer's browser goes afterwards."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
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
        default=None, min_length=3, max_length=3, description="usd where neither it nor an order is given."
    )
    description: Line = Field(min_length=1, max_length=500, examples=["Two mangoes"])
    success_url: str = Field(max_length=2000, examples=["https://example.com/thanks"])
    cancel_url: str = Field(max_length=2000, examples=["https://example.com/basket"])

    def request(self) -> PaymentRequest:
        """Say it in the core's words.

        Raises InvalidRequest for an amount or a currency that cannot be charged.
        """
        return PaymentRequest(
            money=self._money(self.currency or "usd"),
            description=self.description,
            success_url=self.success_url,
            cancel_url=self.cancel_url,
            order_id=self.order_id,
            currency=self.currency.lower() if self.currency else None,
            meta=self.metadata,
        )


class WalletBody(_Priced):
    """What to charge, for what, and whose wallet is asked."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"amount": 1250.5, "currency": "pkr", "description": "Two mangoes", "phone": "03001234567"}]
        },
    )

    currency: str | None = Field(default=None, min_length=3, max_length=3, description="pkr, said or not.")
    description: Line = Field(default="Payment", min_length=1, max_length=500, examples=["Two mangoes"])
    phone: Line | None = Field(
        default=None,
        max_length=24,
        description="The customer's mobile number, as 03…, +92…, 0092…, 92… or 3….",
        examples=["03001234567"],
    )
    cnic: str | None = Field(
        default=None,
        min_length=6,
        max_length=6,
        description="The last six digits of the customer's CNIC, where the wallet asks for them.",
        examples=["345678"],
    )
    success_url: str | None = Field(default=None, max_length=2000, examples=["https://example.com/thanks"])
    cancel_url: str | None = Field(default=None, max_length=2000, examples=["https://example.com/basket"])

    def request(self, *, phone: str | None) -> PaymentRequest:
        """Say it in the core's words.

        Raises InvalidRequest for an amount or a currency that cannot be charged.
        """
        return PaymentRequest(
            money=self._money(self.currency or "pkr"),
            description=self.description,
            success_url=self.success_url,
            cancel_url=self.cancel_url,
            order_id=self.order_id,
            currency=self.currency.lower() if self.currency else None,
            meta=self.metadata,
            phone=phone,
            cnic=self.cnic,
        )


class WalletQuery(BaseModel):
    """Where the guide's clients put the phone."""

    phone: str | None = Field(default=None, max_length=24, description="Instead of the body's, as the guide has it.")


class RefundBody(Body):
    """How much to give back, and why. Everything may be left out: then all that is left goes back."""

    amount: AmountIn | None = None
    amount_minor: int | None = Field(default=None, description="Minor units, instead of amount.", examples=[1000])
    reason: Line | None = Field(default=None, max_length=500, examples=["The mangoes were not ripe"])


class StartHeader(BaseModel):
    """What may be said about the request itself."""

    idempotency_key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="The same key and body again are the same payment and the same answer, for 72 hours.",
        examples=["order-17-try-1"],
    )
    prefer: str | None = Field(
        default=None,
        alias="Prefer",
        description="`wait=N`: wait up to N seconds, at most 30, until the provider has answered.",
        examples=["wait=10"],
    )


class PaymentPath(BaseModel):
    """Which payment."""

    payment_id: str = Field(max_length=64, examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])


class RefundPath(BaseModel):
    """Which refund."""

    refund_id: str = Field(max_length=64, examples=["ref_01kaw5m0v7e1cbb4wsy0s9p6jd"])


class DisputesQuery(BaseModel):
    """Which disputes; newest first."""

    model_config = ConfigDict(extra="forbid")

    payment_id: Id | None = None
    is_open: bool | None = Field(default=None, description="Only those that are still open, or only the closed ones.")
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200, description="`next_cursor` of the page before.")


class ListQuery(BaseModel):
    """Which payments; newest first."""

    model_config = ConfigDict(extra="forbid")

    status: PaymentStatus | None = None
    payment_method: str | None = Field(default=None, max_length=32, examples=["stripe"])
    order_id: Id | None = None
    user_id: Id | None = Field(default=None, description="Staff only; others see their own.")
    created_from: datetime | None = Field(default=None, description="Inclusive, with its offset.")
    created_to: datetime | None = Field(default=None, description="Exclusive, with its offset.")
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200, description="`next_cursor` of the page before.")


class NextAction(Answer):
    """What the customer does next: follow `url`, post a form, or act elsewhere (`token`: pay it at a shop)."""

    type: Literal["redirect", "post_form", "await_customer"]
    url: str | None = None
    token: str | None = None


class PaymentAnswer(Answer):
    """A payment."""

    id: str = Field(examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    payment_id: str = Field(description="The same as id.")
    user_id: str
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
    failure_code: str | None
    failure_message: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    expires_at: datetime | None

    @classmethod
    def of(cls, payment: Payment) -> "PaymentAnswer":
        """Show a payment."""
        money = payment.money
        return cls(
            id=payment.id,
            payment_id=payment.id,
            user_id=payment.user_id,
            order_id=payment.order_id,
            amount=money.major,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            status=payment.status,
            payment_method=payment.payment_method,
            reference=payment.reference,
            description=payment.description,
            metadata=payment.meta,
            session_id=payment.stripe_session_id,
            phone=payment.phone,
            provider_receipt=payment.provider_receipt,
            next_action=NextAction.model_validate(payment.next_action) if payment.next_action else None,
            failure_code=payment.failure_code,
            failure_message=payment.failure_message,
            created_at=payment.created_at,
            updated_at=payment.updated_at,
            completed_at=payment.completed_at,
            expires_at=payment.expires_at,
        )


class AcceptedAnswer(Answer):
    """A checkout that was written down; its session is being made."""

    payment_id: str = Field(examples=["pay_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    status: PaymentStatus


class StartedAnswer(AcceptedAnswer):
    """A checkout whose session is there: send the customer to `url`."""

    session_id: str = Field(examples=["cs_test_a1b2c3"])
    url: str = Field(examples=["https://checkout.stripe.com/c/pay/cs_test_a1b2c3"])


class WalletAnswer(AcceptedAnswer):
    """A wallet payment that was written down.

    `form_url` and `payload` are there where the customer's browser begins it; `pay_url` is a page that does that, or
    tells the customer what to do on the phone, and follows what becomes of it.
    """

    model_config = ConfigDict(from_attributes=True)

    pay_url: str = Field(examples=["https://pay.example.com/pay/InBheV8wMWth….Zm9v"])
    form_url: str | None = None
    payload: dict[str, str] | None = Field(
        default=None, description="Post these fields unchanged, in this order. They may hold the merchant's password."
    )
    next_action: NextAction | None = None
    provider_receipt: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None

    @classmethod
    def of(cls, payment: Payment, *, pay_url: str) -> "WalletAnswer":
        """Show how a payment by wallet stands."""
        return cls(
            payment_id=payment.id,
            status=payment.status,
            pay_url=pay_url,
            next_action=NextAction.model_validate(payment.next_action) if payment.next_action else None,
            provider_receipt=payment.provider_receipt,
            failure_code=payment.failure_code,
            failure_message=payment.failure_message,
        )


class PayStatusAnswer(Answer):
    """What the pay page needs to know of its payment, and no more: whoever has the link may read it."""

    status: PaymentStatus
    next_action: NextAction | None
    failure_code: str | None

    @classmethod
    def of(cls, payment: Payment) -> "PayStatusAnswer":
        """Show how a payment stands."""
        action = NextAction.model_validate(payment.next_action) if payment.next_action else None
        return cls(status=payment.status, next_action=action, failure_code=payment.failure_code)


class RefundAnswer(Answer):
    """A refund as it stands."""

    refund_id: str = Field(examples=["ref_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    payment_id: str
    amount: AmountOut
    amount_minor: int
    currency: str
    status: RefundStatus
    code: Literal["refund_requested", "refund_pending", "refund_manual"] | None = Field(
        description="What an open refund waits for. refund_manual: a person gives it back in the provider's portal."
    )
    reason: str | None
    provider_refund_id: str | None = Field(description="The provider's id of it.", examples=["re_3PqX"])
    failure_code: str | None
    failure_message: str | None
    created_at: datetime
    settled_at: datetime | None

    @classmethod
    def of(cls, refund: Refund) -> "RefundAnswer":
        """Show a refund."""
        return cls(
            refund_id=refund.id,
            payment_id=refund.payment_id,
            amount=refund.money.major,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            status=refund.status,
            code=_REFUND_CODES.get(refund.status),
            reason=refund.reason,
            provider_refund_id=refund.provider_refund_id,
            failure_code=refund.failure_code,
            failure_message=refund.failure_message,
            created_at=refund.created_at,
            settled_at=refund.settled_at,
        )


_REFUND_CODES: dict[RefundStatus, Literal["refund_requested", "refund_pending", "refund_manual"]] = {
    RefundStatus.REQUESTED: "refund_requested",
    RefundStatus.PENDING: "refund_pending",
    RefundStatus.MANUAL: "refund_manual",
}


class RefundsAnswer(Answer):
    """The refunds of a payment, oldest first."""

    refunds: list[RefundAnswer]


class DisputeAnswer(Answer):
    """A dispute as it stands. It is answered in the provider's dashboard."""

    id: str = Field(examples=["dsp_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    payment_id: str
    provider: str
    provider_dispute_id: str = Field(examples=["dp_1PqX"])
    amount: AmountOut
    amount_minor: int
    currency: str
    status: DisputeStatus
    reason: str | None = Field(examples=["fraudulent"])
    evidence_due_at: datetime | None
    created_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeAnswer":
        """Show a dispute."""
        return cls(
            id=dispute.id,
            payment_id=dispute.payment_id,
            provider=dispute.provider,
            provider_dispute_id=dispute.provider_dispute_id,
            amount=dispute.money.major,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
            status=dispute.status,
            reason=dispute.reason,
            evidence_due_at=dispute.evidence_due_at,
            created_at=dispute.created_at,
            closed_at=dispute.closed_at,
        )


class DisputesAnswer(Answer):
    """One page of disputes, newest first."""

    disputes: list[DisputeAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class PageAnswer(Answer):
    """One page of payments, newest first."""

    payments: list[PaymentAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class EntryAnswer(Answer):
    """One thing that happened, or is due."""

    at: datetime
    what: str = Field(examples=["payment.paid"])
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


class LedgerQuery(BaseModel):
    """Which moment's books, and what they are written in."""

    model_config = ConfigDict(extra="forbid")

    at: datetime | None = Field(default=None, description="Until then, that moment included; with its offset.")
    format: Literal["json", "csv", "beancount"] = Field(
        default="json", description="json: balances. csv, beancount: every entry, in the order of time."
    )


class BalanceAnswer(Answer):
    """What stands on an account at a provider; a debit is positive."""

    account: Account
    provider: str = Field(examples=["stripe"])
    currency: str = Field(examples=["usd"])
    amount: SignedAmountOut
    amount_minor: int = Field(examples=[-1999])

    @classmethod
    def of(cls, balance: Balance) -> "BalanceAnswer":
        """Show a balance."""
        return cls(
            account=balance.account,
            provider=balance.provider,
            currency=balance.money.currency.code,
            amount=balance.money.major,
            amount_minor=balance.money.amount_minor,
        )


class LedgerAnswer(Answer):
    """The balances of every account that was ever used; in each currency they sum to zero."""

    at: datetime | None = Field(description="As it was asked for; null is now.")
    balances: list[BalanceAnswer]


class ReceivedAnswer(Answer):
    """A notice that was kept, now or before."""

    status: Literal["received"] = "received"


class AliveAnswer(Answer):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(Answer):
    """Requests can be served, and how much work waits."""

    status: Literal["ready"] = "ready"
    database: Literal["ok"] = "ok"
    backlog: dict[str, int] = Field(
        examples=[{"jobs_due": 3, "oldest_due_seconds": 1, "jobs_dead": 0, "reviews_open": 0}]
    )
    circuits: dict[str, str] = Field(
        description="Calls to a gateway that failed in a row: open ones are left alone, half-open ones are tried.",
        examples=[{"jazz_cash inquiry": "open", "easy_paisa inquiry": "closed"}],
    )


class Problem(Answer):
    """What went wrong (RFC 9457, application/problem+json). What does not apply is left out."""

    @model_serializer(mode="wrap")
    def _without_nulls(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value is not None}

    type: str = Field(examples=["urn:payproc:error:amount_too_precise"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="For people.", examples=["USD has 2 decimals; 19.999 has more."])
    code: str = Field(description="For programs; stable.", examples=["amount_too_precise"])
    field: str | None = Field(default=None, description="The part of the request to change.")
    subject: str | None = Field(default=None, description="The payment or order it is about.")
    errors: list[dict[str, str]] | None = Field(default=None, description="Every field that is wrong.")
