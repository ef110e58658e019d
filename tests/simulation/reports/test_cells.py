"""What is said to be out of reach: cells that exist, once each, and no more than that."""

from collections import Counter

from tests.simulation.reports.cells import NOT_BROUGHT_ABOUT, all_cells, reachable, unreachable
from tests.simulation.reports.report import Report
from tests.simulation.running import Outcome


def test_every_cell_that_is_out_of_reach_stands_in_a_grid_and_has_one_reason() -> None:
    given = Counter(cell for cells in NOT_BROUGHT_ABOUT.values() for cell in cells)
    assert set(given) <= all_cells()
    assert set(given.values()) == {1}
    assert reachable() | unreachable() == all_cells()


def test_a_report_names_what_was_not_reached_apart_from_what_cannot_be() -> None:
    report = Report()
    first, *others = sorted(reachable())
    report.add(1, _outcome(others))
    assert report.missing == [first]
    told = list(report.lines(minutes=1))
    assert f"Not reached: {' '.join(first[:2])} by {first[2]}." in told
    assert f"{len(unreachable())} cannot be brought about:" in told
    assert sum(line.startswith("- ") for line in told) == len(NOT_BROUGHT_ABOUT)


def test_a_report_tells_of_a_cell_that_was_reached_against_its_reason() -> None:
    report = Report()
    report.add(1, _outcome([("refund", "manual", "cancelled")]))
    assert any("though said to be out of reach: refund manual by cancelled" in each for each in report.lines(minutes=1))


def _outcome(cells: list[tuple[str, str, str]]) -> Outcome:
    return Outcome(steps=1, broken=[], done=Counter(), met=Counter(), cells=frozenset(cells), story="")
