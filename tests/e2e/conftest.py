"""One whole stack for the tests of a module."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack.running import Stack, running_stack
from tests.e2e.shop import Shop


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="payproc-") as place, running_stack(Path(place)) as running:
        yield running


@pytest.fixture
def yard() -> Iterator[Path]:
    """Make a directory that PostgreSQL's own user can reach, whoever else tests on this machine.

    Each start of pytest closes pytest's directories to other users, those of a session that still runs, too.
    """
    with tempfile.TemporaryDirectory(prefix="payproc-") as made:
        yield Path(made)


@pytest.fixture
def shop(stack: Stack) -> Iterator[Shop]:
    with Shop(stack.web_url, key=stack.keys["customer"]) as made:
        yield made
