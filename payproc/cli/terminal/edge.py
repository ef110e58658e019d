"""Where the command line meets the world: what it may be given, how it reaches the database, what its errors say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from alembic.util import CommandError
from psycopg import errors as postgres
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from typer.core import TyperGroup

from payproc import settings
from payproc.application import Application
from payproc.bootstrap import application_from_environment
from payproc.database.engine import Database
from payproc.database.models import Base, Role, User
from payproc.domain.reading import is_line, moment_of
from payproc.errors import InvalidRequest, NotFound, PayprocError, SettingsInvalid
from payproc.operations import logs
from payproc.settings.connections import ONE

REFUSED, MISUSED, NO_DATABASE = 1, 2, 3

Row = TypeVar("Row", bound=Base)


def written(text: str) -> str:
    """Refuse an empty text, where Typer's own types take any."""
    if not text.strip():
        raise typer.BadParameter("must not be empty")
    return text


def line(text: str) -> str:
    """Refuse what is not one line of text, where it is kept and shown to others."""
    if not is_line(text):
        raise typer.BadParameter("must be one line of UTF-8 text, without control characters")
    return written(text)


def line_if_any(text: str | None) -> str | None:
    """Refuse what is not one line of text, of an option that may be left out."""
    return None if text is None else line(text)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many to list at most.")]
Id = Annotated[str, typer.Argument(callback=written)]

# Whoever can read DATABASE_URL may do what an admin may. Never added to a session.
ADMIN = User(email="command-line@localhost", full_name="Command line", role=Role.ADMIN)


@contextmanager
def connected() -> Iterator[Database]:
    """Open the database of DATABASE_URL for one command. Raises SettingsInvalid."""
    url = settings.database_url()
    try:
        database = Database(url, pool_size=1)
    except (ArgumentError, ValueError):
        # Their text would quote the part of the address that is wrong, and that may be the password.
        raise SettingsInvalid(["DATABASE_URL: is not a database's address"]) from None
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def transaction() -> Iterator[Session]:
    """Open one session for one command over DATABASE_URL: it commits on a clean exit. Raises SettingsInvalid."""
    with connected() as database, database.transaction() as session:
        yield session


@contextmanager
def application() -> Iterator[Application]:
    """Put the whole application together for one command: what a provider can do, only its settings say.

    Raises SettingsInvalid.
    """
    made = application_from_environment(pools=ONE)
    try:
        yield made
    finally:
        made.database.dispose()


def find(session: Session, model: type[Row], row_id: str, *, noun: str) -> Row:
    """Return the row under its lock. Raises NotFound."""
    row = session.get(model, row_id, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no {noun} {row_id}.", subject=row_id)
    return row


def moment(text: str, option: str) -> datetime:
    """Read a time that was given as an option; it has its offset. Raises InvalidRequest."""
    try:
        return moment_of(text, name=f"{option} {text}")
    except ValueError:
        raise InvalidRequest(f"{option} {text} is not a time such as 2026-01-31T23:59:59Z.") from None


class Edge(TyperGroup):
    """The root command: whatever goes wrong below ends in one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 (Typer's own shape)
        """Run the command that was named."""
        try:
            with logs.warnings_only():
                return super().invoke(ctx)
        except SettingsInvalid as invalid:
            _stop(MISUSED, *invalid.problems)
        except PayprocError as refused:
            _stop(REFUSED, refused.message)
        except CommandError as refused:
            _stop(REFUSED, str(refused))
        except UnicodeEncodeError:
            _stop(MISUSED, "what was given is not UTF-8 text")
        except DBAPIError as trouble:
            _stop(*_explained(trouble))


def _stop(code: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        typer.echo(f"error: {' '.join(sentence.split())}", err=True)
    raise typer.Exit(code) from None


def _explained(trouble: DBAPIError) -> tuple[int, str]:
    # Never the database's own text: it quotes values, and an address with a stray @ or / quotes the password.
    cause = trouble.orig
    match cause:
        case postgres.UndefinedTable() | postgres.UndefinedColumn() | postgres.UndefinedFunction():
            return NO_DATABASE, "the database lacks our tables: run `python -m payproc db upgrade`"
        case postgres.LockNotAvailable() | postgres.QueryCanceled() | postgres.DeadlockDetected():
            return REFUSED, "the database is busy with the same thing: try again"
        case postgres.ReadOnlySqlTransaction():
            return REFUSED, "the database takes no writes: it is a replica, or no longer the primary"
        case postgres.OperationalError() if cause.sqlstate is None:
            return NO_DATABASE, _no_connection(str(cause))
        case _ if isinstance(trouble, IntegrityError):
            return REFUSED, "somebody changed the same thing at the same moment: look again"
        case _:
            return REFUSED, f"the database refused ({type(cause).__name__})"


def _no_connection(reason: str) -> str:
    if "authentication failed" in reason or "no password supplied" in reason:
        return "the server of DATABASE_URL refuses its user or password"
    if "does not exist" in reason and "FATAL" in reason:
        return "the server of DATABASE_URL has no such database or user"
    return "the server of DATABASE_URL does not answer"
