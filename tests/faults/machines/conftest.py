"""Servers of one's own, which may be lost, restored and promoted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack.stale_processes import watched
from tests.faults.machines.cluster import Cluster, make_cluster


@pytest.fixture
def cluster(place: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    # Named shortly: a socket's path has little room.
    directory = place / f"own{abs(hash(request.node.nodeid)) % 10_000}"
    made = make_cluster(directory, settings={})
    with watched(directory):
        made.start()
        yield made
        made.stop()
