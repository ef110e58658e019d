"""`db`: bring the tables to a release, or back. Needs only DATABASE_URL."""

from pathlib import Path
from typing import Annotated

import typer
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select
from sqlalchemy.orm import Session

import payproc
from payproc import settings
from payproc.cli.terminal.edge import Json, transaction, written
from payproc.cli.terminal.rendering import show_item
from payproc.database.losses import fillings, losses
from payproc.errors import Conflict

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
def downgrade(
    revision: Annotated[str, typer.Argument(metavar="REV", callback=written)],
    *,
    yes_lose_data: Annotated[
        bool, typer.Option("--yes-lose-data", help="Drop what the older tables cannot hold.")
    ] = False,
    json: Json = False,
) -> None:
    """Take the tables back to REV (0001, -1 or base); what that would lose is named, and kept unless you say so."""
    with transaction() as session:
        lost = _taken_back(session, revision)
        if lost and not yes_lose_data:
            # Rolled back: PostgreSQL's tables change in a transaction like their rows.
            raise Conflict(
                f"This would lose {', '.join(lost)}. Say --yes-lose-data to lose it.", code="data_would_be_lost"
            )
    _show(json=json)


def _taken_back(session: Session, revision: str) -> list[str]:
    before = fillings(session)
    config = _config()
    config.attributes["connection"] = session.connection()
    command.downgrade(config, revision)
    return losses(before, fillings(session))


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
