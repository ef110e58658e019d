"""The engine, the session, and the only place that commits."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

_AFTER_COMMIT = "after_commit"


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Do something once this session's transaction is committed; where it is rolled back, never."""
    session.info.setdefault(_AFTER_COMMIT, []).append(act)


class Database:
    """One process's way to PostgreSQL.

    Make it after a fork: a socket shared between two processes mixes their answers.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        options: dict[str, Any] = {
            "pool_size": pool_size,
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
        self._engine: Engine = create_engine(url, pool_pre_ping=True, **options)
        # No ping before and no reset after: each would be a round trip as long as the statement itself.
        self._single: Engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **options)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that commits on a clean exit, then does what waits for that, and rolls back on any other."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session
        for act in session.info.pop(_AFTER_COMMIT, ()):
            act()

    def single_statement(self, statement: str, parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 (one SQL value)
        """Run one statement as its own transaction and return its first value, or None.

        In psycopg's parameter style. It must be harmless when run twice: a pooled connection that the server has
        closed is noticed only by using it, and then the statement is sent once more over a new one.
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

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()
        self._single.dispose()
