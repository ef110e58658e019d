"""Two of what there is one of, a job that kills, and hosts whose clocks are wrong."""

import signal
from pathlib import Path

from tests.faults.table.grounds import OURS, CannotBeHad, Grounds
from tests.faults.table.row import Fault

_SECONDS = 4
# Neither how long something takes is wrong on such a host, nor what its files say of each other.
_CLOCK_ALONE = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
# Python sleeps until a moment of the true clock, which the library takes for one of the wrong one: EINVAL.
_SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
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
        wrong = {"LD_PRELOAD": str(_LIBRARIES[0]), "FAKETIME": offset}
        (grounds.stack.site.directory / "sitecustomize.py").write_text(_SLEEP)
        told = {**wrong, **_CLOCK_ALONE, "PYTHONPATH": str(grounds.stack.site.directory)}
        grounds.reconfigure(told, only=OURS)
        grounds.hold(_SECONDS)

    def right(grounds: Grounds) -> None:
        if grounds.stack.site.overrides.get("LD_PRELOAD"):
            grounds.reconfigure({"LD_PRELOAD": "", "FAKETIME": "", "PYTHONPATH": ""}, only=OURS)

    return Fault(title=title, happen=happen, undo=right)


TWO_RELAYS = _two_of("relay")
FAULTS = (
    TWO_RELAYS,
    _two_of("beat"),
    _clocks("all clocks but the database's 10 minutes fast", "+10m"),
    _clocks("all clocks but the database's 10 minutes slow", "-10m"),
)
