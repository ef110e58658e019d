"""Workers that are forked from one process: each dies alone, and all stop together."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sandbox.stack.children import Children
from sandbox.stack.ports import Ports
from sandbox.stack.processes import processes
from sandbox.stack.running import prepared
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

LEFT_OUT = ("gateway", "web", "flower", "worker-jazz-cash", "worker-easy-paisa", "worker-pushes", "worker-reconcile")
NAMES = {"relay", "notices", "stripe", "mail", "beat"}


@dataclass(frozen=True)
class Group:
    children: Children
    log: Path

    def pids(self) -> dict[str, int]:
        """Whoever was forked from the first, by its name."""
        return {each.name(): each.pid for each in psutil.Process(self.children.pid("tasks")).children()}

    def kill(self, name: str) -> None:
        psutil.Process(self.pids()[name]).kill()


def _unheard(_: str) -> None:
    pass


@pytest.fixture
def group(place: Path) -> Iterator[Group]:
    with prepared(place / "var", Ports.free(), overrides={}, tell=_unheard) as (site, children):
        children.start(processes(site, without=LEFT_OUT), tell=_unheard)
        yield Group(children, site.log("tasks"))


def test_each_has_its_name_dies_alone_and_is_started_again(group: Group) -> None:
    before = group.pids()
    assert set(before) == NAMES
    group.kill("notices")
    wait_until(lambda: group.pids().get("notices", before["notices"]) != before["notices"], what="another worker")
    after = group.pids()
    assert {name: pid for name, pid in after.items() if name != "notices"} == {
        name: pid for name, pid in before.items() if name != "notices"
    }
    wait_until(lambda: group.log.read_text().count("notices@") >= 2, what="its first words")


def test_all_stop_when_the_first_is_told_to(group: Group) -> None:
    first = psutil.Process(group.children.pid("tasks"))
    everyone = first.children(recursive=True)
    first.send_signal(signal.SIGTERM)
    wait_until(lambda: group.children.ended("tasks") == 0, what="the end of the first")
    assert [each for each in everyone if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
