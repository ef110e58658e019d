"""Run a list of steps over a clean database, whose time is the driver's, to its end, and say how it went."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import structlog
from psycopg import sql
from sqlalchemy import text

from payproc.application import Application
from sandbox.stack.servers import Postgres
from tests.simulation.actions.schedule import Step, drawn, shrunk
from tests.simulation.actions.weights import happen
from tests.simulation.judging.promises import broken_promises, cheap_promises
from tests.simulation.judging.rest import come_to_rest
from tests.simulation.shop import Shop, opened
from tests.simulation.world.clock import give_a_clock
from tests.support.databases import create_database, drop_database, migrate

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
_NUMBERS = "SELECT setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences"
# The doctor is asked this often: it takes twenty times as long as a step.
_ASKED_EVERY = 10

_CELLS = """
    SELECT 'payment', coalesce(from_status, 'nothing'), fact FROM payment_events
    UNION SELECT 'refund', coalesce(from_status, 'nothing'), fact FROM refund_events
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended. `broken` is what was not as it must be; `cells` those of the grids of states that were met."""

    steps: int
    broken: Sequence[str]
    done: Counter[str]
    met: Counter[str]
    cells: frozenset[tuple[str, str, str]]
    story: str = field(repr=False)


class CleanDatabase:
    """One database with a clock of its own."""

    def __init__(self, postgres: Postgres, name: str = "payproc_simulated") -> None:
        self._postgres, self._name = postgres, name
        create_database(postgres, name)
        with self.connected() as connection:
            give_a_clock(connection)
        migrate(self.url)

    @property
    def url(self) -> str:
        """Its address."""
        return self._postgres.url(self._name)

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """Connect past any pool."""
        host = self._postgres.socket_directory
        with psycopg.connect(host=host, user="postgres", dbname=self._name, autocommit=True) as connection:
            yield connection

    def empty(self) -> None:
        """Take every row out."""
        with self.connected() as connection:
            # No trigger and no key has a say.
            connection.execute("SET session_replication_role = replica")
            for (table,) in connection.execute(_TABLES).fetchall():
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(str(table))))
            connection.execute(_NUMBERS)

    def drop(self) -> None:
        """Let go of it."""
        drop_database(self._postgres, self._name)


def run(database: CleanDatabase, steps: Sequence[Step], *, seed: int) -> Outcome:
    """Let the steps happen to a new shop, and everything come to rest."""
    database.empty()
    with database.connected() as connection, opened(database.url, seed, connection=connection) as shop:
        broken = _lived_through(shop, steps)
        # What it was like is asked by nobody who could die of it.
        shop.fate.relent()
        return Outcome(
            steps=len(steps),
            broken=broken,
            done=shop.done,
            met=shop.fate.met,
            cells=_cells(shop.app),
            story=_story(shop) if broken else "",
        )


def _lived_through(shop: Shop, steps: Sequence[Step]) -> list[str]:
    try:
        for number, step in enumerate(steps, start=1):
            happen(shop, step.action, step.who, step.how)
            if number % _ASKED_EVERY == 0 and (broken := cheap_promises(shop)):
                return [f"after step {number}, {step}: {sentence}" for sentence in broken]
        come_to_rest(shop)
        return broken_promises(shop)
    except Exception as failure:  # noqa: BLE001 (whatever it is, it is what the seed has found)
        return [f"{type(failure).__name__}: {failure}"]


def simulate(database: CleanDatabase, seed: int, *, length: int) -> Outcome:
    """Run what a seed draws."""
    return run(database, drawn(seed, length=length), seed=seed)


def shortest(database: CleanDatabase, seed: int, *, length: int) -> list[Step]:
    """Return the fewest steps that fail as those of a seed do."""
    return shrunk(drawn(seed, length=length), fails=lambda steps: bool(run(database, steps, seed=seed).broken))


def _cells(app: Application) -> frozenset[tuple[str, str, str]]:
    with app.database.transaction() as session:
        return frozenset((grid, status, fact) for grid, status, fact in session.execute(text(_CELLS)))


def _story(shop: Shop) -> str:
    """Tell all that is known of the payments, for whoever reads a failing seed."""
    told = [
        f"{each.id} {each.payment_method} {each.status} {each.amount_minor} {each.currency}" for each in shop.payments()
    ]
    told += [f"{each.id} of {each.payment_id}: {each.status} {each.amount_minor}" for each in shop.refunds()]
    told += [f"{each.id} {each.kind} of {each.payment_id}: {each.detail}" for each in shop.open_reviews()]
    with shop.app.database.transaction() as session:
        told += [str(row) for row in session.execute(text(_JOBS))]
    return "\n".join(told)


_JOBS = "SELECT id, kind, subject, state, due_at, attempts, strikes, last_error FROM jobs WHERE state <> 'done'"


def in_silence() -> None:
    """Log nothing: a run makes thousands of lines that nobody reads."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
