"""Payments by the million, copied straight into the migrated tables.

Every CHECK holds while they come, and every UNIQUE once they are in: a history's indexes are built when its rows are
there, as those of a restored dump are. `without_triggers` leaves out what is asked row by row (foreign keys, the sum of
a journal), which these rows meet: tests/bench/test_bench.py copies some with them.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from tests.bench.rows import COLUMNS, Begun, Paid

_AT_ONCE = 5000
# Less than the life of any notice or mail.
_HISTORY = timedelta(days=300)
_AHEAD_SECONDS = 30 * 86_400
_TABLES = tuple(COLUMNS)
# Most of what a row costs is its place in indexes that no memory holds. Whoever writes leaves out an index that is not
# ready; REINDEX builds it and makes it ready again.
_LEAVE_INDEXES_OUT = """
UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid = ANY (%s::regclass[])
"""

Tell = Callable[[int], None]
Connection = psycopg.Connection[tuple[object, ...]]


def without_triggers(connection: Connection) -> None:
    """Let this session's rows be believed, as a restored dump's are."""
    connection.execute("SET session_replication_role = replica")


def seed_history(connection: Connection, numbers: range, *, tell: Tell = lambda _: None) -> None:
    """Copy payments that were paid in the last year, each with its rows; `tell` hears how many more are in."""
    began = datetime.now(UTC) - _HISTORY
    step = (_HISTORY - timedelta(days=1)) / max(numbers.stop, 1)
    with _indexed_at_the_end(connection):
        for first in range(numbers.start, numbers.stop, _AT_ONCE):
            some = range(first, min(first + _AT_ONCE, numbers.stop))
            _copy(connection, Paid, some, at=lambda number: began + number * step)
            tell(len(some))
    analyze(connection)


def seed_open(connection: Connection, numbers: range) -> None:
    """Copy payments whose customers are about to pay."""
    now = datetime.now(UTC)
    _copy(connection, Begun, numbers, at=lambda _: now)


def analyze(connection: Connection) -> None:
    """Let the planner know what is there, and leave nothing for a vacuum to do in the middle of a measurement."""
    with _outside_transactions(connection):
        connection.execute("VACUUM (ANALYZE, FREEZE)")
        connection.execute("CHECKPOINT")


@contextmanager
def _indexed_at_the_end(connection: Connection) -> Iterator[None]:
    connection.execute(_LEAVE_INDEXES_OUT, [list(_TABLES)])
    connection.commit()
    yield
    with _outside_transactions(connection):
        connection.execute("SET maintenance_work_mem = '512MB'")
        for table in _TABLES:
            connection.execute(sql.SQL("REINDEX TABLE {}").format(sql.Identifier(table)))


@contextmanager
def _outside_transactions(connection: Connection) -> Iterator[None]:
    connection.commit()
    before, connection.autocommit = connection.autocommit, True
    try:
        yield
    finally:
        connection.autocommit = before


def _copy(connection: Connection, kind: type[Begun], numbers: range, *, at: Callable[[int], datetime]) -> None:
    lines: defaultdict[str, list[str]] = defaultdict(list)
    user_id, email = _customer(connection)
    now = datetime.now(UTC)
    for number in numbers:
        # No two polls are due at the same moment.
        due_at = now + timedelta(seconds=3600 + number * 7919 % _AHEAD_SECONDS)
        payment = kind(
            number=number, at=at(number).isoformat(), due_at=due_at.isoformat(), user_id=user_id, email=email
        )
        for table, line in payment.lines():
            lines[table].append(line)
    for table in _TABLES:
        _copy_lines(connection, table, lines[table])
    connection.commit()


def _customer(connection: Connection) -> tuple[str, str]:
    found = connection.execute("SELECT id, email FROM users WHERE role = 'customer' ORDER BY id LIMIT 1").fetchone()
    assert found is not None
    return str(found[0]), str(found[1])


def _copy_lines(connection: Connection, table: str, lines: list[str]) -> None:
    if not lines:
        return
    columns = sql.SQL(COLUMNS[table])
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("\n".join(lines) + "\n")
