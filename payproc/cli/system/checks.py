"""`settings check` and `doctor`: whether it is set up, and whether it keeps its promises."""

from datetime import timedelta
from typing import Any

import typer
from pydantic import SecretStr

from payproc.bootstrap import load_settings
from payproc.cli.terminal.edge import MISUSED, REFUSED, Json, transaction
from payproc.cli.terminal.rendering import show_document, show_table, show_text
from payproc.database.room import check_room
from payproc.errors import SettingsInvalid
from payproc.operations.doctor import broken_invariants, invariants
from payproc.settings import Settings
from payproc.settings.connections import total
from payproc.settings.types import as_written

settings_app = typer.Typer(no_args_is_help=True)


@settings_app.callback()
def settings() -> None:
    """Environment variables."""


@settings_app.command()
def check(*, json: Json = False) -> None:
    """Read every setting and show it, secrets only as set or not set; hold what all processes open against the server.

    A server that does not answer is asked nothing: `db current` says what is wrong with it.
    """
    try:
        found = load_settings()
        room = check_room(found)
    except SettingsInvalid as invalid:
        if json:
            show_document({"ok": False, "problems": invalid.problems})
            raise typer.Exit(MISUSED) from None
        raise
    if json:
        connections = {"opened": total(found), "room": room}
        show_document({"ok": True, "settings": _shown(found), "connections": connections})
        return
    show_table(("setting", "value"), _shown(found).items())
    takes = "a number that it does not say: it is away, or behind a pooler" if room is None else str(room)
    show_text(f"All processes together open {total(found)} connections; the database takes {takes}.")


def doctor(*, json: Json = False) -> None:
    """Check every invariant; exit with 1 when one is broken."""
    with transaction() as session:
        broken = broken_invariants(session)
    sentences = {name: [found.sentence for found in broken if found.name == name] for name in invariants()}
    if json:
        show_document({"ok": not broken, "invariants": sentences})
    else:
        show_table(("invariant", "state"), ((name, "broken" if found else "OK") for name, found in sentences.items()))
        for name, found in sentences.items():
            for sentence in found:
                show_text(f"{name}: {sentence}")
    if broken:
        raise typer.Exit(REFUSED)


def _shown(found: Settings) -> dict[str, str]:
    return {
        name.upper(): _value(getattr(found, name), secret=not field.repr)
        for name, field in type(found).model_fields.items()
    }


def _value(value: Any, *, secret: bool) -> str:  # noqa: ANN401 (any setting)
    if value is None or value in ("", ()):
        return "not set"
    several = value if isinstance(value, tuple) else (value,)
    if secret or any(isinstance(each, SecretStr) for each in several):
        return "set"
    return ", ".join(_worded(each) for each in several)


def _worded(value: Any) -> str:  # noqa: ANN401 (any setting)
    return as_written(value) if isinstance(value, timedelta) else str(value)
