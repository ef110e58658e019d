"""The second half of `make faults`: every fault under load, a row each, into docs/proof.md.

`--only relay,mail` has those rows whose titles contain one of these words, and leaves the document as it is.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console

from sandbox.stack.errors import StackFailed
from sandbox.stack.running import interrupt
from tests.faults.table.grounds import CannotBeHad, Grounds
from tests.faults.table.load import Rates
from tests.faults.table.places import Place, opened
from tests.faults.table.registry import FAULTS
from tests.faults.table.results import HEADINGS, cells, circumstances, remarks, table, write_down
from tests.faults.table.row import Fault, Row, row


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.table", description=__doc__)
    parser.add_argument("--only", default="", help="words of titles, with commas")
    parser.add_argument("--creates", type=float, default=Rates.creates, help="payments a second")
    parser.add_argument("--webhooks", type=float, default=Rates.webhooks, help="webhooks a second")
    return parser.parse_args()


def _chosen(words: str) -> list[Fault]:
    wanted = [word for word in words.split(",") if word]
    return [fault for fault in FAULTS if not wanted or any(word in fault.title for word in wanted)]


def _rows(faults: Sequence[Fault], rates: Rates, tell: Callable[[str], None]) -> Iterator[Row]:
    for place in Place:
        left = [fault for fault in faults if fault.place is place]
        while left:
            try:
                with opened(place) as found:
                    while left:
                        yield (had := _row(left.pop(0), found, rates, tell))
                        if had.failed:
                            # Who knows what still runs there: the others have grounds of their own.
                            break
            except CannotBeHad as reason:
                yield from (Row(title=fault.title, not_had=str(reason)) for fault in left)
                break


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
    chosen, rows = _chosen(arguments.only), list[Row]()
    try:
        for found in _rows(chosen, rates, lambda what: console.print(what, markup=False)):
            rows.append(found)
            console.print(f"  {_said(found)}", markup=False)
    except (StackFailed, KeyboardInterrupt) as reason:
        console.print(f"faults cannot go on: {reason}", style="red", markup=False)
    kept = _end(rows, console, said=circumstances(took_seconds=time.monotonic() - began, load_before=load_before))
    # One that was cut short has proved nothing of the rows that it did not come to.
    return 0 if kept and len(rows) == len(chosen) else 1


def _said(found: Row) -> str:
    _, *figures = cells(found)
    return (
        found.not_had
        or found.failed
        or ", ".join(f"{name} {figure}" for name, figure in zip(HEADINGS[1:], figures, strict=True))
    )


def _end(rows: Sequence[Row], console: Console, *, said: str) -> bool:
    """Print the table, in the order of the registry, and tell whether every promise was kept."""
    titles = [fault.title for fault in FAULTS]
    ordered = sorted(rows, key=lambda each: titles.index(each.title))
    if not ordered:
        return False
    text = "\n\n".join([said, table(ordered), *remarks(ordered)])
    console.print(text, markup=False)
    if len(ordered) == len(FAULTS):
        write_down(text)
    return all(each.is_kept for each in ordered)


if __name__ == "__main__":
    sys.exit(main())
