"""Redis behind a Sentinel: the server that takes writes dies, and the one that followed it takes its place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack.running import Stack, running_stack
from sandbox.stack.servers.sentinels import MASTER_NAME, Sentinel, running_sentinel
from tests.faults.shop import Shop
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.processes, pytest.mark.full]


@pytest.fixture(scope="module")
def sentinel(place: Path) -> Iterator[Sentinel]:
    with running_sentinel(place / "sentinel") as running:
        yield running


@pytest.fixture(scope="module")
def stack(place: Path, sentinel: Sentinel) -> Iterator[Stack]:
    told = {
        "BROKER_URL": sentinel.url,
        "BROKER_MASTER_NAME": MASTER_NAME,
        "RING_LEASE": "2s",
        "WORK_LEASE": "4s",
        "RETRY_BASE": "200ms",
    }
    idle = {"worker-easy-paisa", "worker-jazz-cash", "worker-pushes", "worker-reconcile", "flower", "beat"}
    with running_stack(place / "behind-a-sentinel", overrides=told, without=idle) as running:
        yield running


def test_a_payment_goes_on_when_the_sentinel_promotes_another_redis(shop: Shop, sentinel: Sentinel) -> None:
    paid = shop.checkout()
    dead = sentinel.kill_master()
    shop.pay(paid["session_id"])
    waiting = shop.checkout(wait=0)["payment_id"]

    wait_until(lambda: sentinel.master() != dead, what="another server promoted", seconds=60)
    shop.becomes(paid["payment_id"], "completed", seconds=90)
    assert shop.has_its_one_receipt(paid["payment_id"])
    session_id = shop.session_of(waiting)
    assert shop.sessions_at_stripe(waiting) == [session_id]
