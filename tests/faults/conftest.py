"""Real processes, and what may happen to them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from payproc.database.engine import Database
from payproc.operations.doctor import broken_invariants
from sandbox.stack.running import Stack, running_stack
from tests.faults.shop import Shop


@pytest.fixture(scope="package")
def stack(place: Path) -> Iterator[Stack]:
    # Seconds where production has minutes, so that what waits is seen to end.
    patience = {
        "RING_LEASE": "2s",
        "WORK_LEASE": "4s",
        "RETRY_BASE": "200ms",
        "POLL_SCHEDULE_STRIPE": "3s",
        "POLL_SCHEDULE_EASY_PAISA": "1s",
        "PUSH_TIMEOUT": "5s",
    }
    with running_stack(place / "faults", overrides=patience) as running:
        yield running


@pytest.fixture
def shop(stack: Stack) -> Iterator[Shop]:
    database = Database(stack.database_url, pool_size=1)
    shop = Shop(stack=stack, database=database)
    with ExitStack() as after:
        after.callback(database.dispose)
        shop.comes_to_rest()
        yield shop
        shop.sandbox("DELETE", "faults")
        with database.transaction() as session:
            assert broken_invariants(session) == []
