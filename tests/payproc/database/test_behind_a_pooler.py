"""Behind PgBouncer, which lends a session for a transaction: fewer sessions than clients, and nothing is missed.

The same of every other flow: `pytest tests/integration --through-pgbouncer`.
"""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database import grants
from payproc.database.engine import Database
from payproc.database.room import check_room
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.states import Fact, PaymentStatus
from payproc.errors import SettingsInvalid
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from sandbox.stack.servers import Postgres
from sandbox.stack.servers.pgbouncer import Pooler, running_pgbouncer
from tests.support.after_payment import given
from tests.support.configuration import settings_of_a_test
from tests.support.databases import DatabaseRing
from tests.support.wallet_world import WalletWorld
from tests.support.world import World

# Of each database, at most (sandbox/stack/servers/pgbouncer.py).
SESSIONS = 4


@pytest.fixture
def direct_url(databases: DatabaseRing) -> str:
    return databases.next_url()


@pytest.fixture
def database_url(direct_url: str, pooler: Pooler) -> str:
    return pooler.url(direct_url)


@pytest.fixture
def lent(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=8, statements=8)
    yield made
    made.dispose()


@pytest.fixture
def telling_nothing(postgres: Postgres, place: Path) -> Iterator[Pooler]:
    """A pooler as it comes: its sessions are as their role's, whatever their client asked for."""
    with running_pgbouncer(place / "telling-nothing", postgres, told={}) as running:
        yield running


def transactions_lent(pooler: Pooler, database: str) -> int:
    [stats] = [each for each in pooler.asked("SHOW STATS_TOTALS") if each["database"] == make_url(database).database]
    return int(str(stats["xact_count"]))


def end_and_go_on(session: Session, direct_url: str) -> None:
    lent_now = session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(direct_url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [lent_now])
    session.execute(text("SELECT 1"))


def test_a_card_is_paid_and_given_back_with_one_receipt(
    world: World, posted: list[EmailMessage], pooler: Pooler
) -> None:
    payment = world.paid()
    world.drain()
    [receipt] = posted
    assert "19.99 USD" in receipt["Subject"]
    given(world, payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.REFUNDED
    assert transactions_lent(pooler, world.app.settings.database_url) > 20


@pytest.mark.parametrize("method", [JAZZ_CASH, EASY_PAISA])
def test_a_wallet_is_rung_once_and_its_payment_completed(wallet_world: WalletWorld, method: PaymentMethod) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", easy_paisa_dialect="rest-v4")
    payment = world.take(method)
    world.drain()
    world.becomes(payment, "completed")
    assert len(world.calls()) == 1


def test_more_clients_than_there_are_sessions_store_an_event_once(world: World, posted: list[EmailMessage]) -> None:
    payment = world.started()
    world.act(payment, "pay")
    with ThreadPoolExecutor(5 * SESSIONS) as senders:
        for each in [senders.submit(world.deliver_all, payment) for _ in range(5 * SESSIONS)]:
            each.result()
    world.drain()
    assert len(world.notices()) == len(world.stripe_events(payment))
    assert len([e for e in world.events(payment.id) if e.fact is Fact.PAID and e.effect == "moved"]) == 1
    assert len(posted) == 1


def test_two_relays_lease_each_job_to_one_of_them(world: World, lent: Database) -> None:
    started = {world.checkout().id for _ in range(20)}

    def lease(_turn: int) -> list[str]:
        with jobs.looking(lent) as look:
            look(())
        dispatched = jobs.dispatch(lent, limit=5, lease=world.app.settings.ring_lease)
        return [each.subject for each in dispatched if each.subject in started]

    with ThreadPoolExecutor(2) as relays:
        leased = [subject for found in relays.map(lease, range(12)) for subject in found]
    assert sorted(leased) == sorted(started)


def test_a_lock_before_a_statement_is_held_to_its_end_and_goes_with_it(lent: Database) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 17"
    for _ in range(3 * SESSIONS):
        assert lent.rows(held, {}, after="SELECT pg_advisory_xact_lock(17)") == [(1,)]
        assert lent.rows(held, {}) == [(0,)]


def test_the_same_statement_by_many_sessions_needs_none_that_has_prepared_it(lent: Database) -> None:
    question = "SELECT pg_backend_pid(), %(number)s::int FROM pg_sleep(0.005)"
    with ThreadPoolExecutor(2 * SESSIONS) as clients:
        asked = clients.map(lambda number: lent.rows(question, {"number": number}), range(20 * SESSIONS))
        found = [row for rows in asked for row in rows]
    assert sorted(number for _, number in found) == list(range(20 * SESSIONS))
    assert len({session for session, _ in found}) == SESSIONS


def test_sessions_ended_under_their_clients_are_trouble_that_passes(lent: Database, direct_url: str) -> None:
    with pytest.raises(OperationalError) as ended, lent.transaction() as session:
        end_and_go_on(session, direct_url)
    assert ended.value.connection_invalidated
    assert lent.rows("SELECT 1", {}) == [(1,)]


def test_sessions_without_their_limits_are_refused_at_start(direct_url: str, telling_nothing: Pooler) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        check_room(settings_of_a_test(telling_nothing.url(direct_url)))
    found = [problem.partition(" is needed")[0] for problem in refused.value.problems]
    told = "DATABASE_URL: sessions behind the pooler have"
    limits = {"lock_timeout": "10s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "30s"}
    assert found[-3:] == [f"{told} {name} 0 where {wanted}" for name, wanted in limits.items()]


def test_sessions_with_their_limits_are_taken(database_url: str) -> None:
    assert check_room(settings_of_a_test(database_url)) is None


def test_the_processes_role_tells_its_sessions_what_they_need(direct_url: str) -> None:
    role, owner = f"app_{secrets.token_hex(4)}", Database(direct_url, pool_size=1)
    with owner.transaction() as session:
        grants.grant(session, role, password=None, forgettable=())
    owner.dispose()
    plain = make_url(direct_url).set(drivername="postgresql", username=role)
    with psycopg.connect(plain.render_as_string()) as as_role:
        [told] = as_role.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
    assert told == ("10s", "30s")
    with psycopg.connect(direct_url.replace("+psycopg", ""), autocommit=True) as server:
        server.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(role)))
