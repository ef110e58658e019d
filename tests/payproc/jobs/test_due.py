"""What a relay's pass reads: what is due or leased, whatever lies ahead, waits for a full queue or was done before."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from payproc import jobs
from payproc.database.engine import Database
from payproc.database.models import JobState
from payproc.jobs import Kind
from payproc.providers.stripe import STRIPE

MANY = 100_000
# Of eight kilobytes each; a pass over all these rows reads two thousand and more.
FEW = 60

_ROWS = """
INSERT INTO jobs (id, kind, queue, subject, dedupe_key, state, due_at)
SELECT :prefix || n, :kind, :queue, 's' || n, :prefix || n, :state, now() + CAST(:due AS interval) + n * interval '1 ms'
FROM generate_series(1, :count) n
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=1, statements=1)
    yield made
    made.dispose()


def rows(database: Database, kind: Kind, *, queue: str, state: JobState = JobState.READY, due: str = "1 hour") -> None:
    told = {
        "prefix": f"{kind}{state}",
        "state": state.value,
        "kind": kind.value,
        "queue": queue,
        "count": MANY,
        "due": due,
    }
    with database.transaction() as session:
        session.execute(text(_ROWS), told)
    with database.autocommit() as session:
        session.execute(text("VACUUM ANALYZE jobs"))


def dispatched(database: Database, **more: Any) -> int:
    with database.autocommit() as session:
        return len(jobs.dispatch(session, limit=200, lease=timedelta(minutes=1), **more))


class _LookedAt(Exception):
    pass


def read_by_a_pass(database: Database) -> int:
    """How many pages PostgreSQL touches for a pass."""
    # The first after a vacuum looks for room for the row that it writes, where earlier tests of this copy have left
    # some: that is no search for what is due.
    _read_by_one(database)
    return _read_by_one(database)


def _read_by_one(database: Database) -> int:
    """Make a pass, count, and take back what it did."""
    pages: list[int] = []

    def explained(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> tuple[str, Any]:
        if "UPDATE jobs" in statement and not statement.startswith("EXPLAIN"):
            asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            [(plan,)] = connection.exec_driver_sql(asked, parameters).fetchall()
            top = (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]
            pages.append(top["Shared Hit Blocks"] + top["Shared Read Blocks"])
            raise _LookedAt
        return statement, parameters

    with suppress(_LookedAt), database.transaction() as session:
        bind = session.connection()
        event.listen(bind, "before_cursor_execute", explained, retval=True)
        jobs.dispatch(session, limit=200, lease=timedelta(minutes=1))
    [found] = pages
    return found


def test_a_pass_does_not_read_what_lies_ahead_or_was_done(database: Database) -> None:
    rows(database, Kind.INQUIRE_PAYMENT, queue="provider.stripe")
    rows(database, Kind.APPLY_NOTICE, queue="notices", state=JobState.DONE, due="-1 hour")
    with database.transaction() as session:
        jobs.stage(session, Kind.START_PAYMENT, "pay_1", method=STRIPE)
    assert read_by_a_pass(database) < FEW
    assert dispatched(database) == 1


def test_a_pass_does_not_read_what_waits_for_a_full_queue(database: Database) -> None:
    rows(database, Kind.APPLY_NOTICE, queue="notices", due="-1 hour")
    while dispatched(database):
        pass
    with database.autocommit() as session:
        session.execute(text("VACUUM ANALYZE jobs"))
    leased = read_by_a_pass(database)
    assert leased < FEW + 100, "the thousand that are leased are counted"
    with database.transaction() as session:
        jobs.stage(session, Kind.SEND_MAIL, "eml_1")
    assert dispatched(database) == 1


def test_a_look_finds_what_was_staged_just_now_and_nothing_that_is_ahead_or_held(database: Database) -> None:
    rows(database, Kind.INQUIRE_PAYMENT, queue="provider.stripe")
    with jobs.looking(database) as look:
        assert look(()) is None
        with database.transaction() as session:
            jobs.stage(session, Kind.START_PAYMENT, "pay_1", method=STRIPE)
        assert look(()) == "provider.stripe"
        assert look({"provider.stripe"}) is None
        assert look({"provider.stripe", "mail"}) is None
    assert dispatched(database) == 1
    with jobs.looking(database) as look:
        assert look(()) is None, "it is leased"
