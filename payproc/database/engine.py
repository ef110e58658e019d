"""The engine, the session, and the only place that commits."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

_AFTER_COMMIT = "after_commit"
_WAS_TAKEN = "was_taken"

# What passes: a server that is away, busy or no longer the primary. Nothing of the transaction stands, unless it was
# the commit that went unanswered; the same again, later, is right.
PASSING_TROUBLE = (OperationalError, InterfaceError, PoolTimeout)

# What says that the session is of no more use, though its socket may look well: the server was demoted (25006), ended
# the session (25P03, 25P04, 57P0x) or was never reached by what answers in its place (08xxx). A pooler in between
# passes such words on and keeps the line open. Not 53300, too many connections: those that we have are good.
_SESSION_IS_LOST = frozenset({"25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P04", "57P05"})
_CONNECTION_FAILED = "08"


# A limit of the role or of the database, -1 where there is none, may be the narrower one.
_ROOM = """
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
)
"""


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Do something once this session's transaction is committed; where it is rolled back, never."""
    session.info.setdefault(_AFTER_COMMIT, []).append(act)


class Database:
    """One process's way to PostgreSQL.

    Make it after a fork: a socket shared between two processes mixes their answers.
    """

    def __init__(self, url: str, *, pool_size: int = 10, statements: int = 0) -> None:
        """Make two pools: of `pool_size` connections for transactions, and of `statements` for single ones.

        Where the second is none, single statements share the first.
        """
        options: dict[str, Any] = {
            # One that overflows is closed again as soon as it is returned: under load every other transaction would
            # begin with a new process of the server's.
            "max_overflow": 0,
            "pool_timeout": 5,
            # An error's text must not carry a customer's address into a log.
            "hide_parameters": True,
            # A transaction that waits longer than this for a row, or runs longer than any of ours should, is stuck:
            # better an error that is retried than a worker that hangs.
            "connect_args": {
                "connect_timeout": 5,
                "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s",
            },
        }
        self._engine: Engine = create_engine(url, pool_size=pool_size, **options)
        event.listen(self._engine, "checkout", _give_out_what_can_write)
        event.listen(self._engine, "handle_error", _judge)
        self._single: Engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        if statements:
            # No question before and no reset after: each would be a round trip as long as the statement itself.
            options |= {"pool_size": statements, "pool_reset_on_return": None}
            self._single = create_engine(url, isolation_level="AUTOCOMMIT", **options)
            event.listen(self._single, "handle_error", _judge)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that commits on a clean exit, then does what waits for that, and rolls back on any other.

        Raises one of PASSING_TROUBLE where the database cannot do it now.
        """
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session
        for act in session.info.pop(_AFTER_COMMIT, ()):
            act()

    def single_statement(self, statement: str, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one SQL value)
        """Run one statement as its own transaction and return its first value, or None.

        In psycopg's parameter style. It must be harmless when run twice: a pooled connection that the server has
        closed, or that writes no more, is noticed only by using it: then it is sent once more over a new one.
        """
        try:
            return self._run_single(statement, parameters)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._run_single(statement, parameters)

    def _run_single(self, statement: str, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one SQL value)
        with self._single.connect() as connection:
            return connection.exec_driver_sql(statement, dict(parameters)).scalar()

    def room(self) -> int:
        """Return how many connections the server takes of us, beside those that it keeps for its superuser."""
        found: int = self.single_statement(_ROOM, {})
        return found

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()
        self._single.dispose()


def _give_out_what_can_write(
    connection: psycopg.Connection[tuple[object, ...]], entry: ConnectionPoolEntry, _proxy: object
) -> None:
    """Ask a pooled session whether it can write; where one cannot, none of the pool is used again.

    After a failover the old server may go on answering questions for as long as anybody asks, with what it knew then.
    A new session is not asked: where no server takes writes, reading goes on.
    """
    if not entry.info.get(_WAS_TAKEN):
        entry.info[_WAS_TAKEN] = True
        return
    try:
        # Outside a transaction, or the question would begin one: two more round trips.
        connection.autocommit = True
        answer = connection.execute("SHOW transaction_read_only").fetchone()
        connection.autocommit = False
    except psycopg.Error:
        raise InvalidatePoolError from None
    if answer != ("off",):
        raise InvalidatePoolError


def _judge(context: ExceptionContext) -> OperationalError | None:
    """Let go of a session that is lost, and make what passes one kind: the driver has three for it."""
    cause = context.original_exception
    if not isinstance(cause, psycopg.Error) or not _is_lost(cause.sqlstate or ""):
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, None, cause, hide_parameters=True, connection_invalidated=True)


def _is_lost(state: str) -> bool:
    return state in _SESSION_IS_LOST or state.startswith(_CONNECTION_FAILED)
