"""Two machines with one of each process, at addresses of their own: either may be lost under load."""

import secrets
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from payproc.database.engine import Database
from payproc.operations.doctor import broken_invariants
from sandbox.stack.children import Children
from sandbox.stack.processes import Answers, Process, Says, processes_apart
from sandbox.stack.site import Site
from tests.faults.machines.cluster import Cluster
from tests.faults.machines.load import Patient, is_done_once, load_on
from tests.faults.machines.own_stack import stack_over
from tests.support.waiting import wait_until

ADDRESSES = {"one": "127.0.0.2", "two": "127.0.0.3"}

pytestmark = [
    pytest.mark.processes,
    pytest.mark.full,
    # Whether a front is up is asked at its own address.
    pytest.mark.allow_hosts(["127.0.0.1", "localhost", *ADDRESSES.values()]),
]

# What both machines share, and Flower, which looks on.
_SHARED = ("gateway", "flower")
_TWICE = {"WEB_PROCESSES": "4", "WORKER_PROCESSES": "28"}


def two_machines(site: Site) -> Sequence[Process]:
    """Return one gateway, a balancer, and two of each process of payproc."""
    alone = {each.name: each for each in processes_apart(site)}
    each = [one for name, one in alone.items() if name not in _SHARED]
    return [
        alone["gateway"],
        *(_on_machine(site, process, machine) for machine in ADDRESSES for process in each),
        _balancer(site),
    ]


def _on_machine(site: Site, process: Process, machine: str) -> Process:
    bare = process.name.removeprefix("worker-")
    renamed = {
        f"{bare}@%h": f"{bare}-{machine}@%h",
        str(site.directory / "beat-schedule"): str(site.directory / f"beat-schedule-{machine}"),
        f"127.0.0.1:{site.ports.web}": f"{ADDRESSES[machine]}:{site.ports.web}",
    }
    match process.up:
        case Says(words=words):
            up: Says | Answers = Says(words.replace(f"{bare}@", f"{bare}-{machine}@"))
        case Answers(url=url):
            up = Answers(url.replace("127.0.0.1", ADDRESSES[machine]))
        case other:
            raise AssertionError(other)
    command = tuple(renamed.get(word, word) for word in process.command)
    return replace(process, name=f"{process.name}-{machine}", command=command, up=up)


def _balancer(site: Site) -> Process:
    behind = [f"{address}:{site.ports.web}" for address in ADDRESSES.values()]
    command = (sys.executable, "-m", "tests.faults.machines.balancer", f"127.0.0.1:{site.ports.web}", *behind)
    return Process(name="balancer", command=command, up=Answers(f"{site.web_url}/readyz"))


def lose(children: Children, machine: str) -> list[str]:
    """Take every process of a machine away, one after the other: each dies while the rest is at work."""
    names = [name for name in children.names if name.endswith(f"-{machine}")]
    for name in names:
        children.kill(name, signal.SIGKILL)
    return names


def pushed(shop: Patient) -> str:
    answer = wait_until(lambda: shop.posted_push(secrets.token_hex(8)), what="a push taken")
    assert answer.status_code == 202, answer.text
    return str(answer.json()["payment_id"])


def taken_once(shop: Patient, payment_id: str) -> bool:
    reference = shop.payment(payment_id)["reference"]
    found = requests.get(f"{shop.stack.gateway_url}/_sandbox/wallets/transactions/{reference}", timeout=10).json()
    return (found["debits"], found["charge_calls"]) == (1, 1)


@pytest.mark.parametrize("machine", list(ADDRESSES))
def test_a_machine_that_is_lost_under_load_loses_and_doubles_nothing(
    cluster: Cluster, place: Path, machine: str
) -> None:
    with stack_over(cluster, place / f"two-{machine}", overrides=_TWICE, chosen=two_machines) as (stack, children):
        database = Database(stack.database_url, pool_size=1)
        shop = Patient(stack=stack, database=database)
        with load_on(shop, customers=4) as load:
            load.reaches(12)
            pushes = [pushed(shop) for _ in range(4)]
            lost = lose(children, machine)
            lost_at = time.monotonic()
            pushes += [pushed(shop) for _ in range(4)]
            load.reaches(len(load.accepted) + 24)
        assert len(lost) == len(children.names) // 2 - 1, "the half of all but the broker, the gateway, the balancer"
        assert all(is_done_once(shop, payment_id) for payment_id in load.accepted)
        for payment_id in pushes:
            shop.becomes(payment_id, "completed", seconds=180)
            assert taken_once(shop, payment_id)
        done = f"{len(load.accepted)} by card, {len(pushes)} by wallet"
        print(f"{machine} lost ({len(lost)} processes): {done}, all done {time.monotonic() - lost_at:.1f} s after")  # noqa: T201 (the figure of docs/proof.md)
        with database.transaction() as session:
            assert broken_invariants(session) == []
        database.dispose()
