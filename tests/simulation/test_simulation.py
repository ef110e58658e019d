"""A short run of the simulation; `make simulate MINUTES=10` is a long one."""

from collections.abc import Iterator

import pytest

from sandbox.stack.servers import Postgres
from tests.simulation.actions.schedule import drawn, read, shrunk
from tests.simulation.mutants import MUTANTS
from tests.simulation.running import CleanDatabase, run, simulate

LENGTH = 120


@pytest.fixture(scope="module")
def kept(postgres: Postgres) -> Iterator[CleanDatabase]:
    made = CleanDatabase(postgres)
    yield made
    made.drop()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 7))
def test_nothing_is_lost_doubled_or_invented_whatever_a_seed_brings(kept: CleanDatabase, seed: int) -> None:
    outcome = simulate(kept, seed, length=LENGTH)
    assert outcome.broken == [], outcome.story


def test_a_seed_runs_the_same_way_twice(kept: CleanDatabase) -> None:
    first, second = (run(kept, drawn(7, length=60), seed=7) for _ in range(2))
    assert (first.done, first.met, first.cells) == (second.done, second.met, second.cells)


@pytest.mark.parametrize("name", ["a payment is moved without an event", "a sale is not booked"])
def test_a_fault_that_is_put_in_is_found(kept: CleanDatabase, name: str) -> None:
    with MUTANTS[name]():
        assert any(simulate(kept, seed, length=LENGTH).broken for seed in range(1, 7))


def test_steps_are_read_as_they_are_printed() -> None:
    steps = drawn(3, length=40)
    assert read(" ".join(map(str, steps))) == steps


def test_a_failing_list_is_made_as_short_as_it_can_be() -> None:
    steps = drawn(3, length=100)
    needed = {steps[17], steps[60], steps[61]}
    assert set(shrunk(steps, fails=lambda fewer: needed <= set(fewer))) == needed
