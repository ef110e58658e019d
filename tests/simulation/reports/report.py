"""What many runs came to: printed, and between two marks of docs/proof.md."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.reports.cells import NOT_BROUGHT_ABOUT, Cell, reachable, unreachable
from tests.simulation.running import Outcome

DOCUMENT = Path(__file__).parents[3] / "docs" / "proof.md"


@dataclass
class Report:
    """The sum of many runs."""

    schedules: int = 0
    steps: int = 0
    broken: list[int] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    cells: set[Cell] = field(default_factory=set)

    def add(self, seed: int, outcome: Outcome) -> None:
        """Count a run."""
        self.schedules += 1
        self.steps += outcome.steps
        self.met += outcome.met
        self.done += outcome.done
        self.cells |= outcome.cells
        if outcome.broken:
            self.broken.append(seed)

    @property
    def deaths(self) -> int:
        """How many processes died."""
        return sum(count for what, count in self.met.items() if what.startswith("death"))

    def lines(self, *, minutes: float) -> Iterator[str]:
        """Write what was done and met, as Markdown."""
        yield f"{minutes:.0f} minutes: {self.schedules:,} schedules of {self.steps:,} steps, {self.deaths:,} deaths,"
        yield f"{len(self.broken)} broken promises{self._seeds()}."
        yield ""
        yield from _table("what befell a process or a message", self._befell())
        yield ""
        yield from _table("fault of a gateway", self._faults())
        yield ""
        yield from self._cells()

    @property
    def missing(self) -> list[Cell]:
        """The cells that can be reached, and were not."""
        return sorted(reachable() - self.cells)

    def _cells(self) -> Iterator[str]:
        reached = len(reachable() & self.cells)
        yield f"Cells of the grids of states: {reached} of {len(reachable())} that can be reached."
        if self.missing:
            yield f"Not reached: {_named(self.missing)}."
        for cell in sorted(unreachable() & self.cells):
            yield f"Reached, though said to be out of reach: {_named([cell])}."
        yield ""
        yield f"{len(unreachable())} cannot be brought about:"
        yield ""
        for reason, cells in NOT_BROUGHT_ABOUT.items():
            yield f"- {_named(sorted(cells))}: {reason}."

    def _seeds(self) -> str:
        return f" (seeds {', '.join(map(str, self.broken))})" if self.broken else ""

    def _befell(self) -> Counter[str]:
        return Counter({what: count for what, count in self.met.items() if ": " not in what})

    def _faults(self) -> Counter[str]:
        kinds: Counter[str] = Counter()
        for what, count in self.met.items():
            if ": " in what:
                kinds[what.rpartition(": ")[2].replace("_", " ")] += count
        return kinds


def _named(cells: Iterable[Cell]) -> str:
    return ", ".join(f"{grid} {status} by {fact}" for grid, status, fact in cells)


def _table(title: str, counted: Counter[str]) -> Iterator[str]:
    yield f"| {title} | times |"
    yield "|---|---:|"
    for what, count in counted.most_common():
        yield f"| {what} | {count:,} |"


def write_between(mark: str, lines: list[str]) -> None:
    """Put lines between two marks of the document."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    DOCUMENT.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}", encoding="utf-8")
