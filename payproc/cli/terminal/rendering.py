"""What a command prints: one JSON document for programs, tables for people. Times are UTC."""

import json as encoder
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 240  # wide enough that a line stays a line for grep


def show_document(document: Mapping[str, Any]) -> None:
    """Print one JSON document."""
    typer.echo(encoder.dumps(document, default=_encoded, indent=2))


def show_item(item: Mapping[str, Any], *, json: bool) -> None:
    """Print one thing with all its facts."""
    if json:
        show_document(item)
        return
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in item.items():
        table.add_row(name, _cell(value))
    _console().print(table)


def show_list(noun: str, items: Sequence[Mapping[str, Any]], *, columns: Sequence[str], more: bool, json: bool) -> None:
    """Print things of a kind, newest first, and say so where there are more. `noun` is their plural."""
    if json:
        show_document({noun: items, "more": more})
        return
    if not items:
        show_text(f"No {noun}.")
        return
    show_table(columns, ([item[column] for column in columns] for item in items))
    if more:
        show_text(f"The newest {len(items)} {noun}; there are more: --limit N shows them.")


def show_table(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    _console().print(table)


def show_text(text: str) -> None:
    """Print lines as they are, harmless to a terminal."""
    _console().print(Text(harmless(text)), soft_wrap=True)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def _cell(value: object) -> Text:
    # A Text, not a string: what a customer typed is never read as markup.
    return Text(harmless(_worded(value)))


def _worded(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        case dict() | list():
            return encoder.dumps(value, default=_encoded, ensure_ascii=False)
        case _:
            return str(value)


def harmless(text: str) -> str:
    """Return a text without what would command a terminal."""
    # Escape sequences in somebody's name or notice must not reach the terminal.
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)


def _encoded(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return f"{value.total_seconds():g}s"
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")
