"""The second half of `make faults`: every fault under load, a row each, into docs/proof.md.

`--only relay,mail` has those rows whose titles contain one of these words, and leaves the document as it is.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from sandbox.stack.errors import StackFailed
from sandbox.stack.running import interrupt
from tests.faults.table.grounds import CannotBeHad, Grounds, grounds
from tests.faults.table.kinds.database import DISK_FULL
from tests.faults.table.load import Rates
from tests.faults.table.registry import FAULTS
from tests.faults.table.results import HEADINGS, cells, circumstances, remarks, table, write_down
from tests.faults.table.row import Fault, Row, row

# Twice what a stack and a minute of its load need.
_SMALL_DISK = "700m"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.table", description=__doc__)
    parser.add_argument("--only", default="", help="words of titles, with commas")
    parser.add_argument("--creates", type=float, default=Rates.creates, help="payments a second")
    parser.add_argument("--webhooks", type=float, default=Rates.webhooks, help="webhooks a second")
    return parser.parse_args()


def _chosen(words: str) -> list[Fault]:
    wanted = [word for word in words.split(",") if word]
    return [fault for fault in FAULTS if not wanted or any(word in fault.title for word in wanted)]


@contextmanager
def _small_disk() -> Iterator[Path]:
    """Mount a small file system in memory. Raises CannotBeHad where that is not allowed."""
    with tempfile.TemporaryDirectory() as place:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "payproc-faults", place]
        tried = subprocess.run(mount, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            raise CannotBeHad(f"a tmpfs cannot be mounted ({tried.stderr.strip()})")
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "--lazy", place], check=False)  # noqa: S607 (where Debian put it)


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="payproc-faults-") as place:
        yield Path(place)


def _rows(faults: Iterable[Fault], rates: Rates, tell: Callable[[str], None]) -> Iterator[Row]:
    left = [fault for fault in faults if fault is not DISK_FULL]
    while left:
        with _directory() as place, grounds(place) as found:
            while left:
                yield (had := _row(left.pop(0), found, rates, tell))
                if had.failed:
                    # Who knows what still runs there: the others have grounds of their own.
                    break
    if DISK_FULL in faults:
        try:
            with _small_disk() as place, grounds(place / "stack") as found:
                yield _row(DISK_FULL, found, rates, tell)
        except CannotBeHad as reason:
            yield Row(title=DISK_FULL.title, not_had=str(reason))


def _row(fault: Fault, found: Grounds, rates: Rates, tell: Callable[[str], None]) -> Row:
    tell(f"{fault.title} …")
    try:
        return row(fault, found, rates)
    except (StackFailed, AssertionError) as failed:
        return Row(title=fault.title, failed=str(failed))


def main() -> int:
    """Break everything, print the table, and write it down where nothing was left out."""
    arguments, console = _arguments(), Console(highlight=False, soft_wrap=True)
    signal.signal(signal.SIGTERM, interrupt)
    began, load_before = time.monotonic(), os.getloadavg()[0]
    rates = Rates(creates=arguments.creates, webhooks=arguments.webhooks)
    rows: list[Row] = []
    try:
        for found in _rows(_chosen(arguments.only), rates, lambda what: console.print(what, markup=False)):
            rows.append(found)
            console.print(f"  {_said(found)}", markup=False)
    except (StackFailed, KeyboardInterrupt) as reason:
        console.print(f"faults cannot go on: {reason}", style="red", markup=False)
    return _end(rows, console, said=circumstances(took_seconds=time.monotonic() - began, load_before=load_before))


def _said(found: Row) -> str:
    _, *figures = cells(found)
    return (
        found.not_had
        or found.failed
        or ", ".join(f"{name} {figure}" for name, figure in zip(HEADINGS[1:], figures, strict=True))
    )


def _end(rows: Sequence[Row], console: Console, *, said: str) -> int:
    if not rows:
        return 1
    text = "\n\n".join([said, table(rows), *remarks(rows)])
    console.print(text, markup=False)
    if len(rows) == len(FAULTS):
        write_down(text)
    return 0 if all(each.is_kept for each in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
