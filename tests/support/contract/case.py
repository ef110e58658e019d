"""What the contract must be told of one provider in one dialect."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from payproc.domain.ids import Prefix, new_id, new_reference
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.providers.answers import Outcome, PostForm, Verdict
from payproc.providers.base import Provider
from payproc.providers.notices import RawNotice
from payproc.providers.requests import Customer, Payer, PaymentRef, StartMode, StartRequest, StoredCall
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.providers.transport.http import Http
from tests.support.contract.played import RETURN_URL, Played
from tests.support.contract.scripted import Seen

# Nobody's: and unlike any number that an id, a port or a time could be.
CNIC = "739164"
APPROVES, DECLINES, WAITS = "03000000001", "03000000002", "03000000005"
PATIENCE = timedelta(seconds=5)


# Changes the fields of an answer.
Edit = Callable[[dict[str, Any]], Mapping[str, Any]]


class End(StrEnum):
    """How a payment stands, in the end or for ever."""

    PAID = "paid"
    DECLINED = "declined"
    PENDING = "pending"
    REVERSED = "reversed"

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.value)


# What every gateway can make of a payment.
ENDS = (End.PAID, End.DECLINED, End.PENDING)


class Operation(StrEnum):
    """A call that is executed though its answer gets lost."""

    START = "start"
    REFUND = "refund"


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A payment that was brought to its gateway, and what we know of it."""

    request: StartRequest
    ref: PaymentRef
    call: StoredCall | None = None
    form: PostForm | None = None
    outcome: Outcome | None = None


class Case(ABC):
    """One provider in one dialect: how to make it, and how to make its gateway do things.

    What a gateway `said` is an `End`, for its own word of that, or a word of no table of its.
    """

    method: PaymentMethod
    dialect: str
    mode: StartMode
    currency = "pkr"
    # Whether a notice proves something, and whether an answer does.
    signs_notices = False
    signs_answers = False
    # Whether money goes back by a call.
    refunds = False
    # Whether that call may go out again, under its key.
    refunds_idempotently = False
    # Whether the gateway surely finds a payment by our reference.
    is_known_by_our_reference = True
    # What the gateway can make of a payment.
    ends = frozenset(End)
    # Words that are in no table, in the answer to a start and to an inquiry.
    strange_to_start: tuple[str, ...] = ()
    strange_to_inquiry: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method}-{self.dialect}"

    # --- The provider

    @abstractmethod
    def config(self, base_url: str, *, patience: timedelta, notify_url: str) -> Any:
        """Its settings, with the gateway at `base_url`."""

    @abstractmethod
    def made(self, config: Any) -> Provider:
        """The provider of these settings."""

    @property
    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """What nobody may ever read in a log."""

    def provider(self, base_url: str, *, patience: timedelta = PATIENCE, notify_url: str = RETURN_URL) -> Provider:
        return self.made(self.config(base_url, patience=patience, notify_url=notify_url))

    def breakers(self) -> CircuitBreakers:
        return CircuitBreakers(self.method, longest_rest=timedelta(seconds=4))

    def http(self) -> Http:
        return Http(connect_timeout=timedelta(seconds=1), breakers=self.breakers())

    def money(self, amount_minor: int) -> Money:
        return Money.of(amount_minor, self.currency)

    def request(self, end: End = End.PAID, **changes: Any) -> StartRequest:
        """A request of 1,250.50, whose payer will do this."""
        phone = {End.DECLINED: DECLINES, End.PENDING: WAITS}.get(end, APPROVES)
        made = StartRequest(
            payment_id=new_id(Prefix.PAYMENT),
            reference=new_reference(),
            dialect=self.dialect,
            money=self.money(125050),
            description="Two mangoes",
            customer=Customer(user_id="usr_1", email="amina@example.com", name="Amina Khan", provider_id="cus_1"),
            created_at=datetime.now(UTC),
            payer=Payer(phone=phone, cnic=CNIC),
            success_url="https://shop.example/thanks",
            cancel_url="https://shop.example/basket",
        )
        return replace(made, **changes)

    def known(self, provider: Provider, request: StartRequest) -> StartRequest:  # noqa: ARG002 (for those that keep customers)
        """The same request of a customer whom the gateway knows."""
        return request

    def ref(self, request: StartRequest, **changes: Any) -> PaymentRef:
        made = PaymentRef(
            payment_id=request.payment_id,
            reference=request.reference,
            references={},
            dialect=request.dialect,
            money=request.money,
            created_at=request.created_at,
        )
        return replace(made, **changes)

    # --- Its gateway, played

    @abstractmethod
    def gateway_url(self, played: Played) -> str:
        """Where the gateway is played."""

    @abstractmethod
    def bring_about(self, played: Played, begun: Begun, end: End) -> list[RawNotice]:
        """Let the payment end so, where its payer has not seen to that. Return what a browser brings back to us."""

    @abstractmethod
    def debits(self, played: Played, begun: Begun) -> int:
        """How often the customer was charged."""

    @abstractmethod
    def refunded(self, played: Played, begun: Begun) -> int:
        """How much went back, in minor units."""

    @abstractmethod
    def lose_answers(self, played: Played, operation: Operation, *, times: int) -> None:
        """Execute the next calls, and answer each with 502."""

    def delivery(self, played: Played, begun: Begun, wanted: Callable[[RawNotice], bool]) -> RawNotice:
        """What the gateway delivered about the payment: the first that is wanted."""
        names = (begun.request.reference, begun.request.payment_id)
        return played.listener.heard(lambda raw: any(name in _text(raw) for name in names) and wanted(raw))

    # --- Its gateway's words, made by hand

    @abstractmethod
    def start_answer(self, request: StartRequest, said: str) -> bytes:
        """What a start is answered with."""

    @abstractmethod
    def inquiry_answer(self, request: StartRequest, said: str, *, money: Money | None = None) -> bytes:
        """What an inquiry is answered with; `money` where it is not what was asked for."""

    def edited(self, answer: bytes, change: Edit) -> bytes:
        """The same answer with other fields in it, signed anew where it is signed."""
        return json.dumps(change(json.loads(answer))).encode()

    def forged(self, answer: bytes) -> bytes:
        """The same answer, signed by somebody else."""
        raise NotImplementedError(f"{self} signs no answers")

    @abstractmethod
    def money_sent(self, sent: Seen | PostForm) -> Money:
        """The money in a call or a form of ours, as the gateway reads it."""

    @abstractmethod
    def notice(self, request: StartRequest, said: str, *, money: Money | None = None) -> RawNotice:
        """A delivery under the gateway's signature, if it has one, and with gossip about the payer in it."""

    def again(self, raw: RawNotice) -> RawNotice:
        """The same delivery a minute later."""
        return replace(raw, received_at=raw.received_at + timedelta(minutes=1))

    def badly_signed(self, raw: RawNotice) -> list[RawNotice]:
        """The same delivery without a signature, with an empty one, and with somebody else's."""
        raise NotImplementedError(f"{self} signs no notices")

    def of_another_amount(self, raw: RawNotice) -> RawNotice:
        """The same delivery with another amount under the old signature."""
        raise NotImplementedError(f"{self} signs no notices")


def _text(raw: RawNotice) -> str:
    return raw.query + raw.body.decode("latin-1")


def fields_of_form(sent: Seen | PostForm) -> Mapping[str, str]:
    assert isinstance(sent, PostForm)
    return sent.fields
