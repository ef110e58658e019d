"""The run's table: for who runs it, and between two marks of docs/performance.md."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.bench.results import HEADINGS

_ROOT = Path(__file__).parents[2]
DOCUMENT = _ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return the lines as Markdown that can also be read as it stands."""
    widths = [max(map(len, column)) for column in zip(HEADINGS, *lines, strict=True)]
    every = [HEADINGS, ["-" * width for width in widths], *lines]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |" for cells in every
    )


def write(text: str, *, document: Path = DOCUMENT) -> None:
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
