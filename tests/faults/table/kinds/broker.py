"""The broker, which may forget everything, stop, or fall silent."""

import signal

from redis import Redis

from tests.faults.table.grounds import BROKER, Grounds
from tests.faults.table.row import Fault
from tests.faults.table.wires import State


def _is_wiped(grounds: Grounds) -> None:
    for _ in grounds.times(3):
        with Redis.from_url(grounds.stack.broker_url) as broker:
            broker.flushall()
        grounds.hold(2)


def _stops(grounds: Grounds) -> None:
    grounds.stack.kill("redis", signal.SIGKILL)
    grounds.hold(20)
    grounds.stack.restart("redis")


def _falls_silent(grounds: Grounds) -> None:
    grounds.lines.set(BROKER, State.SILENT)
    grounds.hold(20)


def _is_left_half_open(grounds: Grounds) -> None:
    grounds.lines.set(BROKER, State.SILENT)
    grounds.hold(5)
    grounds.lines.set(BROKER, State.HALF_OPEN)


def _is_open(grounds: Grounds) -> None:
    grounds.lines.set(BROKER, State.OPEN)


SILENT = Fault(title="broker black-holed both ways for 20 s, then healed", happen=_falls_silent, undo=_is_open)
HALF_OPEN = Fault(title="broker black-holed, then connections left half open", happen=_is_left_half_open, undo=_is_open)
FAULTS = (
    Fault(title="FLUSHALL at the broker, three times", happen=_is_wiped),
    Fault(title="broker killed, back after 20 s", happen=_stops),
    SILENT,
    HALF_OPEN,
)
