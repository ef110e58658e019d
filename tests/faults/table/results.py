"""The table of what was counted: printed, and between two marks of docs/proof.md."""

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.faults.table.row import Row

_ROOT = Path(__file__).parents[3]
DOCUMENT = _ROOT / "docs" / "proof.md"
BEGIN, END = "<!-- make faults: begin -->", "<!-- make faults: end -->"
HEADINGS = ("fault", "accepted", "lost", "doubled", "mail ×2", "drain s")  # noqa: RUF001 (a multiplication)


def cells(row: Row) -> Sequence[str]:
    """Return the row as it stands in the table."""
    found = row.verdict
    if found is None:
        return (row.title, "failed" if row.failed else "not had here", "", "", "", "")
    drain = "not done" if row.drain is None else f"{row.drain:.1f}"
    return (row.title, f"{row.accepted:,}", str(found.lost), str(found.doubled), str(found.mailed_twice), drain)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown that can also be read as it stands."""
    lines = [cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *lines, strict=True)]
    every = [HEADINGS, ["-" * width for width in widths], *lines]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in every
    )


def remarks(rows: Iterable[Row]) -> Iterator[str]:
    """Say what the table has no column for: why a row is missing, and what the doctor found."""
    for row in rows:
        if row.not_had:
            yield f"Not had: {row.title}: {row.not_had}."
        if row.failed:
            yield f"Failed: {row.title}: {row.failed}."
        for sentence in row.verdict.broken if row.verdict else ():
            yield f"Broken after {row.title}: {sentence}."


def circumstances(*, took_seconds: float, load_before: float) -> str:
    """Say which code was broken, where, and when."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return (
        f"Commit {_commit()}, {datetime.now(UTC):%d %B %Y}, {machine}; "
        f"{took_seconds / 60:.0f} minutes. Before it began {load_before:.1f} other processes wanted a core."
    )


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit} with changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*words: str) -> str:
    command = ["git", *words]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False).stdout.strip()


def write_down(text: str, *, document: Path = DOCUMENT) -> None:
    """Put the run's words in the place of the last one's."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, f"{document} has no place for a table"
    document.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
