"""What a session is worth: the server behind it may be gone, or may have been demoted and say nothing of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from payproc.database.engine import Database, rows_within
from sandbox.stack.servers import Postgres
from tests.support.databases import no_writes
from tests.support.waiting import wait_until

WRITE = "INSERT INTO ticks (kind, period_start) VALUES ('test', now()) ON CONFLICT DO NOTHING RETURNING kind"
WHOSE = "SELECT pg_backend_pid()"
DEMOTE = "SELECT set_config('default_transaction_read_only', 'on', false)"


NOT_FOR_A_MOMENT = timedelta(0)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """One that asks a pooled session each time whether it writes."""
    made = Database(database_url, trusted_for=NOT_FOR_A_MOMENT)
    yield made
    made.dispose()


def whose(database: Database) -> int:
    with database.transaction() as session:
        return int(session.scalars(text(WHOSE)).one())


def demote_pooled(database: Database) -> int:
    """Leave the pool with a session that writes no more, as after a failover; a new one would. Return its process."""
    with database.transaction() as session:
        session.execute(text(DEMOTE))
        return int(session.scalars(text(WHOSE)).one())


@contextmanager
def demoted_under_us(database: Database) -> Iterator[Session]:
    with database.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        yield session


def raised(database: Database, state: str) -> OperationalError:
    """What comes of a statement that the server answers with this SQLSTATE."""
    with pytest.raises(OperationalError) as error, database.transaction() as session:
        session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{state}'; END $$"))
    return error.value


def test_a_pooled_session_that_was_demoted_is_not_given_out_again(database: Database) -> None:
    old = demote_pooled(database)
    with database.transaction() as session:
        assert session.scalar(text(WRITE)) == "test"
        assert session.scalars(text(WHOSE)).one() != old


def test_a_session_that_was_asked_just_now_is_let_go_where_it_proves_wrong(database_url: str) -> None:
    trusting = Database(database_url)
    whose(trusting)
    old = demote_pooled(trusting)
    with pytest.raises(OperationalError) as error, trusting.transaction() as session:
        session.execute(text(WRITE))
    assert error.value.connection_invalidated
    with trusting.transaction() as session:
        assert session.scalar(text(WRITE)) == "test"
        assert session.scalars(text(WHOSE)).one() != old
    trusting.dispose()


def test_a_session_that_was_ended_while_it_was_trusted_is_trouble_that_passes(
    database: Database, database_url: str
) -> None:
    trusting = Database(database_url)
    whose(trusting)
    old = whose(trusting)
    end_session(database, old)
    with pytest.raises(OperationalError) as error:
        whose(trusting)
    assert error.value.connection_invalidated
    assert whose(trusting) != old
    trusting.dispose()


def test_one_demoted_session_condemns_the_others_beside_it(database: Database) -> None:
    with database.transaction() as first, database.transaction() as second:
        pooled = {first.scalars(text(WHOSE)).one(), second.scalars(text(WHOSE)).one()}
        for session in (first, second):
            session.execute(text(DEMOTE))
    assert len(pooled) == 2
    with database.transaction() as first, database.transaction() as second:
        assert pooled.isdisjoint({first.scalars(text(WHOSE)).one(), second.scalars(text(WHOSE)).one()})


def test_a_server_that_is_demoted_between_two_statements_is_trouble_that_passes(database: Database) -> None:
    old = whose(database)
    with pytest.raises(OperationalError) as error, demoted_under_us(database) as session:
        session.execute(text(WRITE))
    assert error.value.connection_invalidated
    assert whose(database) != old


def test_a_single_statement_finds_its_way_to_the_server_that_writes(database: Database) -> None:
    assert database.single_statement(DEMOTE, {}) == "on"
    assert database.single_statement(WRITE, {}) == "test"


@pytest.mark.parametrize("state", ["25006", "25P03", "25P04", "57P01", "57P02", "57P03", "57P05", "08006", "08003"])
def test_words_that_end_a_session_pass_and_drop_it_though_its_line_is_open(database: Database, state: str) -> None:
    old = whose(database)
    assert raised(database, state).connection_invalidated
    assert whose(database) != old


@pytest.mark.parametrize("state", ["53300", "53200", "40001", "55P03"])
def test_words_of_a_busy_server_pass_and_keep_the_session(database: Database, state: str) -> None:
    old = whose(database)
    assert not raised(database, state).connection_invalidated
    assert whose(database) == old


@pytest.fixture(params=[0, 2], ids=["of one pool", "of two pools"])
def pooled(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """Single statements share the pool of transactions in a worker, and have their own in the front."""
    made = Database(database_url, statements=request.param)
    yield made
    made.dispose()


def whose_alone(database: Database) -> int:
    return int(database.rows(WHOSE, {})[0][0])


def end_session(database: Database, process: int) -> None:
    with database.transaction() as session:
        session.execute(text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})


def test_rows_come_by_another_session_where_the_pooled_one_was_ended(pooled: Database, database: Database) -> None:
    old = whose_alone(pooled)
    end_session(database, old)
    assert whose_alone(pooled) != old


def test_a_read_is_asked_once_more_where_its_session_was_ended(pooled: Database, database: Database) -> None:
    asked: list[int] = []

    def ask(session: Session) -> int:
        asked.append(session.scalars(text(WHOSE)).one())
        if len(asked) == 1:
            end_session(database, asked[0])
        return int(session.scalars(text(WHOSE)).one())

    assert pooled.read(ask) == asked[1] != asked[0]


def test_rows_find_their_way_to_the_server_that_writes(pooled: Database) -> None:
    assert pooled.rows(DEMOTE, {}) == [("on",)]
    assert pooled.rows(WRITE, {}) == [("test",)]


@pytest.fixture(params=[0, 2], ids=["of one pool", "of two pools"])
def untrusting(request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """One that asks a pooled session each time, as any does after a second."""
    made = Database(database_url, statements=request.param, trusted_for=NOT_FOR_A_MOMENT)
    yield made
    made.dispose()


def test_whoever_reads_leaves_a_server_that_was_demoted(untrusting: Database) -> None:
    old = whose_alone(untrusting)
    assert untrusting.rows(DEMOTE, {}) == [("on",)]
    assert untrusting.read(lambda session: session.scalars(text(WHOSE)).one()) != old
    assert whose_alone(untrusting) != old


def test_where_no_server_writes_rows_are_read_all_the_same(
    untrusting: Database, database_url: str, postgres: Postgres
) -> None:
    with no_writes(postgres, database_url):
        for _ in range(3):
            assert whose_alone(untrusting)
            assert untrusting.read(lambda session: session.scalars(text("SELECT 1")).one()) == 1
        with pytest.raises(OperationalError):
            untrusting.rows(WRITE, {})


def test_a_server_that_is_away_is_trouble_that_passes_for_rows_too() -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:9/none")
    with pytest.raises(OperationalError):
        away.rows("SELECT 1", {})


def test_what_a_constraint_refuses_of_a_single_statement_is_sqlalchemys_error(pooled: Database) -> None:
    with pytest.raises(IntegrityError):
        pooled.rows("INSERT INTO ticks (kind, period_start) VALUES ('test', NULL)", {})
    assert pooled.rows("SELECT 1", {}) == [(1,)]


def test_a_transaction_is_one_again_after_rows_were_read_by_its_session(pooled: Database) -> None:
    assert pooled.rows("SELECT 1", {}) == [(1,)]
    with pytest.raises(ZeroDivisionError), pooled.transaction() as session:
        _fail_after_writing(session)
    assert pooled.rows("SELECT count(*) FROM ticks", {}) == [(0,)]


def test_a_lock_before_a_statement_is_held_to_its_end_and_no_longer(pooled: Database) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 17"
    assert pooled.rows(held, {}, after="SELECT pg_advisory_xact_lock(17)") == [(1,)]
    assert pooled.rows(held, {}) == [(0,)]


def test_a_statement_sees_what_was_committed_while_its_lock_was_waited_for(pooled: Database) -> None:
    with ThreadPoolExecutor(1) as thread, pooled.transaction() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(17)"))
        asked = thread.submit(pooled.rows, "SELECT count(*) FROM ticks", {}, after="SELECT pg_advisory_xact_lock(17)")
        wait_until(lambda: session.scalar(text("SELECT true FROM pg_locks WHERE objid = 17 AND NOT granted")))
        _write(session)
        session.commit()
        assert asked.result() == [(1,)]


def test_what_fails_after_a_lock_undoes_it_and_leaves_the_session_good(pooled: Database) -> None:
    with pytest.raises(IntegrityError):
        pooled.rows("INSERT INTO ticks (kind, period_start) VALUES ('test', NULL)", {}, after=WRITE)
    assert pooled.rows("SELECT count(*) FROM ticks", {}) == [(0,)]


def end_and_ask(session: Session, watcher: Database) -> None:
    ((process,),) = rows_within(session, WHOSE, {})
    end_session(watcher, process)
    rows_within(session, WHOSE, {})


def test_a_session_that_ends_before_rows_within_it_is_trouble_that_passes(pooled: Database, database: Database) -> None:
    old = whose(pooled)
    with pytest.raises(OperationalError) as error, pooled.transaction() as session:
        end_and_ask(session, database)
    assert error.value.connection_invalidated
    assert whose(pooled) != old


def test_what_a_constraint_refuses_of_rows_within_a_session_is_sqlalchemys_error(database: Database) -> None:
    old = whose(database)
    with pytest.raises(IntegrityError), database.transaction() as session:
        rows_within(session, "INSERT INTO ticks (kind) VALUES (NULL)", {})
    assert whose(database) == old


def test_a_defect_is_no_trouble_that_passes(database: Database) -> None:
    with pytest.raises(Exception, match="division by zero") as error, database.transaction() as session:
        session.execute(text("SELECT 1 / 0"))
    assert not isinstance(error.value, OperationalError)


def test_where_no_server_writes_reading_goes_on(database: Database, database_url: str, postgres: Postgres) -> None:
    with no_writes(postgres, database_url):
        for _ in range(3):
            assert whose(database)
        with pytest.raises(OperationalError), database.transaction() as session:
            _write(session)
    with database.transaction() as session:
        _write(session)


def _write(session: Session) -> None:
    assert session.scalar(text(WRITE)) == "test"


def _fail_after_writing(session: Session) -> None:
    _write(session)
    raise ZeroDivisionError
