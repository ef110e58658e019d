"""What a provider that can list what it has must be able to say: what reconciliation reads."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, Protocol, TypeVar, runtime_checkable

from payproc.domain.money import Money
from payproc.domain.references import Reference, References
from payproc.domain.settlement import RemoteDispute, RemoteRefund, SettlementLine
from payproc.providers.answers import Outcome


@dataclass(frozen=True, kw_only=True)
class RemoteEvent:
    """A notice as the provider's own list keeps it: `body` is what a delivery of it would have carried."""

    key: str
    body: bytes
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class RemotePayment:
    """A payment as a provider's list shows it. Ours is named by our id or reference, where the provider echoes them."""

    provider_id: str
    references: References
    outcome: Outcome
    created_at: datetime
    payment_id: str | None = None
    reference: str | None = None
    # What else we wrote on it, and what the provider calls who paid: a payment that was lost is made again out of them.
    user_id: str | None = None
    order_id: str | None = None
    customer: str | None = None


class PayoutStatus(StrEnum):
    """How a payout to the merchant's bank stands."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class RemotePayout:
    """A payout. `itemised` once the provider has said which lines it is made of (never for manual ones)."""

    provider_id: str
    money: Money
    status: PayoutStatus
    itemised: bool
    created_at: datetime


Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """The provider's id of what we could not read, and when it was made (UTC), where at least that can be read."""

    name: str
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Page(Generic[Item]):
    """One page of a list, newest first; `next_cursor` is None on the last one.

    What is `unreadable` must not stop the rest, nor be passed over unseen.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Window:
    """A span of creation times, `begin` included and `end` not (UTC)."""

    begin: datetime
    end: datetime


@runtime_checkable
class Listing(Protocol):
    """A provider that can list what it has: what reconciliation reads. Nothing here changes anything there.

    Each call is one page and one request. All raise ProviderUnavailable or RequestRefused.
    """

    # Which of its ids a payment is listed and shown by, and which one the lines of the balance name it by.
    listed_by: Reference
    lines_name: Reference

    def list_events(self, window: Window, *, cursor: str | None) -> Page[RemoteEvent]:
        """List the notices we read, undelivered ones too. A provider may forget them after a month."""

    def list_payments(self, window: Window, *, cursor: str | None) -> Page[RemotePayment]:
        """List payments."""

    def list_refunds(self, window: Window, *, cursor: str | None) -> Page[RemoteRefund]:
        """List refunds."""

    def list_disputes(self, window: Window, *, cursor: str | None) -> Page[RemoteDispute]:
        """List disputes."""

    def list_lines(self, window: Window, *, cursor: str | None) -> Page[SettlementLine]:
        """List what moved the balance."""

    def list_payouts(self, window: Window, *, cursor: str | None) -> Page[RemotePayout]:
        """List payouts."""

    def list_payout_lines(self, payout_id: str, *, cursor: str | None) -> Page[SettlementLine]:
        """List the lines that a payout is made of, its own one among them."""

    def payment(self, provider_id: str) -> RemotePayment | None:
        """Show one payment; None where the provider has no such."""

    def refund_of(self, provider_id: str) -> RemoteRefund | None:
        """Show one refund; None where the provider has no such."""

    def dispute(self, provider_id: str) -> RemoteDispute | None:
        """Show one dispute; None where the provider has no such."""
