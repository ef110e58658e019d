"""`db`: bring the tables to a release, or back. Needs only DATABASE_URL."""

from pathlib import Path
from typing import Annotated

import typer
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select

import payproc
from payproc import settings
from payproc.cli.terminal.edge import Json, transaction, written
from payproc.cli.terminal.rendering import show_item

app = typer.Typer(no_args_is_help=True)

# So that `downgrade -1` is a revision, not an option.
_RELATIVE = {"ignore_unknown_options": True}


@app.command(context_settings=_RELATIVE)
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="[REV]", callback=written)] = "head", *, json: Json = False
) -> None:
    """Bring the tables forward, to the newest revision or to REV."""
    _reach()
    command.upgrade(_config(), revision)
    _show(json=json)


@app.command(context_settings=_RELATIVE)
def downgrade(revision: Annotated[str, typer.Argument(metavar="REV", callback=written)], *, json: Json = False) -> None:
    """Take the tables back to REV (such as 0001, -1 or base), dropping what newer ones hold."""
    _reach()
    command.downgrade(_config(), revision)
    _show(json=json)


@app.command()
def current(*, json: Json = False) -> None:
    """Show the tables' revision and the newest one."""
    _show(json=json)


def _reach() -> None:
    # Alembic's own connection would wait for a silent host as long as TCP does.
    with transaction() as session:
        session.execute(select(1))


def _config() -> Config:
    config = Config(Path(payproc.__file__).parent.parent / "alembic.ini")
    config.attributes["url"] = settings.database_url()
    return config


def _show(*, json: bool) -> None:
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with transaction() as session:
        revision = MigrationContext.configure(session.connection()).get_current_revision()
    show_item({"revision": revision, "newest": newest}, json=json)
