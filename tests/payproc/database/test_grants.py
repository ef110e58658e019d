"""The processes' own role does all the work, and can do nothing to the tables: a real second role of the server."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from payproc import jobs
from payproc.cli import app as cli
from payproc.database.engine import Database
from payproc.database.models import Base, Job, Loop, RunState
from payproc.domain.money import Money
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.operations.doctor import broken_invariants
from payproc.operations.pruning import LIVES
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import events, runs
from payproc.reconcile.balance import settlement
from payproc.reconcile.objects import steps
from payproc.reconcile.runs import Steps
from sandbox.stack.servers import Postgres
from tests.support.after_payment import given
from tests.support.world import World

ONLY_ADDED_TO = {
    *("payment_events", "refund_events", "dispute_events"),
    *("journals", "ledger_entries", "settlement_matches"),
}


_LOOPS = {Loop.EVENTS: events.STEPS, Loop.OBJECTS: steps.STEPS, Loop.MONEY: settlement.STEPS}


@pytest.fixture
def role(postgres: Postgres, database_url: str) -> Iterator[str]:
    """The name of a role that is not there yet; whatever it is granted goes with it."""
    name = f"app_{secrets.token_hex(4)}"
    yield name
    host, database = postgres.socket_directory, make_url(database_url).database
    named = sql.Identifier(name)
    with psycopg.connect(host=host, user="postgres", dbname=database, autocommit=True) as server:
        if server.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None:
            server.execute(sql.SQL("DROP OWNED BY {}").format(named))
            server.execute(sql.SQL("DROP ROLE {}").format(named))


def granted(monkeypatch: pytest.MonkeyPatch, url: str, role: str, *, password: str | None = None) -> str:
    """Make the role as an operator does; return the address as it."""
    monkeypatch.setenv("DATABASE_URL", url)
    if password:
        monkeypatch.setenv("APPLICATION_PASSWORD", password)
    done = CliRunner().invoke(cli, ["db", "grants", role])
    assert done.exit_code == 0, done.output
    assert password is None or password not in done.output
    return make_url(url).set(username=role, password=password).render_as_string(hide_password=False)


@pytest.fixture
def bound(world: World, role: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same application as the processes' role."""
    database = Database(granted(monkeypatch, world.app.settings.database_url, role))
    yield replace(world, app=replace(world.app, database=database))
    database.dispose()


def test_the_role_does_all_the_work_there_is(bound: World) -> None:
    paid = bound.paid(money=Money.of(10000, "usd"))
    assert given(bound, paid).status is RefundStatus.SUCCEEDED
    assert bound.status(paid.id) is PaymentStatus.REFUNDED
    assert {reconciled(bound, loop, its) for loop, its in _LOOPS.items()} == {RunState.DONE}
    with bound.app.database.transaction() as session:
        for kind in (jobs.Kind.PRUNE, jobs.Kind.CHECK_INVARIANTS, jobs.Kind.DIGEST):
            jobs.stage(session, kind, "2026-01-01T00:00:00+00:00")
        session.execute(text("UPDATE jobs SET finished_at = now() - interval '8 days' WHERE state = 'done'"))
    bound.drain()
    assert [job.last_error for job in bound.rows(Job) if job.last_error] == []
    assert {job.kind for job in bound.rows(Job)} & {"payment.start", "mail.send"} == set()
    with bound.app.database.transaction() as session:
        assert broken_invariants(session) == []


def reconciled(world: World, loop: Loop, its: Steps) -> RunState:
    now = datetime.now(UTC)
    window = Window(begin=now - timedelta(days=1), end=now + timedelta(seconds=2))
    begun = runs.begin(world.app, loop, STRIPE, period="a test's", window=window)
    return runs.resume(world.app, begun.id, its).state


@pytest.mark.parametrize("table", sorted(Base.metadata.tables))
def test_the_role_can_do_nothing_to_a_table_itself(bound: World, table: str) -> None:
    forbidden = [
        f"DROP TABLE {table}",
        f"TRUNCATE {table}",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"ALTER TABLE {table} ADD COLUMN more text",
        f"CREATE TRIGGER mine BEFORE INSERT ON {table} EXECUTE FUNCTION refuse_change()",
        f"CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
    ]
    if table not in {life.table.__tablename__ for life in LIVES}:
        forbidden.append(f"DELETE FROM {table}")  # noqa: S608 (a table of ours)
    if table in ONLY_ADDED_TO:
        column = next(iter(Base.metadata.tables[table].columns)).name
        forbidden.append(f"UPDATE {table} SET {column} = DEFAULT")  # noqa: S608 (a table of ours)
    refused = {statement: refusal(bound, statement) for statement in forbidden}
    assert refused == dict.fromkeys(forbidden, errors.InsufficientPrivilege)


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'",
        "DROP FUNCTION refuse_change()",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "UPDATE alembic_version SET version_num = '0001'",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "CREATE ROLE another",
        "COPY payments TO PROGRAM 'cat'",
    ],
)
def test_the_role_cannot_get_round_its_bounds(bound: World, statement: str) -> None:
    assert refusal(bound, statement) is errors.InsufficientPrivilege


def refusal(world: World, statement: str) -> type[Exception] | None:
    with world.app.database.transaction() as session:
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        try:
            connection.execute(statement.encode())
        except psycopg.Error as refused:
            return type(refused)
        finally:
            connection.rollback()
    return None


def test_what_a_later_migration_makes_is_granted_with_it(
    database_url: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted(monkeypatch, database_url, role)
    owner = Database(database_url, pool_size=1)
    with owner.transaction() as session:
        session.execute(text("CREATE TABLE later (id int)"))
    owner.dispose()
    done = CliRunner().invoke(cli, ["db", "upgrade", "--grant-to", role])
    assert done.exit_code == 0, done.output
    as_role = Database(make_url(database_url).set(username=role).render_as_string(), pool_size=1)
    with as_role.transaction() as session:
        session.execute(text("INSERT INTO later VALUES (1)"))
    as_role.dispose()


def test_its_password_is_kept_hashed_and_told_to_no_log(
    database_url: str, role: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for password in ("first0password", "second0password"):
        granted(monkeypatch, database_url, role, password=password)
    with psycopg.connect(host=postgres.socket_directory, user="postgres") as server:
        [kept] = server.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]).fetchone() or [None]
    assert str(kept).startswith("SCRAM-SHA-256$")


def test_a_role_that_no_grant_would_bind_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    done = CliRunner().invoke(cli, ["db", "grants", "postgres"])
    assert (done.exit_code, "no grant would bind it" in done.output) == (1, True)
