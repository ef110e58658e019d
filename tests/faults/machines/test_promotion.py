"""The primary is lost under load and its replica promoted: what was accepted is there, and is done once.

What is typed is read out of docs/runbooks/promotion.md.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from payproc.database.engine import Database
from payproc.operations.doctor import broken_invariants
from sandbox.stack.stale_processes import watched
from tests.faults.machines.cluster import Cluster, configure, free_port, give_to_server, make_cluster, run_as_server
from tests.faults.machines.load import is_done_once, load_on
from tests.faults.machines.own_stack import stack_over
from tests.faults.machines.runbook import blocks, is_typed_whole, typed
from tests.faults.shop import Shop

pytestmark = pytest.mark.processes

RUNBOOK = "promotion.md"
ONCE, LOST = "Once: the standby", "When the primary is lost"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two servers, on machines of their own as far as an address goes."""

    primary: Cluster
    standby: Cluster

    def type_blocks(self, heading: str, *steps: int) -> str:
        """Type the runbook's blocks of these steps, each at its machine; returns what the last one printed."""
        said = ""
        for block in blocks(RUNBOOK):
            if block.heading == heading and block.step in steps:
                at = {"primary": self.primary, "standby": self.standby}[block.who]
                environment = at.environment() | {
                    "PRIMARY": self.primary.address,
                    "PRIMARY_PORT": str(self.primary.port),
                }
                said = run_as_server(typed(block.script), environment=environment, directory=at.data.parent)
        return said

    @property
    def url(self) -> str:
        hosts = "&".join(f"host={each.address}:{each.port}" for each in (self.primary, self.standby))
        return f"postgresql+psycopg://postgres@/payproc?{hosts}&target_session_attrs=read-write"


@pytest.fixture
def pair(place: Path) -> Iterator[Pair]:
    """A primary and its standby, as steps 1 to 3 make them."""
    directory = place / "pair"
    primary = make_cluster(directory / "a", port=free_port(), address="127.0.0.2", settings={})
    made = Pair(
        primary=primary,
        standby=Cluster(data=directory / "b" / "data", sockets=directory / "b", port=free_port(), address="127.0.0.3"),
    )
    give_to_server(directory / "b")
    with watched(directory):
        made.primary.start()
        made.type_blocks(ONCE, 1)
        yield made
        made.standby.stop()
        made.primary.stop()


def followed(pair: Pair) -> None:
    """Have the standby follow, and each commit wait for it."""
    pair.type_blocks(ONCE, 2)
    configure(pair.standby, {})
    pair.type_blocks(ONCE, 3, 4)


def test_no_block_of_the_page_is_left_untried() -> None:
    assert is_typed_whole(RUNBOOK, {(ONCE, step) for step in (1, 2, 3, 4)} | {(LOST, 7)})


def test_a_promotion_under_load_loses_nothing_accepted_and_doubles_nothing(pair: Pair, place: Path) -> None:
    with stack_over(pair.primary, place / "promoted", database_url=pair.url) as (stack, _):
        followed(pair)
        database = Database(pair.url, pool_size=1)
        shop = Shop(stack=stack, database=database)
        with load_on(shop, customers=4) as load:
            load.reaches(12)
            pair.primary.kill()
            lost_at = time.monotonic()
            assert pair.type_blocks(LOST, 7).strip().endswith("takes writes")
            load.reaches(len(load.accepted) + 12)
        assert all(is_done_once(shop, payment_id) for payment_id in load.accepted)
        print(f"{len(load.accepted)} accepted, all done {time.monotonic() - lost_at:.1f} s after the loss")  # noqa: T201 (the figure of docs/proof.md)
        with database.transaction() as session:
            assert broken_invariants(session) == []
        database.dispose()
