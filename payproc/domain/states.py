"""What can happen to a payment, a refund and a dispute: grids and an order, read by everyone who asks.

Rows of a grid are the status something is in, columns the fact we learned. A cell moves it, or says the fact
changes nothing (`SAME`: we knew; `LATE`: it came after a stronger fact). A pair that is not in the grid is
refused: it cannot happen without a defect, so nobody gets to shrug it off.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar


class PaymentStatus(StrEnum):
    """The guide's six statuses."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUNDED = "refunded"
    CANCELLED = "cancelled"


class Fact(StrEnum):
    """Something we learned about a payment from the provider, or decided before it was reached."""

    CREATED = "created"
    STARTED = "started"
    ATTEMPT_DECLINED = "attempt_declined"  # a card was refused, the customer may try another
    PROCESSING = "processing"
    PAID = "paid"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    REFUND_UNDONE = "refund_undone"
    MISMATCH = "mismatch"  # paid, but not what we asked for: recorded, never applied
    SALE_UNDONE = "sale_undone"  # completed wrongly: two people say that nothing was paid


class RefundStatus(StrEnum):
    """How a refund stands. `pending` covers "about to be sent" and "nobody knows yet": both hold the money reserved."""

    REQUESTED = "requested"  # the owner asked, and an operator has not decided
    PENDING = "pending"
    MANUAL = "manual"  # the gateway has no call for it: a person does it in the portal
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RefundFact(StrEnum):
    """Something we learned about a refund, or decided."""

    ASKED = "asked"
    APPROVED = "approved"
    HANDED_OVER = "handed_over"  # to a person, who does it in the provider's portal
    UNDER_WAY = "under_way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # it was not carried out, and the customer does not lack the money


class DisputeStatus(StrEnum):
    """How a dispute stands, each further along than the one before it.

    Only a lost dispute can be appealed, and an appeal ends in `won` or `lost` again: then time decides.
    """

    INQUIRY = "inquiry"  # the bank asks; no money has moved
    INQUIRY_UNDER_REVIEW = "inquiry_under_review"
    INQUIRY_CLOSED = "inquiry_closed"
    UNKNOWN = "unknown"  # a word of the provider's that we do not know: held, as if it were open
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    PREVENTED = "prevented"
    WON = "won"
    LOST = "lost"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"


class Effect(StrEnum):
    """What a fact does to a payment, a refund or a dispute in its present status."""

    MOVED = "moved"
    SAME = "same"
    LATE = "late"


Status = TypeVar("Status", PaymentStatus, RefundStatus)
AnyFact = TypeVar("AnyFact", Fact, RefundFact)


@dataclass(frozen=True, kw_only=True)
class Transition(Generic[Status]):
    """One cell of a grid. `review` asks a person to look at a move that surprises the merchant."""

    effect: Effect
    to: Status
    review: bool = False


class TransitionRefused(Exception):
    """A pair of status and fact that no grid knows: a defect of ours, not an error a caller handles."""


TERMINAL = frozenset({PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.REFUNDED, PaymentStatus.CANCELLED})
OPEN = frozenset(PaymentStatus) - TERMINAL

# "completed!" moves and asks for a review: the merchant had been told the payment would not come.
_GRID = """
              started attempt_declined processing paid       declined  expired    cancelled  refunded  refund_undone mismatch sale_undone
pending       same    same             processing completed  failed    cancelled  cancelled  -         -             same     -
processing    same    same             same       completed  failed    cancelled  cancelled  -         -             same     -
completed     late    late             late       same       late      late       late       refunded  same          late     failed
failed        late    late             late       completed! same      late       late       -         -             late     -
cancelled     late    late             late       completed! late      same       same       -         -             late     -
refunded      late    late             late       late       late      late       late       same      completed     late     -
"""  # noqa: E501 (a grid is read by its columns)


# "failed!" and "cancelled!" take back what the customer had been told they get. A requested one that its provider has
# was approved in a time that a restored database does not know: the money is on its way, whoever decides here.
_REFUND_GRID = """
              asked  approved  handed_over  under_way  succeeded  failed   cancelled   superseded
requested     same   pending   -            pending    succeeded  failed   cancelled   -
pending       same   late      manual       same       succeeded  failed   cancelled   cancelled
manual        same   late      same         same       succeeded  failed   cancelled   late
succeeded     late   late      late         late       same       failed!  cancelled!  late
failed        late   late      late         late       late       same     late        late
cancelled     late   late      late         late       late       late     same        same
"""

REFUND_RESERVING = frozenset(RefundStatus) - {RefundStatus.FAILED, RefundStatus.CANCELLED}
REFUND_OPEN = REFUND_RESERVING - {RefundStatus.SUCCEEDED}

DISPUTE_CLOSED = frozenset(
    {DisputeStatus.INQUIRY_CLOSED, DisputeStatus.PREVENTED, DisputeStatus.WON, DisputeStatus.LOST}
)
DISPUTE_OPEN = frozenset(DisputeStatus) - DISPUTE_CLOSED


def _cell(word: str, standing: Status) -> Transition[Status] | None:
    if word == "-":
        return None
    if word in (Effect.SAME, Effect.LATE):
        return Transition(effect=Effect(word), to=standing)
    return Transition(effect=Effect.MOVED, to=type(standing)(word.rstrip("!")), review=word.endswith("!"))


def _read_grid(
    text: str, statuses: type[Status], facts: type[AnyFact]
) -> dict[tuple[Status, AnyFact], Transition[Status]]:
    header, *rows = (line.split() for line in text.strip().splitlines())
    return {
        (statuses(name), facts(fact)): cell
        for name, *words in rows
        for fact, word in zip(header, words, strict=True)
        if (cell := _cell(word, statuses(name))) is not None
    }


TRANSITIONS = _read_grid(_GRID, PaymentStatus, Fact)
REFUND_TRANSITIONS = _read_grid(_REFUND_GRID, RefundStatus, RefundFact)


def transition(status: PaymentStatus, fact: Fact) -> Transition[PaymentStatus]:
    """Look up what `fact` does to a payment in `status`.

    Raises TransitionRefused for a pair outside the grid.
    """
    found = TRANSITIONS.get((status, fact))
    if found is None:
        raise TransitionRefused(f"{fact} cannot happen to a {status} payment")
    return found


def refund_transition(status: RefundStatus, fact: RefundFact) -> Transition[RefundStatus]:
    """Look up what `fact` does to a refund in `status`.

    Raises TransitionRefused for a pair outside the grid.
    """
    found = REFUND_TRANSITIONS.get((status, fact))
    if found is None:
        raise TransitionRefused(f"{fact} cannot happen to a {status} refund")
    return found


@dataclass(frozen=True, kw_only=True)
class DisputeStanding:
    """A dispute's status, and when its provider said so (UTC, of the provider's clock)."""

    status: DisputeStatus
    reported_at: datetime

    @property
    def order(self) -> tuple[datetime, int]:
        """Where it stands in time. A provider's clock counts whole seconds: within one, how far along decides."""
        return self.reported_at, list(DisputeStatus).index(self.status)


def dispute_effect(standing: DisputeStanding, told: DisputeStanding) -> Effect:
    """Say what being told does to a dispute.

    The latest word counts, so a dispute ends the same in whatever order the words arrive. A grid would not do: after an
    appeal a dispute is `lost` a second time.
    """
    if told.status is standing.status:
        return Effect.SAME
    return Effect.MOVED if told.order > standing.order else Effect.LATE
