"""What a relay's pass reads: what is due or leased, whatever lies ahead, waits for a full queue or was done before."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from payproc import jobs
from payproc.database.engine import Database, Parameters
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
    return len(jobs.dispatch(database, limit=200, lease=timedelta(minutes=1), **more))


class Overheard(Database):
    """A database that is told what to run, and runs nothing."""

    def rows_once(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        assert after is None
        self.told = statement, parameters
        return []


def read_by_a_pass(url: str) -> int:
    """How many pages PostgreSQL touches for a pass."""
    overheard = Overheard(url)
    dispatched(overheard)
    # The first after a vacuum looks for room for the row that it writes, where earlier tests of this copy have left
    # some: that is no search for what is due.
    _read_by_one(url, *overheard.told)
    return _read_by_one(url, *overheard.told)


def _read_by_one(url: str, statement: str, parameters: Parameters) -> int:
    """Make a pass, count, and take back what it did."""
    with psycopg.connect(url.replace("+psycopg", ""), options="-c jit=off") as connection:
        explained = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}".encode(), parameters)
        ((plan,),) = explained.fetchall()
        connection.rollback()
    top = plan[0]["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def test_a_pass_does_not_read_what_lies_ahead_or_was_done(database: Database, database_url: str) -> None:
    rows(database, Kind.INQUIRE_PAYMENT, queue="provider.stripe")
    rows(database, Kind.APPLY_NOTICE, queue="notices", state=JobState.DONE, due="-1 hour")
    with database.transaction() as session:
        jobs.stage(session, Kind.START_PAYMENT, "pay_1", method=STRIPE)
    assert read_by_a_pass(database_url) < FEW
    assert dispatched(database) == 1


def test_a_pass_does_not_read_what_waits_for_a_full_queue(database: Database, database_url: str) -> None:
    rows(database, Kind.APPLY_NOTICE, queue="notices", due="-1 hour")
    while dispatched(database):
        pass
    with database.autocommit() as session:
        session.execute(text("VACUUM ANALYZE jobs"))
    leased = read_by_a_pass(database_url)
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
