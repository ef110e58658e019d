"""The same stack on RabbitMQ: what is paid is paid, whatever becomes of the broker meanwhile."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from payproc.database.engine import Database
from payproc.operations.doctor import broken_invariants
from sandbox.stack.running import Stack, running_stack
from sandbox.stack.servers.rabbitmq import Node, running_node
from tests.faults.shop import Shop

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def broker(place: Path) -> Iterator[Node]:
    with running_node(place / "rabbitmq") as node:
        yield node


@pytest.fixture(scope="module")
def stack(place: Path, broker: Node) -> Iterator[Stack]:
    told = {
        "BROKER_URL": broker.url,
        # Seconds where production has minutes, so that what waits is seen to end.
        "RING_LEASE": "2s",
        "WORK_LEASE": "4s",
        "RETRY_BASE": "200ms",
        "POLL_SCHEDULE_STRIPE": "3s",
    }
    with running_stack(place / "on-rabbitmq", overrides=told) as running:
        yield running


@pytest.fixture
def shop(stack: Stack) -> Iterator[Shop]:
    database = Database(stack.database_url, pool_size=1)
    with ExitStack() as after:
        after.callback(database.dispose)
        yield Shop(stack=stack, database=database)
        with database.transaction() as session:
            assert broken_invariants(session) == []


def test_a_payment_is_paid_through_quorum_queues(shop: Shop) -> None:
    started = shop.checkout()
    shop.pay(started["session_id"])
    shop.becomes(started["payment_id"], "completed")
    assert shop.has_its_one_receipt(started["payment_id"])
