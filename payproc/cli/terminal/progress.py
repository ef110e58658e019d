"""How far a run has come, drawn on stderr while somebody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from payproc.cli.terminal.rendering import harmless
from payproc.database.models import ReconciliationRun

_SHOWN = "{task.fields[pages]} pages, {task.completed} compared, {task.fields[differences]} differences"


class Moved(Protocol):
    """What a run calls after each of its pages."""

    def __call__(self, run: ReconciliationRun, *, of: int | None = None) -> None:
        """Draw where it is; `of` is how much it has to compare, where anybody knows."""


@contextmanager
def watched(name: str) -> Iterator[Moved]:
    """Draw a run page by page; nothing where stderr is no terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn(_SHOWN), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task(harmless(name), total=None, pages=0, differences=0)
        pages = 0

        def moved(run: ReconciliationRun, *, of: int | None = None) -> None:
            nonlocal pages
            pages += 1
            progress.update(
                bar, total=of, completed=counted(run, "compared"), pages=pages, differences=differences(run)
            )

        yield moved


def counted(run: ReconciliationRun, group: str) -> int:
    """Sum one group of a run's counts."""
    return sum(run.counts.get(group, {}).values())


def differences(run: ReconciliationRun) -> int:
    """How many differences a run has met, repaired or not."""
    return counted(run, "found") + counted(run, "repaired")
