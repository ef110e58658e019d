"""What a provider delivers, as it came and as it is understood."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from payproc.domain.references import References
from payproc.domain.settlement import RemoteDispute, RemoteRefund
from payproc.providers.answers import Outcome


@dataclass(frozen=True, kw_only=True)
class RawNotice:
    """A delivery as it came: `headers` by lower-case name, `query` without its question mark, time in UTC."""

    body: bytes
    headers: Mapping[str, str]
    received_at: datetime
    query: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A proven notice about a payment.

    `payment_id` is our own id, `reference` our own reference, where the provider echoes one of them. `dialects` are
    those whose payments it may speak of. `marked` is false where it bears nothing that we put on everything we make.
    """

    key: str
    kind: str
    references: References
    outcome: Outcome
    dialects: frozenset[str]
    payment_id: str | None = None
    reference: str | None = None
    marked: bool = True


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A delivery that is the provider's own; what it says is read when it is applied.

    `answer` is what the provider wants to hear; None for our usual words.
    """

    key: str
    kind: str
    answer: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Hint:
    """A notice that anybody could have sent: a reason to ask about the payment that it names, and no more.

    `reference` is what is likeliest ours of what it names, `also` what else may be. `references` is what it says the
    provider calls the payment.
    """

    kind: str
    reference: str
    also: tuple[str, ...] = ()
    references: References = field(default_factory=dict)
    answer: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Postponed:
    """A notice about money, of a kind that this release does not apply yet: kept, and tried again daily."""

    key: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ignored:
    """A notice that concerns no payment of ours; `reason` says why."""

    key: str
    kind: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RefundNotice:
    """A proven notice about a refund; one made in the provider's dashboard is not `marked`."""

    key: str
    kind: str
    refund: RemoteRefund
    dialects: frozenset[str]
    marked: bool = True


@dataclass(frozen=True, kw_only=True)
class DisputeNotice:
    """A proven notice about a dispute, which nobody can mark."""

    key: str
    kind: str
    dispute: RemoteDispute
    dialects: frozenset[str]
    marked: bool = False


@dataclass(frozen=True, kw_only=True)
class FraudWarning:
    """A proven word of a card network that a payment may be fraud; nobody can mark it.

    While it is `actionable` a refund averts the dispute that usually follows.
    """

    key: str
    kind: str
    references: References
    actionable: bool
    dialects: frozenset[str]
    marked: bool = False


@dataclass(frozen=True, kw_only=True)
class FailedPayout:
    """A proven word that the merchant's bank sent a payout back: about the account, and no payment of it."""

    key: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class VerifiedNotice:
    """What a delivery is worth, and the bytes of it that may be kept: no secret, and nothing of the payer."""

    notice: Proven | Hint | Ignored
    redacted: bytes = field(repr=False)


# What a proven delivery says, read from what was kept of it.
ParsedNotice = Notice | RefundNotice | DisputeNotice | FraudWarning | FailedPayout | Postponed | Ignored
