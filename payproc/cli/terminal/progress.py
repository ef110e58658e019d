"""How far a run has come, drawn on stderr while somebody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from payproc.database.models import ReconciliationRun

_SHOWN = "{task.fields[pages]} pages, {task.fields[compared]} compared, {task.fields[differences]} differences"


@contextmanager
def watched(name: str, *, shown: bool) -> Iterator[Callable[[ReconciliationRun], None]]:
    """Draw a run page by page; nothing where stderr is no terminal. How many pages there are, nobody knows."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(_SHOWN), TimeElapsedColumn())
    console = Console(stderr=True)
    drawn = shown and sys.stderr.isatty()
    with Progress(*columns, console=console, disable=not drawn, transient=True) as progress:
        bar = progress.add_task(name, total=None, pages=0, compared=0, differences=0)
        pages = 0

        def moved(run: ReconciliationRun) -> None:
            nonlocal pages
            pages += 1
            progress.update(bar, pages=pages, compared=counted(run, "compared"), differences=differences(run))

        yield moved


def counted(run: ReconciliationRun, group: str) -> int:
    """Sum one group of a run's counts."""
    return sum(run.counts.get(group, {}).values())


def differences(run: ReconciliationRun) -> int:
    """How many differences a run has met, repaired or not."""
    return counted(run, "found") + counted(run, "repaired")
