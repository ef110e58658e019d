"""How soon all is done after something died: with the patience of production, not with that of the other tests."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from payproc.settings import Settings
from sandbox.stack.running import Stack, running_stack
from tests.faults.shop import Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

SESSIONS = "POST /v1/checkout/sessions"
# Six seconds on two idle cores, and what it takes on a busy machine tells of that. What used to wait for a lease to run
# out took more than eighty.
LEASE_OF_OLD_SECONDS = 60
AS_IT_COMES = ("ring_lease", "work_lease", "retry_base")


@pytest.fixture(scope="module")
def stack(place: Path) -> Iterator[Stack]:
    usual = {name: Settings.model_fields[name].default.total_seconds() for name in AS_IT_COMES}
    overrides = {name.upper(): f"{seconds:.0f}s" for name, seconds in usual.items()}
    with running_stack(place / "how-soon", overrides=overrides, without=("flower",)) as running:
        yield running


def postgres_restarts(shop: Shop) -> None:
    shop.restart_postgres()


def workers_die(shop: Shop) -> None:
    for name in ("worker-stripe", "worker-notices"):
        shop.stack.kill(name, signal.SIGKILL)
    for name in ("worker-stripe", "worker-notices"):
        shop.stack.restart(name)


@pytest.mark.parametrize("fault", [postgres_restarts, workers_die])
def test_what_was_under_way_is_done_without_waiting_for_a_long_lease(shop: Shop, fault: Callable[[Shop], None]) -> None:
    told_of = [shop.checkout() for _ in range(6)]
    shop.fault(SESSIONS, "slow", times=8, seconds=1.5)
    begun = [shop.checkout_despite_trouble() for _ in range(8)]
    running = "SELECT count(*) FROM jobs WHERE kind = 'payment.start' AND state = 'ready' AND started_at IS NOT NULL"
    wait_until(lambda: shop.count(running) >= 2, what="starts under way")
    with ThreadPoolExecutor(len(told_of)) as customers:
        list(customers.map(lambda paid: shop.pay(paid["session_id"]), told_of))

    fault(shop)
    over = time.monotonic()
    for payment_id in begun:
        shop.pay(shop.session_of(payment_id))
    for payment_id in (*(paid["payment_id"] for paid in told_of), *begun):
        shop.becomes(payment_id, "completed")
    assert time.monotonic() - over < LEASE_OF_OLD_SECONDS
    assert all(len(shop.sessions_at_stripe(payment_id)) == 1 for payment_id in begun)
