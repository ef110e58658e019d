"""Two of what there is one of, a job that kills, and hosts whose clocks are wrong."""

import signal
from pathlib import Path

from tests.faults.table.grounds import OURS, CannotBeHad, Grounds
from tests.faults.table.row import Fault

_SECONDS = 4
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


def _two_of(name: str) -> Fault:
    def happen(grounds: Grounds) -> None:
        another = grounds.stack.start_another(name)
        grounds.hold(_SECONDS)
        # The first of the two dies, and later the other.
        grounds.stack.kill(name, signal.SIGKILL)
        grounds.hold(2)
        grounds.stack.restart(name)
        grounds.stack.kill(another, signal.SIGKILL)

    return Fault(title=f"two of {name}, one of which dies", happen=happen)


def _clocks(title: str, offset: str) -> Fault:
    def happen(grounds: Grounds) -> None:
        if not _LIBRARIES:
            raise CannotBeHad("libfaketime is not installed (Debian: apt-get install faketime)")
        wrong = {"LD_PRELOAD": str(_LIBRARIES[0]), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        grounds.reconfigure(wrong, only=OURS)
        grounds.hold(_SECONDS)

    def right(grounds: Grounds) -> None:
        if grounds.stack.site.overrides.get("LD_PRELOAD"):
            grounds.reconfigure({"LD_PRELOAD": "", "FAKETIME": ""}, only=OURS)

    return Fault(title=title, happen=happen, undo=right)


FAULTS = (
    _two_of("relay"),
    _two_of("beat"),
    _clocks("all clocks but the database's 10 minutes fast", "+10m"),
    _clocks("all clocks but the database's 10 minutes slow", "-10m"),
)
