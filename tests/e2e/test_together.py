"""Workers that are forked from one process: each dies alone, and all stop together."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
from celery import Celery

from payproc.jobs import Kind
from sandbox.stack.children import Children
from sandbox.stack.ports import Ports
from sandbox.stack.processes import Process, processes
from sandbox.stack.running import prepared
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

LEFT_OUT = (
    *("gateway", "web", "flower"),
    *("worker-jazz-cash", "worker-easy-paisa", "worker-pushes", "worker-webhooks", "worker-reconcile"),
)
NAMES = {"relay", "notices", "stripe", "stripe-2", "mail", "beat"}


@dataclass(frozen=True)
class Group:
    children: Children
    log: Path
    broker: str

    def pids(self) -> dict[str, int]:
        """Whoever was forked from the first, by its name."""
        return {each.name(): each.pid for each in psutil.Process(self.children.pid("tasks")).children()}

    def kill(self, name: str) -> None:
        psutil.Process(self.pids()[name]).kill()

    def tick(self) -> None:
        """Send what beat sends, to the worker of the clock's queue."""
        with Celery(broker=self.broker, set_as_current=False) as celery:
            celery.config_from_object("celeryconfig")
            celery.send_task("clock.tick", args=[Kind.DIGEST.value])


def _unheard(_: str) -> None:
    pass


@pytest.fixture
def group(yard: Path) -> Iterator[Group]:
    with prepared(yard / "var", Ports.free(), overrides={}, tell=_unheard) as (site, children):
        children.start([_short_lived(each, "mail@") for each in processes(site, without=LEFT_OUT)], tell=_unheard)
        yield Group(children, site.log("tasks"), broker=site.broker_url)


def _short_lived(process: Process, name: str) -> Process:
    """Let one of the workers give up its place after its first task, as after its thousandth."""
    command = [f"{word} --max-tasks-per-child 1" if name in word else word for word in process.command]
    return replace(process, command=tuple(command))


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


def test_who_has_done_enough_is_followed_by_another_at_once(group: Group) -> None:
    before = group.pids()["mail"]
    group.tick()
    wait_until(lambda: group.pids().get("mail", before) != before, what="another worker")
    assert "it is started again" not in group.log.read_text()


def test_each_of_them_does_its_work_itself(group: Group) -> None:
    assert [psutil.Process(pid).children() for pid in group.pids().values()] == [[] for _ in NAMES]


def test_all_stop_when_the_first_is_told_to(group: Group) -> None:
    first = psutil.Process(group.children.pid("tasks"))
    everyone = first.children(recursive=True)
    first.send_signal(signal.SIGTERM)
    wait_until(lambda: group.children.ended("tasks") == 0, what="the end of the first")
    assert [each for each in everyone if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
