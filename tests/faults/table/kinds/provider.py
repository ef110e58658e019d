"""Stripe, which answers late, wrongly or not at all."""

from tests.faults.table.grounds import STRIPE, Grounds
from tests.faults.table.kinds.certificates import SELF_SIGNED
from tests.faults.table.row import Fault
from tests.faults.table.wires import State

_SECONDS = 4
_OUTAGE_SECONDS = 60


def _ordered(title: str, fault: str, **more: object) -> Fault:
    def happen(grounds: Grounds) -> None:
        grounds.fault("*", fault, **more)
        grounds.hold(_SECONDS)

    return Fault(title=f"Stripe: {title}", happen=happen, undo=lambda grounds: grounds.no_faults())


def _line(title: str, state: State, seconds: float) -> Fault:
    def happen(grounds: Grounds) -> None:
        grounds.lines.set(STRIPE, state)
        grounds.hold(seconds)

    def heal(grounds: Grounds) -> None:
        grounds.lines.set(STRIPE, State.OPEN)

    return Fault(title=f"Stripe: {title}", happen=happen, undo=heal)


FAULTS = (
    # Longer than we wait for an answer.
    _ordered("time-out after executing", "timeout_after", seconds=20),
    _line("connection reset", State.RESETTING, _SECONDS),
    _ordered("500, executed", "error_500_after"),
    _ordered("429 with Retry-After", "rate_limit_429", seconds=1),
    _ordered("HTML under 200", "html_200"),
    _ordered("truncated JSON, executed", "truncated_json"),
    _line("nobody there for 60 s", State.CLOSED, _OUTAGE_SECONDS),
    SELF_SIGNED,
)
