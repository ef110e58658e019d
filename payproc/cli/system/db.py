"""`db`: bring the tables to a release, or back. Needs only DATABASE_URL."""

import time
from typing import Annotated

import typer
from alembic import command
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from payproc import settings
from payproc.cli.terminal.edge import Json, transaction, written
from payproc.cli.terminal.rendering import show_item, show_text
from payproc.database import grants, revisions
from payproc.database.losses import fillings, losses
from payproc.errors import Conflict
from payproc.operations import pruning

app = typer.Typer(no_args_is_help=True)

# Long enough for what was held up behind us to be done with.
_PAUSES_SECONDS = (1, 2, 4, *[8] * 10)

# So that `downgrade -1` is a revision, not an option.
_RELATIVE = {"ignore_unknown_options": True}


@app.command(context_settings=_RELATIVE)
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="[REV]", callback=written)] = "head",
    *,
    grant_to: Annotated[
        str | None, typer.Option("--grant-to", metavar="ROLE", help="Then do what `db grants ROLE` does.")
    ] = None,
    json: Json = False,
) -> None:
    """Bring the tables forward, to the newest revision or to REV, beside processes that go on working.

    A migration that would have to wait for a lock gives way after two seconds, with all that it did, and is tried again
    for two minutes.
    """
    _reach()
    _upgrade_between_others(revision)
    if grant_to:
        _grant(grant_to)
    _show(json=json)


@app.command(name="grants")
def make_role(role: Annotated[str, typer.Argument(metavar="ROLE", callback=written)] = "payproc_app") -> None:
    """Make a role for the processes, which reads and writes rows and can do nothing to the tables themselves.

    As the tables' owner; APPLICATION_PASSWORD is what it will log in with, and without it an existing one is kept.
    After each migration: new tables are granted then.
    """
    _grant(role)
    show_text(f"{role} may read and write rows; what is only added to, it may only add to.")


def _upgrade_between_others(revision: str) -> None:
    for pause in _PAUSES_SECONDS:
        try:
            command.upgrade(revisions.config(settings.database_url()), revision)
        except OperationalError as trouble:
            # A migration of several tables and a payment may each hold what the other wants.
            if not isinstance(trouble.orig, LockNotAvailable | DeadlockDetected):
                raise
            typer.echo(f"somebody holds a table that is to be changed: again in {pause} s", err=True)
            time.sleep(pause)
        else:
            return
    command.upgrade(revisions.config(settings.database_url()), revision)


def _grant(role: str) -> None:
    forgettable = {life.table.__tablename__ for life in pruning.LIVES}
    with transaction() as session:
        grants.grant(session, role, password=settings.application_password(), forgettable=forgettable)


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
    config = revisions.config(settings.database_url())
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


def _show(*, json: bool) -> None:
    with transaction() as session:
        revision = revisions.current(session)
    show_item({"revision": revision, "newest": revisions.newest()}, json=json)
