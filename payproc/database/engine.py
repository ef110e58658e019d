"""The engine, the session, and the only place that commits."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from payproc.database.addresses import way
from payproc.database.patience import OURS, Patience

Read = TypeVar("Read")
Parameters = Mapping[str, Any] | Sequence[Any]

_AFTER_COMMIT = "after_commit"
_BEGAN_AT = "began_at"
_WAS_TAKEN = "was_taken"
_ASKED_AT = "asked_at"

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


def transaction_time(session: Session) -> datetime:
    """Return when this session's transaction began, by the database's clock (UTC). It is asked for once at most."""
    if _BEGAN_AT not in session.info:
        note_transaction_time(session, session.scalars(select(func.now())).one())
    began: datetime = session.info[_BEGAN_AT]
    return began


def note_transaction_time(session: Session, now: datetime) -> None:
    """Keep what a statement of this transaction has said of `now()`, so that none of its own need ask for it."""
    session.info[_BEGAN_AT] = now


def rows_within(session: Session, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of one statement in this session's transaction, in psycopg's parameter style and types.

    What the session has yet to write is written before it. It passes SQLAlchemy by, for those that every payment needs:
    138 calls of Python's in place of 208. Raises what SQLAlchemy would, one of PASSING_TROUBLE among it.
    """
    session.flush()
    connection = session.connection()
    with _as_sqlalchemy(connection):
        cursor = _driver_of(connection.connection).execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


class Database:
    """One process's way to PostgreSQL.

    Make it after a fork: a socket shared between two processes mixes their answers.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        statements: int = 0,
        trusted_for: timedelta = timedelta(seconds=1),
        patience: Patience = OURS,
    ) -> None:
        """Make two pools: of `pool_size` connections for transactions, and of `statements` for single ones.

        Where the second is none, single statements share the first. A pooled session whose server took writes is
        `trusted_for` so long to be there and to answer with what stands. Whoever only reads learns of a failover that
        much later; whoever writes then is refused, as where it comes between two of its statements, and tries again.
        Asking each time would double the round trips of who wants one row.
        """
        self._trusted_seconds = trusted_for.total_seconds()
        address, connect_args = way(url, patience=patience)
        options: dict[str, Any] = {
            # One that overflows is closed again as soon as it is returned: under load every other transaction would
            # begin with a new process of the server's.
            "max_overflow": 0,
            "pool_timeout": 5,
            # An error's text must not carry a customer's address into a log.
            "hide_parameters": True,
            "connect_args": connect_args,
        }
        self._engine: Engine = create_engine(address, pool_size=pool_size, **options)
        event.listen(self._engine, "checkout", partial(_give_out_what_can_write, trusted_seconds=self._trusted_seconds))
        event.listen(self._engine, "handle_error", _judge)
        self._single: Engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        if statements:
            # No question before and no reset after: each would be a round trip as long as the statement itself.
            options |= {"pool_size": statements, "pool_reset_on_return": None}
            self._single = create_engine(address, isolation_level="AUTOCOMMIT", **options)
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

    @contextmanager
    def autocommit(self) -> Iterator[Session]:
        """Open a session in which every statement is a transaction of its own.

        Where there is a pool of single statements, its connections have not been asked before: the first statement
        after the server has gone away fails. Raises one of PASSING_TROUBLE.
        """
        with Session(self._single, expire_on_commit=False) as session:
            yield session

    def single_statement(self, statement: str, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one SQL value)
        """Return the first value of one statement that is its own transaction, or None, as `rows` does."""
        found = self.rows(statement, parameters)
        return found[0][0] if found else None

    def read(self, ask: Callable[[Session], Read]) -> Read:
        """Return what comes of a session that only reads, each of its statements by itself: no BEGIN and no COMMIT.

        Two statements see what stands at the time of each, as they do in a transaction of READ COMMITTED. Where a
        pooled connection is lost all is asked once more: reading twice harms nobody. Raises one of PASSING_TROUBLE.
        """
        return self._once_more(lambda: self._read(ask))

    def rows(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of one statement that is its own transaction, in psycopg's parameter style and types.

        Where it has to see what came to stand while a lock was waited for, `after` takes that lock before it, in the
        same transaction and the same round trip.

        It must be harmless when run twice: a pooled connection that the server has closed, or that writes no more, is
        noticed only by using it; then it is sent once more over a new one. It passes SQLAlchemy by, whose own work is
        twice that of such a statement. Raises what SQLAlchemy would, one of PASSING_TROUBLE among it.
        """
        return self._once_more(lambda: self.rows_once(statement, parameters, after=after))

    def rows_once(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        """Return what `rows` does, of a statement that must not be run twice: a lost answer is raised."""
        with _as_sqlalchemy(None):
            pooled = self._single.raw_connection()
        try:
            with _as_sqlalchemy(pooled), _autocommit(pooled) as connection:
                _ask_again(pooled, trusted_seconds=self._trusted_seconds)
                if after is None:
                    return connection.execute(statement.encode(), parameters).fetchall()
                # What a pipeline brings is one transaction up to its end, and each statement of it sees what is
                # committed when its own turn comes (PostgreSQL, "Pipeline Mode" of libpq; READ COMMITTED).
                with connection.pipeline():
                    connection.execute(after.encode(), parameters)
                    cursor = connection.execute(statement.encode(), parameters)
                return cursor.fetchall()
        finally:
            pooled.close()

    def _once_more(self, ask: Callable[[], Read]) -> Read:
        try:
            return ask()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # Those beside it in the pool are of the same server. What others hold they may use to its end.
        self._single.dispose()
        return ask()

    def _read(self, ask: Callable[[Session], Read]) -> Read:
        with self._single.connect() as connection, Session(connection, expire_on_commit=False) as session:
            pooled = connection.connection
            with _as_sqlalchemy(pooled):
                _ask_again(pooled, trusted_seconds=self._trusted_seconds)
            return ask(session)

    @contextmanager
    def asking(self, question: str) -> Iterator[Callable[..., Any]]:
        """Give one statement of which the first value is wanted again and again, as a function of its parameters.

        It has a connection and a cursor of its own meanwhile, and costs a quarter of what `single_statement` does.
        Raises one of PASSING_TROUBLE.
        """
        with self._single.connect() as connection:
            cursor = connection.connection.cursor()

            def ask(*parameters: Any) -> Any:  # noqa: ANN401 (one SQL value)
                cursor.execute(question, parameters)
                row = cursor.fetchone()
                return row[0] if row else None

            try:
                yield ask
            except psycopg.Error as lost:
                connection.invalidate()
                raise OperationalError(
                    question, None, lost, hide_parameters=True, connection_invalidated=True
                ) from None

    def room(self) -> int:
        """Return how many connections the server takes of us, beside those that it keeps for its superuser."""
        found: int = self.single_statement(_ROOM, {})
        return found

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()
        self._single.dispose()


def _give_out_what_can_write(
    connection: psycopg.Connection[tuple[object, ...]],
    entry: ConnectionPoolEntry,
    _proxy: object,
    *,
    trusted_seconds: float,
) -> None:
    """Ask a pooled session now and then whether it can write; where one cannot, none of the pool is used again.

    After a failover the old server may go on answering questions for as long as anybody asks, with what it knew then.
    A new session is not asked: where no server takes writes, reading goes on.
    """
    now = time.monotonic()
    if not entry.info.get(_WAS_TAKEN):
        entry.info[_WAS_TAKEN] = True
        return
    if now - entry.info.get(_ASKED_AT, float("-inf")) < trusted_seconds:
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
    # Single statements may share this pool.
    entry.info[_ASKED_AT] = now


def _ask_again(pooled: PoolProxiedConnection, *, trusted_seconds: float) -> None:
    """Ask a session of the second pool, outside a transaction, whether its server still writes; at most now and then.

    Raises psycopg's word for a server that does not. One that is used for the first time is not asked, as above.
    """
    now = time.monotonic()
    asked_at = pooled.info.setdefault(_ASKED_AT, now)
    if asked_at is now or now - asked_at < trusted_seconds:
        return
    if _driver_of(pooled).execute("SHOW transaction_read_only").fetchone() != ("off",):
        raise psycopg.errors.ReadOnlySqlTransaction("the server of this session writes no more")
    pooled.info[_ASKED_AT] = now


@contextmanager
def _autocommit(pooled: PoolProxiedConnection) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Have each statement of a pooled session be its own transaction, also where the pool is that of transactions."""
    connection = _driver_of(pooled)
    before = connection.autocommit
    if not before:
        connection.autocommit = True
    try:
        yield connection
    finally:
        if not (before or connection.closed):
            connection.autocommit = False


@contextmanager
def _as_sqlalchemy(used: Connection | PoolProxiedConnection | None) -> Iterator[None]:
    """Raise what psycopg raises as SQLAlchemy does, and let go of a session that is lost, as `_judge` does for it."""
    try:
        yield
    except psycopg.Error as error:
        if used is not None and _has_lost(used, error):
            used.invalidate(error)
            raise OperationalError(None, None, error, hide_parameters=True, connection_invalidated=True) from error
        raise DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True) from error


def _driver_of(pooled: PoolProxiedConnection) -> psycopg.Connection[tuple[Any, ...]]:
    connection = pooled.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def _has_lost(used: Connection | PoolProxiedConnection, error: psycopg.Error) -> bool:
    pooled = used.connection if isinstance(used, Connection) else used
    connection = pooled.driver_connection
    return connection is None or connection.closed or connection.broken or _is_lost(error.sqlstate or "")


def _judge(context: ExceptionContext) -> OperationalError | None:
    """Let go of a session that is lost, and make what passes one kind: the driver has three for it."""
    cause = context.original_exception
    if not isinstance(cause, psycopg.Error) or not _is_lost(cause.sqlstate or ""):
        return None
    context.is_disconnect = True
    return OperationalError(context.statement, None, cause, hide_parameters=True, connection_invalidated=True)


def _is_lost(state: str) -> bool:
    return state in _SESSION_IS_LOST or state.startswith(_CONNECTION_FAILED)
