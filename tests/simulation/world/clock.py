"""Time as the driver has it: one clock for this process and for its database, which moves only when it is told to."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import psycopg
import time_machine

# Later than any server was started: a lease is judged by that moment too, and nothing can be told to it.
START = datetime(2040, 1, 2, 9, 0, tzinfo=UTC)

# Before `pg_catalog` in the path, so that `now()` of ours is met first; after `public`, where the tables are made.
_OF_THE_DATABASE = """
    CREATE SCHEMA simulated;
    CREATE TABLE simulated.clock (at timestamptz NOT NULL);
    INSERT INTO simulated.clock VALUES ('2040-01-02 09:00+00');
    CREATE FUNCTION simulated.now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT at FROM simulated.clock';
    CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql
        AS 'SELECT at FROM simulated.clock';
"""
_FIRST_OF_ALL = 'ALTER DATABASE "{}" SET search_path = public, simulated, pg_catalog'
_SET = "UPDATE simulated.clock SET at = %s"


def give_a_clock(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Have a database that has no tables yet read its time from a row."""
    connection.execute(_OF_THE_DATABASE)
    connection.execute(_FIRST_OF_ALL.format(connection.info.dbname).encode())


class Clock:
    """The one clock of a run (UTC)."""

    def __init__(self, database: psycopg.Connection[tuple[object, ...]], travelled: time_machine.Traveller) -> None:
        self._database, self._travelled = database, travelled
        self.now = START
        self.move(timedelta(0))

    def move(self, by: timedelta) -> None:
        """Let so much time pass, everywhere at once."""
        self.now += by
        self._travelled.move_to(self.now, tick=False)
        self._database.execute(_SET, [self.now])

    def seconds(self) -> float:
        """Return what a clock says that nobody can set."""
        return (self.now - START).total_seconds()


@contextmanager
def clock_of(database: psycopg.Connection[tuple[object, ...]]) -> Iterator[Clock]:
    """Give the clock of a database that has one, and stop this process's own meanwhile; nobody sleeps under it."""
    with ExitStack() as stopped:
        clock = Clock(database, stopped.enter_context(time_machine.travel(START, tick=False)))
        stopped.enter_context(patch.object(time, "monotonic", clock.seconds))
        stopped.enter_context(patch.object(time, "clock_gettime", lambda _: clock.seconds()))
        stopped.enter_context(patch.object(time, "sleep", lambda _: None))
        yield clock
