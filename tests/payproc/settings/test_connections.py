"""Every pool is a share of one number, and the sum is held against the server before anything is begun."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeout

from payproc.bootstrap import application_from
from payproc.database.room import check_room
from payproc.errors import SettingsInvalid
from payproc.settings.connections import Pools, total, web_pools, worker_pools
from sandbox.stack.servers import Postgres
from tests.support.configuration import settings_of_a_test


@pytest.fixture
def narrow(postgres: Postgres, database_url: str) -> Iterator[str]:
    """A database that takes twenty connections."""
    named = sql.Identifier(make_url(database_url).database or "")
    with psycopg.connect(host=postgres.socket_directory, user="postgres", autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 20").format(named))
        yield database_url
        server.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(named))


@pytest.mark.parametrize("connections", [40, 90, 500])
@pytest.mark.parametrize(("web", "workers"), [(1, 3), (2, 13), (4, 5)])
def test_however_they_are_divided_the_sum_is_never_more(connections: int, web: int, workers: int) -> None:
    told = {"database_connections": connections, "web_processes": web, "worker_processes": workers}
    settings = settings_of_a_test("postgresql://u@h/d", **told)
    assert total(settings) <= connections
    assert min(web_pools(settings).statements, worker_pools(settings).transactions) >= 2


def test_too_few_for_all_processes_are_refused_at_start() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        settings_of_a_test("postgresql://u@h/d", database_connections=30)
    [problem] = refused.value.problems
    assert problem == "DATABASE_CONNECTIONS is 30, and 2 processes of web and 14 of workers need 42"


def test_a_server_that_takes_fewer_is_told_at_start_and_by_settings_check(narrow: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        check_room(settings_of_a_test(narrow))
    [problem] = refused.value.problems
    assert problem == "DATABASE_CONNECTIONS: the database takes 20, and all processes together open 82"
    few = settings_of_a_test(narrow, database_connections=20, web_processes=1, worker_processes=4)
    assert check_room(few) == 20


def test_a_server_that_is_away_is_no_reason_not_to_start() -> None:
    assert check_room(settings_of_a_test("postgresql://u@127.0.0.1:9/d")) is None


@pytest.mark.parametrize("statements", [0, 1])
def test_a_process_opens_what_its_pools_say_and_no_more(database_url: str, statements: int) -> None:
    pools = Pools(transactions=2, statements=statements)
    database = application_from(settings_of_a_test(database_url), pools=pools).database
    with ExitStack() as opened:
        for _ in range(pools.transactions):
            opened.enter_context(database.transaction()).connection()
        if statements:
            # Notices need not wait for transactions.
            assert database.single_statement("SELECT 1", {}) == 1
        with pytest.raises(PoolTimeout), database.transaction() as session:
            session.connection()
    counted = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    assert database.single_statement(counted, {}) == pools.total
    database.dispose()
