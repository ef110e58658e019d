"""What is asked beside the hot paths reads a few pages, however large the tables are.

What is read in proportion to a table shows as hundreds of pages, whatever else goes on on the machine.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from payproc.application import Application
from payproc.database.models import User
from payproc.domain.states import PaymentStatus
from payproc.jobs import Kind
from payproc.operations import clock, health, pruning
from payproc.operations.finding import lists
from payproc.operations.finding.lists import Filter
from payproc.operations.pruning import Life
from payproc.outgoing import feed
from payproc.outgoing.feed import Whose
from payproc.providers.easy_paisa import EASY_PAISA
from tests.bench import seeding
from tests.support.world import World

MANY = 20_000
# Of eight kilobytes each. The smallest of the tables that are asked has ten times as many.
FEW = 60
# Found, locked, deleted.
A_ROW = 6


_NAMED = re.compile(r"%\((\w+)\)s")


class _LookedAt(Exception):
    pass


def pages_read(marker: str, act: Callable[[], object]) -> int:
    """Count the pages that a statement touches, planned before its parameters are known, as a prepared one may be.

    Lets `act` go as far as its first statement that contains `marker`; what that does is taken back.
    """
    pages: list[int] = []

    execute = psycopg.Cursor.execute

    def explain(cursor: psycopg.Cursor[Any], query: Any, parameters: Any = None, **more: Any) -> psycopg.Cursor[Any]:
        statement = query.decode() if isinstance(query, bytes) else query
        if isinstance(statement, str) and marker in statement:
            with patch.object(psycopg.Cursor, "execute", execute):
                pages.append(_explained(cursor.connection, statement, parameters))
            raise _LookedAt
        return execute(cursor, query, parameters, **more)

    with patch.object(psycopg.Cursor, "execute", explain), suppress(_LookedAt):
        act()
    return pages[0]


def _explained(connection: psycopg.Connection[Any], statement: str, parameters: dict[str, Any]) -> int:
    names = list(dict.fromkeys(_NAMED.findall(statement)))
    # psycopg would say what they are.
    typed = {name: "::interval" if isinstance(parameters[name], timedelta) else "" for name in names}
    numbered = _NAMED.sub(lambda name: f"${names.index(name[1]) + 1}{typed[name[1]]}", statement)
    told = sql.SQL(", ").join(sql.Literal(parameters[name]) for name in names)
    values = sql.SQL("({})").format(told) if names else sql.SQL("")
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.execute(f"PREPARE looked_at AS {numbered}".encode())
        try:
            asked = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE looked_at {}").format(values)
            plan = connection.execute(asked).fetchone()
        finally:
            connection.execute("DEALLOCATE looked_at")
    assert plan is not None
    found = plan[0] if isinstance(plan[0], list) else json.loads(plan[0])
    top = found[0]["Plan"]
    return int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])


@pytest.fixture
def grown(app: Application, customer: User) -> Application:
    """Many payments that were paid in the last year, and work that lies ahead of each."""
    assert customer.id
    with psycopg.connect(app.settings.database_url.replace("+psycopg", "")) as connection:
        seeding.without_triggers(connection)
        seeding.seed_history(connection, range(MANY))
    return app


# Stored, and their jobs behind them.
_FLOOD = """
INSERT INTO notices (id, provider, key, kind, body, headers, state)
SELECT 'ntc_flood' || n, 'stripe', 'evt_flood' || n, 'checkout.session.completed', '{}', '{}', 'new'
FROM generate_series(1, :count) n
"""


def tick(app: Application, kind: Kind) -> None:
    with app.database.transaction() as session:
        clock.tick(session, kind, now=datetime.now(UTC))


def page(app: Application, user: User, wanted: Filter = Filter()) -> None:  # noqa: B008 (frozen)
    with app.database.transaction() as session:
        lists.page_of_payments(session, wanted, user=user, limit=20)


def figures(app: Application) -> None:
    with app.database.transaction() as session:
        health.payments_by_status(session)
        health.backlog(session)


def test_what_is_asked_reads_a_few_pages(grown: Application, customer: User, operator: User) -> None:
    filters = {
        "failed": Filter(status=PaymentStatus.FAILED),
        "open": Filter(status=PaymentStatus.PENDING),
        "a wallet's": Filter(payment_method=EASY_PAISA),
    }
    read = {
        "a tick": pages_read("EXISTS", lambda: tick(grown, Kind.PRUNE)),
        "open payments": pages_read("payment_method", lambda: figures(grown)),
        "the backlog": pages_read("FROM reviews", lambda: figures(grown)),
        "a page of all": pages_read("ORDER BY", lambda: page(grown, operator)),
        "a customer's page": pages_read("ORDER BY", lambda: page(grown, customer)),
    } | {what: pages_read("ORDER BY", partial(page, grown, operator, each)) for what, each in filters.items()}
    assert {what: pages for what, pages in read.items() if pages > FEW} == {}


# A text, and words of the statement that looks for it.
LOOKED_FOR = (
    ("03001234567", "ORDER BY"),
    ("4567", "ORDER BY"),
    ("19.99", "ORDER BY"),
    ("99 kwd", "ORDER BY"),
    ("cs_test_1", "ORDER BY"),
    ("INV-17", "orders.reference ="),
    ("amina@example.com", "lower(users.email)"),
    ("amina@example.com", "ORDER BY"),
)


@pytest.mark.parametrize(("text", "marker"), LOOKED_FOR)
def test_what_somebody_looks_for_reads_a_few_pages(
    grown: Application, customer: User, operator: User, text: str, marker: str
) -> None:
    wanted = Filter(text=text, phones=grown.phone_hasher)
    for user in (operator, customer):
        # A page for each index that is asked, and the tops of those.
        assert pages_read(marker, partial(page, grown, user, wanted)) < 2 * FEW, user.role


def test_applying_a_notice_reads_none_of_those_that_wait(grown: Application, world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    with grown.database.transaction() as session:
        session.execute(text(_FLOOD), {"count": MANY})
    with grown.database.autocommit() as session:
        session.execute(text("VACUUM ANALYZE notices"))
    world.deliver_all(payment)
    assert pages_read("awaits &&", world.drain_once) < FEW
    world.drain()


# One shop has read everything but the last, another nothing; of a third there was little, long ago.
_EVENTS = """
INSERT INTO events (id, type, shop_id, payment_id, subject, sequence, data, position, at)
SELECT 'evt_' || n, CASE n % 5000 WHEN 0 THEN 'payout.paid' ELSE 'payment.completed' END,
    CASE WHEN n <= 3 THEN 'usr_few' WHEN n % 3 > 0 THEN 'usr_' || n % 3 END, 'pay_' || n / 4, 'pay_' || n / 4,
    1 + n % 4, repeat('x', 500), CASE WHEN n <= 3 OR n % 3 = 1 AND n < :count THEN nextval('event_positions') END,
    now() - interval '20 days' + n * interval '1 s'
FROM generate_series(1, :count) n
"""
# Each of them is read, and where it is placed each of its indexes is written.
_AN_EVENT_LOOKED_AT, _AN_EVENT_PLACED = 2, 50


def test_the_feed_reads_what_it_shows_and_nothing_of_what_lies_behind(app: Application) -> None:
    with app.database.transaction() as session:
        session.execute(text(_EVENTS), {"count": MANY})
    with app.database.autocommit() as session:
        session.execute(text("VACUUM ANALYZE events"))
    shop = Whose(shop_id="usr_1")

    def look(whose: Whose, types: list[str] | None = None, *, after: str = "evt_13330", at_once: int = 1000) -> None:
        feed.page(app.database, whose, after=after, types=types, limit=20, at_once=at_once)

    week = timedelta(days=7)
    read = {
        "a shop's page": pages_read("position > ", lambda: look(shop)),
        "a small shop's": pages_read("position > ", lambda: look(Whose(shop_id="usr_few"), after="evt_3")),
        "everybody's page": pages_read("position > ", lambda: look(Whose())),
        "whether there is news": pages_read("EXISTS", lambda: look(shop)),
        "a payment's": pages_read("position > ", lambda: look(Whose(shop_id="usr_1", payment_id="pay_17"))),
        "one": pages_read("SELECT", lambda: feed.one(app.database, shop, "evt_1")),
        "what has just come": pages_read(
            "at > now()", lambda: feed.recent(app.database, shop, types=["payment.failed"], within=week, known=[])
        ),
    }
    assert {what: pages for what, pages in read.items() if pages > FEW} == {}
    rare = pages_read("position > ", lambda: look(shop, ["payout.paid"]))
    assert rare < 1000 * _AN_EVENT_LOOKED_AT + FEW
    placing = {
        "everybody's": pages_read("nextval", lambda: look(Whose(), at_once=10)),
        "one shop's": pages_read("nextval", lambda: look(Whose(shop_id="usr_2"), at_once=10)),
        "one payment's": pages_read("nextval", lambda: look(Whose(payment_id="pay_17"), at_once=10)),
    }
    assert {what: pages for what, pages in placing.items() if pages > FEW + 10 * _AN_EVENT_PLACED} == {}


def test_a_batch_of_what_is_forgotten_reads_little_beside_its_rows(grown: Application) -> None:
    def batch_of(life: Life) -> int:
        return pages_read("DELETE", lambda: pruning.forget(grown, lives=[life], at_once=10))

    batches = {f"{life.table.__tablename__} {life.setting}": batch_of(life) for life in pruning.LIVES}
    assert {what: pages for what, pages in batches.items() if pages > FEW + 10 * A_ROW} == {}
