"""What a provider shows of what comes after a payment: refunds, disputes, and the lines of its balance."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from payproc.domain.money import Money
from payproc.domain.references import References
from payproc.domain.states import DisputeStatus


class RefundVerdict(StrEnum):
    """What a provider's answer means for a refund."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_FOUND = "not_found"  # the provider keeps an id of each refund, and has none of this one
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class RefundOutcome:
    """What we learned about a refund. `provider_id` is the provider's own id of it, where it has one.

    `pending_reason` is the provider's word for what a pending one waits for; `awaits_merchant` says that it is us.
    """

    verdict: RefundVerdict
    provider_id: str | None = None
    pending_reason: str | None = None
    awaits_merchant: bool = False
    failure_code: str | None = None
    failure_message: str | None = None


@dataclass(frozen=True, kw_only=True)
class RemoteRefund:
    """A refund as a provider shows it: one of ours (`refund_id`, echoed), or one made in its own dashboard.

    `references` are ids of its payment, `payment_id` ours where the provider echoes it; `money` is None where the
    amount cannot be read. Times are UTC.
    """

    provider_id: str
    references: References
    money: Money | None
    outcome: RefundOutcome
    live_mode: bool | None = None
    refund_id: str | None = None
    payment_id: str | None = None
    reason: str | None = None
    created_at: datetime | None = None


class LineKind(StrEnum):
    """What moved the merchant's balance at a provider."""

    CHARGE = "charge"
    CHARGE_FAILURE = "charge_failure"  # a charge that was shown before it was sure, and did not arrive
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"  # taken, or given back, by its sign
    FEE = "fee"  # of the account, of no single payment
    PAYOUT = "payout"  # to the bank, or back from it, by its sign
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class SettlementLine:
    """One movement of the merchant's balance at a provider: immutable there, and `net` is always `gross` less `fee`.

    All in minor units of `currency`, which is that of the balance: signed, negative where money leaves it. `source` is
    the provider's id of what moved it, `payment_source` that of the payment which it is, or is of; `exchange_rate` is
    set where that was in another currency. `payout` is the provider's id of the payout that the line was part of, where
    one said so.
    """

    id: str
    kind: LineKind
    category: str  # the provider's own word
    currency: str
    gross: int
    fee: int
    net: int
    source: str | None
    created_at: datetime
    payment_source: str | None = None
    payout: str | None = None
    exchange_rate: Decimal | None = None
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class RemoteDispute:
    """A dispute as a provider shows it. `reported_at` is when it stood so (UTC, of the provider's clock).

    `charge_refundable` is whether a refund would still be taken beside it; None where the provider does not say.
    """

    provider_id: str
    references: References
    money: Money | None
    status: DisputeStatus
    reported_at: datetime
    lines: tuple[SettlementLine, ...] = ()  # what it has moved so far: nothing, one or two lines
    live_mode: bool | None = None
    charge_refundable: bool | None = None
    payment_id: str | None = None
    reason: str | None = None
    evidence_due_at: datetime | None = None
    created_at: datetime | None = None
