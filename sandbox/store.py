"""One SQLite file holding everything the gateways know, so that a restart forgets nothing."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


class Store:
    """The only owner of the connection; every use of it goes through `transaction`."""

    def __init__(self, path: str) -> None:
        # Re-entrant: an outcome opens a transaction and tells of itself in notices, which open their own.
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # The file must survive a killed process, not a power cut, so no fsync is waited for.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")

    def add_tables(self, schema: str) -> None:
        """Make the tables and indexes that are not there yet."""
        with self._lock:
            self._connection.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection; the outermost block commits, or rolls back when it is left by an error."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def reset(self) -> None:
        """Forget everything."""
        with self.transaction() as connection:
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            for table in tables:
                connection.execute(f'DELETE FROM "{table["name"]}"')  # noqa: S608 (names come from our own schemas)

    def close(self) -> None:
        """Close the file; the store is unusable afterwards."""
        with self._lock:
            self._connection.close()
