"""Nothing waits for ever: who holds a lock, or sits in a transaction, is not waited for longer than was said."""

import socket
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from payproc.cli.terminal import edge
from payproc.database.engine import PASSING_TROUBLE, Database
from payproc.database.patience import WIRE, Patience
from sandbox.stack.servers import Postgres
from tests.support.databases import create_database, migrate

SHORT = timedelta(seconds=0.3)
NEVER = timedelta(hours=1)
SETTINGS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
HOLD = "LOCK TABLE ticks IN ACCESS EXCLUSIVE MODE"
WRITE = "INSERT INTO ticks (kind, period_start) VALUES ('test', now())"


def said(database: Database, *names: str) -> list[str]:
    """What this database's sessions say of their settings."""
    with database.transaction() as session:
        return [session.scalars(text(f"SHOW {name}")).one() for name in names]


@pytest.fixture
def holder(database_url: str) -> Iterator[Database]:
    """Whoever is waited for."""
    made = Database(database_url, patience=Patience(idle_in_transaction=NEVER, statement=None))
    yield made
    made.dispose()


def of_patience(url: str, **waits: timedelta) -> Database:
    return Database(url, statements=1, patience=Patience(**({"lock": NEVER, "statement": NEVER} | waits)))


@pytest.mark.parametrize("waits", [{"lock": SHORT}, {"statement": SHORT}])
def test_who_waits_for_a_held_lock_gives_up(holder: Database, database_url: str, waits: dict[str, timedelta]) -> None:
    waiting = of_patience(database_url, **waits)
    with holder.transaction() as held:
        held.execute(text(HOLD))
        with pytest.raises(OperationalError), waiting.transaction() as session:
            session.execute(text(WRITE))
        # What is its own transaction, over the other pool.
        with pytest.raises(OperationalError):
            waiting.single_statement(WRITE + " RETURNING 1", {})
    # The lock is free again, and neither session is the worse for it.
    with waiting.transaction() as session:
        session.execute(text(WRITE))
    waiting.dispose()


def test_who_idles_in_a_transaction_loses_it_and_its_locks(holder: Database, database_url: str) -> None:
    hanging = of_patience(database_url, idle_in_transaction=SHORT)
    with pytest.raises(OperationalError) as lost:
        idle_until_another_wrote(hanging, holder)
    assert lost.value.connection_invalidated
    # The pool has others.
    with hanging.transaction() as session:
        session.execute(text("SELECT 1"))
    hanging.dispose()


def idle_until_another_wrote(hanging: Database, other: Database) -> None:
    """Hold a lock and do nothing while another waits for it to write; then go on."""
    with hanging.transaction() as session:
        session.execute(text(HOLD))
        with other.transaction() as writing:
            writing.execute(text("SET LOCAL lock_timeout = '60s'"))
            writing.execute(text(WRITE))
        session.execute(text(WRITE))


def test_every_session_of_a_process_has_its_limits(database_url: str) -> None:
    database = Database(database_url, statements=1)
    assert said(database, *SETTINGS) == ["10s", "30s", "30s"]
    assert [database.single_statement(f"SHOW {name}", {}) for name in SETTINGS] == ["10s", "30s", "30s"]
    with database.transaction() as session:
        driver = session.connection().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        told = driver.info.get_parameters()
    assert {name: told.get(name) for name in WIRE} == {name: str(wait) for name, wait in WIRE.items()}
    database.dispose()


def test_the_command_line_has_the_same_limits(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    with edge.transaction() as session:
        assert [session.scalars(text(f"SHOW {name}")).one() for name in SETTINGS] == ["10s", "30s", "30s"]


def test_a_migration_waits_for_no_lock_and_no_idler_but_for_its_own_work(postgres: Postgres) -> None:
    create_database(postgres, "payproc_patience")
    url = postgres.url("payproc_patience")
    migrate(url, "0001")
    # The server tells what a session said of itself as it ran a migration.
    watcher = Database(url)
    with watcher.transaction() as session:
        session.execute(text("CREATE TABLE waits (tag text, name text, wait text)"))
        session.execute(text(NOTE_WAITS))
    migrate(url)
    with watcher.transaction() as session:
        noted = {tuple(row) for row in session.execute(text("SELECT DISTINCT tag, name, wait FROM waits"))}
    watcher.dispose()
    waits = dict(zip(SETTINGS, ("2s", "0", "30s"), strict=True))
    # What builds an index concurrently waits for every transaction that runs, and keeps nobody waiting behind it.
    patient = {("CREATE INDEX", "lock_timeout", "0")}
    assert noted - patient == {(tag, *wait) for tag in WATCHED for wait in waits.items()}


WATCHED = ("CREATE INDEX", "ALTER TABLE", "CREATE TABLE")
NOTE_WAITS = f"""
    CREATE FUNCTION note_waits() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO waits SELECT tg_tag, name, current_setting(name) FROM unnest(ARRAY[
            'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout']) AS name;
    END $$;
    CREATE EVENT TRIGGER note_waits ON ddl_command_end WHEN TAG IN {WATCHED}
        EXECUTE FUNCTION note_waits();
"""  # noqa: S608 (our own words)


def test_a_server_that_says_nothing_is_given_up() -> None:
    # It takes the connection, and that is all it ever does.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(f"postgresql+psycopg://u@127.0.0.1:{port}/d")
        with pytest.raises(PASSING_TROUBLE), database.transaction() as session:
            session.execute(text("SELECT 1"))
        database.dispose()
