"""`db upgrade` runs beside processes that go on working, and whoever wants the same table is not held up for long."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import make_url

from payproc.database.engine import PASSING_TROUBLE
from sandbox.gateway import RunningGateway
from sandbox.stack.servers import Postgres
from tests.faults.machines.house import House, housed
from tests.support.databases import ROOT, create_database, drop_database, migrate
from tests.support.serving import Front
from tests.support.waiting import wait_until

Found = TypeVar("Found")

# One that changes a table in use, which only one that has no eye for our code is asked about.
BEFORE, AFTER = "0018", "0019"
# The newest that changes tables in use by their indexes alone: today's code works on the tables before it.
BEFORE_INDEXES, INDEXES = "0023", "0024"
# What waits behind a migration is let go after two seconds of its waiting; the rest is for a slow machine. It was ten.
LONGEST_SECONDS = 8.0


# Enough that an index takes a moment to build.
MANY = """
INSERT INTO payments (id, user_id, status, payment_method, reference, dialect, environment, live_mode, description,
    metadata, amount_minor, currency)
SELECT 'pay_' || n, (SELECT min(id) FROM users), 'failed', 'stripe', 'M' || n, 'checkout', 'test', false, 'of before',
    '{}', 100, 'usd'
FROM generate_series(1, 50000) AS n
"""


@dataclass(frozen=True, kw_only=True)
class Busy:
    """Something that is done again and again beside a migration."""

    act: Callable[[], object]
    longest: list[float] = field(default_factory=list)
    troubles: list[BaseException] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        try:
            while not self.over.is_set():
                began = time.monotonic()
                self.act()
                self.longest.append(time.monotonic() - began)
        except BaseException as trouble:  # noqa: BLE001 (of a thread: whoever waits for it is told)
            self.troubles.append(trouble)


@contextmanager
def busy_with(*acts: Callable[[], object]) -> Iterator[list[Busy]]:
    """Have these done all the time inside the block, each by a thread of its own."""
    at_work = [Busy(act=act) for act in acts]
    threads = [threading.Thread(target=each.go_on, daemon=True) for each in at_work]
    for thread in threads:
        thread.start()
    try:
        yield at_work
    finally:
        for each in at_work:
            each.over.set()
        for thread in threads:
            thread.join(timeout=60)
    assert [each.troubles for each in at_work if each.troubles] == []


@pytest.fixture
def older(postgres: Postgres) -> Iterator[str]:
    """A database of an earlier release."""
    with database_at(BEFORE, postgres) as url:
        yield url


@pytest.fixture
def without_indexes(postgres: Postgres) -> Iterator[str]:
    """A database of which today's code finds every column, and not every index."""
    with database_at(BEFORE_INDEXES, postgres) as url:
        yield url


@contextmanager
def database_at(revision: str, postgres: Postgres) -> Iterator[str]:
    name = f"older_{os.getpid()}"
    create_database(postgres, name)
    migrate(postgres.url(name), revision)
    yield postgres.url(name)
    drop_database(postgres, name)


def plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def as_clients_do(ask: Callable[[], Found]) -> Found:
    """Ask again where the answer would be 503: of two who hold what the other wants PostgreSQL sends one away."""
    while True:
        with suppress(*PASSING_TROUBLE):
            return ask()


@contextmanager
def upgrading(url: str, revision: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command that operators run."""
    command = [sys.executable, "-m", "payproc", "db", "upgrade", revision]
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def test_an_upgrade_that_cannot_have_its_lock_gives_way_to_who_waits_behind_it(older: str) -> None:
    with psycopg.connect(plain(older)) as reader, psycopg.connect(plain(older), autocommit=True) as other:
        # A report that reads for minutes: nobody is in its way but who changes the table.
        reader.execute("LOCK TABLE payments IN ACCESS SHARE MODE")
        with (
            upgrading(older, AFTER) as running,
            busy_with(lambda: other.execute("UPDATE payments SET phone = NULL WHERE id = 'none'")) as [writer],
        ):
            assert running.stderr is not None
            assert "again in" in running.stderr.readline()
            wait_until(lambda: writer.longest and not writer.over.is_set(), what="a write")
            reader.rollback()
            assert running.wait(timeout=120) == 0
    # It did wait behind the upgrade, which gave way.
    assert max(writer.longest) < LONGEST_SECONDS


@pytest.fixture
def house(without_indexes: str, wallets: RunningGateway, front: Front) -> Iterator[House]:
    with housed(without_indexes, wallets, front) as made:
        yield made


def test_payments_are_taken_and_paid_while_the_tables_are_brought_forward(house: House, without_indexes: str) -> None:
    world, paid = house.world, [house.world.paid().id]
    with psycopg.connect(plain(without_indexes), autocommit=True) as connection:
        connection.execute(MANY)

    def pay() -> None:
        payment = as_clients_do(world.started)
        world.act(payment, "pay")
        as_clients_do(lambda: world.deliver_all(payment))
        as_clients_do(world.drain)
        paid.append(payment.id)

    with busy_with(pay, lambda: world.status(paid[0])) as at_work:
        wait_until(lambda: len(paid) > 1, what="a payment before")
        with upgrading(without_indexes, INDEXES) as running:
            assert running.wait(timeout=120) == 0, running.stderr and running.stderr.read()
        before = len(paid)
        wait_until(lambda: len(paid) > before, what="a payment after")
    assert {world.status(payment_id) for payment_id in paid} == {"completed"}
    assert max(max(each.longest) for each in at_work) < 3 * LONGEST_SECONDS
