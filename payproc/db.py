"""The engine, the session, and the only place that commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.orm import Session


class Database:
    """One process's way to PostgreSQL.

    Make it after a fork: a socket shared between two processes mixes their answers.
    """

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self._engine: Engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=5,
            pool_pre_ping=True,
            # An error's text must not carry a customer's address into a log.
            hide_parameters=True,
            # A transaction that waits longer than this for a row, or runs longer than any of ours should,
            # is stuck: better an error that is retried than a worker that hangs.
            connect_args={
                "connect_timeout": 5,
                "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s",
            },
        )
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that commits on a clean exit and rolls back on any other."""
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def single_statement(self) -> Iterator[Connection]:
        """Open a connection on which each statement is its own transaction.

        For the accept of a notice, where one statement is atomic by itself and saves two round trips.
        """
        with self._autocommit.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Raise when the database does not answer."""
        with self.single_statement() as connection:
            connection.exec_driver_sql("SELECT 1")

    def dispose(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


def scalar(connection: Connection, statement: str, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 (one SQL value)
    """Run a statement in psycopg's own parameter style and return the first value, or None."""
    return connection.exec_driver_sql(statement, parameters).scalar()
