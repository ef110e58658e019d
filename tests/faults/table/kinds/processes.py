"""Processes of ours that die, or are replaced."""

import signal

from tests.faults.table.grounds import OURS, WORKERS, Grounds
from tests.faults.table.row import Fault


def _workers_die(grounds: Grounds) -> None:
    for _ in grounds.times(10):
        for name in WORKERS:
            grounds.stack.kill(name, signal.SIGKILL)
        grounds.stack.restart(*WORKERS)


def _dies(name: str) -> Fault:
    def happen(grounds: Grounds) -> None:
        grounds.stack.kill(name, signal.SIGKILL)
        grounds.hold(3)
        grounds.stack.restart(name)

    return Fault(title=f"SIGKILL of {name}", happen=happen)


def _deploy(grounds: Grounds) -> None:
    for name in OURS:
        grounds.stack.restart(name)


FAULTS = (
    Fault(title="SIGKILL of all workers, ten times", happen=_workers_die),
    _dies("relay"),
    _dies("web"),
    _dies("beat"),
    Fault(title="deploy: SIGTERM of every process in turn", happen=_deploy),
)
