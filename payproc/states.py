"""What can happen to a payment: one grid, read by everyone who asks.

Rows are the status a payment is in, columns the fact we learned. A cell moves the payment, or says the fact
changes nothing (`SAME`: we knew; `LATE`: it came after a stronger fact). A pair that is not in the grid is
refused: it cannot happen without a defect, so nobody gets to shrug it off.
"""

from dataclasses import dataclass
from enum import StrEnum


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


class Effect(StrEnum):
    """What a fact does to a payment in its present status."""

    MOVED = "moved"
    SAME = "same"
    LATE = "late"


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One cell of the grid. `review` asks a person to look at a move that surprises the merchant."""

    effect: Effect
    to: PaymentStatus
    review: bool = False


class TransitionRefused(Exception):
    """A pair of status and fact that the grid does not know: a defect of ours, not an error a caller handles."""


TERMINAL = frozenset({PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.REFUNDED, PaymentStatus.CANCELLED})
OPEN = frozenset(PaymentStatus) - TERMINAL

# "completed!" moves and asks for a review: the merchant had been told the payment would not come.
_GRID = """
              started attempt_declined processing paid       declined  expired    cancelled  refunded  refund_undone mismatch
pending       same    same             processing completed  failed    cancelled  cancelled  -         -             same
processing    same    same             same       completed  failed    cancelled  cancelled  -         -             same
completed     late    late             late       same       late      late       late       refunded  same          late
failed        late    late             late       completed! same      late       late       -         -             late
cancelled     late    late             late       completed! late      same       same       -         -             late
refunded      late    late             late       late       late      late       late       same      completed     late
"""  # noqa: E501 (a grid is read by its columns)


def _cell(status: PaymentStatus, word: str) -> Transition | None:
    if word == "-":
        return None
    if word in (Effect.SAME, Effect.LATE):
        return Transition(effect=Effect(word), to=status)
    return Transition(effect=Effect.MOVED, to=PaymentStatus(word.rstrip("!")), review=word.endswith("!"))


def _read_grid(text: str) -> dict[tuple[PaymentStatus, Fact], Transition]:
    header, *rows = (line.split() for line in text.strip().splitlines())
    cells: dict[tuple[PaymentStatus, Fact], Transition] = {}
    for name, *words in rows:
        for fact, word in zip(header, words, strict=True):
            cell = _cell(PaymentStatus(name), word)
            if cell is not None:
                cells[PaymentStatus(name), Fact(fact)] = cell
    return cells


TRANSITIONS = _read_grid(_GRID)


def transition(status: PaymentStatus, fact: Fact) -> Transition:
    """Look up what `fact` does to a payment in `status`.

    Raises TransitionRefused for a pair outside the grid.
    """
    found = TRANSITIONS.get((status, fact))
    if found is None:
        raise TransitionRefused(f"{fact} cannot happen to a {status} payment")
    return found
