"""One row of the table: a fault under load, and what is left of it afterwards."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.table.grounds import CannotBeHad, Grounds
from tests.faults.table.judge import Judge, Verdict
from tests.faults.table.load import Accepted, Load, Rates
from tests.faults.table.places import Place

_LEAD_SECONDS = 1.0
_LOOK_EVERY_SECONDS = 0.25
# By then what is not done is taken for lost, on however slow a machine.
_GIVE_UP_AFTER_SECONDS = 120.0
_SETTLED_AFTER_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens, from its first sign until it is over, under load."""

    title: str
    happen: Callable[[Grounds], None]
    # Whatever it left is cleared away here, whether or not it came to its end.
    undo: Callable[[Grounds], None] = lambda _: None
    place: Place = Place.REDIS


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was counted. `drain` is in seconds; None where not all of it was done."""

    title: str
    accepted: int = 0
    verdict: Verdict | None = None
    drain: float | None = None
    not_had: str = ""
    failed: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        found = self.verdict
        if found is None:
            return bool(self.not_had) and not self.failed
        return self.drain is not None and (found.lost, found.doubled, found.mailed_twice, found.broken) == (0, 0, 0, ())


def row(fault: Fault, grounds: Grounds, rates: Rates) -> Row:
    """Let it happen, and count."""
    judge = Judge.of(grounds)
    load = Load(grounds=grounds, rates=rates)
    try:
        with load.running():
            grounds.hold(_LEAD_SECONDS)
            try:
                fault.happen(grounds)
            finally:
                fault.undo(grounds)
            drain = _drained(judge, load)
            load.stop()
            _wait(lambda: judge.at_work() == 0, seconds=_SETTLED_AFTER_SECONDS)
    except CannotBeHad as reason:
        return Row(title=fault.title, not_had=str(reason))
    accepted = judge.with_deliveries(load.so_far())
    return Row(title=fault.title, accepted=accepted.count, verdict=judge.verdict(accepted), drain=drain)


def _drained(judge: Judge, load: Load) -> float | None:
    """Return how many seconds it takes until all that was accepted so far is done, while more comes."""
    over = time.monotonic()
    so_far: Accepted = judge.with_deliveries(load.so_far())
    done = _wait(lambda: judge.waiting(so_far) == 0, seconds=_GIVE_UP_AFTER_SECONDS)
    return time.monotonic() - over if done else None


def _wait(is_so: Callable[[], bool], *, seconds: float) -> bool:
    last, pause = time.monotonic() + seconds, threading.Event()
    while not is_so():
        if time.monotonic() > last:
            return False
        pause.wait(_LOOK_EVERY_SECONDS)
    return True
