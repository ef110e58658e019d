"""What was measured, what is aimed at, and the table of both: printed, and between two marks of docs/performance.md."""

import os
import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

_ROOT = Path(__file__).parents[2]
DOCUMENT = _ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"

CONTENDERS = ("limit", "plain", "payproc")
HEADINGS = ("what", *CONTENDERS, "of limit", "of plain", "at least", "to reach")
_MISSING = "-"


@dataclass(frozen=True)
class Aim:
    """A figure to come to: so many times a contender's, or by itself."""

    value: float
    of: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    title: str
    unit: str
    at_least: Aim | None = None
    to_reach: Aim | None = None
    less_is_better: bool = False


@dataclass(frozen=True)
class Results:
    """Every figure, by row and contender, a round each."""

    figures: dict[Row, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, row: Row, contender: str, figure: float) -> None:
        self.figures[row][contender].append(figure)

    def median(self, row: Row, contender: str) -> float | None:
        found = self.figures[row].get(contender)
        return median(found) if found else None

    def lines(self, rows: Iterable[Row]) -> Iterator[Sequence[str]]:
        """Yield the cells of each row that was measured."""
        for row in rows:
            if row in self.figures:
                yield self._cells(row)

    def _cells(self, row: Row) -> Sequence[str]:
        return (
            row.title,
            *(self._figure(row, name) for name in CONTENDERS),
            self._ratio(row, "limit"),
            self._ratio(row, "plain"),
            self._judged(row, row.at_least),
            self._judged(row, row.to_reach),
        )

    def _figure(self, row: Row, contender: str) -> str:
        found = self.figures[row].get(contender)
        if not found:
            return _MISSING
        middle = f"{_said(median(found))}{row.unit}"
        return middle if len(found) == 1 else f"{middle} ({_said(min(found))} to {_said(max(found))})"

    def _ratio(self, row: Row, contender: str) -> str:
        theirs, ours = self.median(row, contender), self.median(row, "payproc")
        return _MISSING if theirs is None or ours is None else f"{ours / theirs:.2f}"

    def _judged(self, row: Row, aim: Aim | None) -> str:
        if aim is None:
            return _MISSING
        sign = "≤" if row.less_is_better else "≥"
        wanted = f"{sign} {aim.value:g} times {aim.of}" if aim.of else f"{sign} {aim.value:g}{row.unit}"
        base = self.median(row, aim.of) if aim.of else 1.0
        ours = self.median(row, "payproc")
        if base is None or ours is None:
            return wanted
        threshold = base * aim.value
        met = ours <= threshold if row.less_is_better else ours >= threshold
        return f"{wanted}: {'met' if met else 'MISSED'}"


def _said(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return the lines as Markdown that can also be read as it stands."""
    widths = [max(map(len, column)) for column in zip(HEADINGS, *lines, strict=True)]
    every = [HEADINGS, ["-" * width for width in widths], *lines]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |" for cells in every
    )


def write_down(text: str, *, document: Path = DOCUMENT) -> None:
    """Put the run's words in the place of the last one's."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, f"{document} has no place for a table"
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def circumstances(*, rounds: int, load_before: float, took_seconds: float) -> str:
    """Say which code was measured, on what, when, and what else was going on."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"Commit {_commit()}, {datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}; medians of {rounds} interleaved rounds (least to most); "
        f"{took_seconds / 60:.0f} minutes. Before it began {load_before:.1f} other processes wanted a core."
    )


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit} with changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*words: str) -> str:
    command = ["git", *words]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
