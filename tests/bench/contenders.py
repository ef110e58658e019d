"""Who is measured: the limit, the plain service and payproc; one PostgreSQL, one Redis, one kind of server."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from sqlalchemy import create_engine

from sandbox.stack.children import Children
from sandbox.stack.ports import Ports
from sandbox.stack.processes import Answers, Process, Says, processes
from sandbox.stack.site import Site
from tests.bench import rows, seeding
from tests.bench.client.memory import stack_memory
from tests.bench.plain.models import Base

_SCHEMA = Path(__file__).parent / "limit" / "schema.sql"
_FRONT = (sys.executable, "-m", "gunicorn", "--config=web/front/config.py")
# The clock would start work of its own in the middle of a measurement.
_CLOCK = frozenset({"beat", "flower"})
# As in production: a stack of the sandbox is less patient. And the wallet's page that a browser posts to.
HABITS = {"RING_LEASE": "10s", "RETRY_BASE": "5s", "JAZZ_CASH_DIALECT": "hosted-1.1"}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One service: what it consists of, where it answers and where its rows are."""

    name: str
    url: str
    database: str  # as psycopg is told
    web: Process
    workers: Sequence[Process]  # behind the front, for what a webhook brings
    behind: Sequence[Process]  # all that runs behind the front
    children: Children

    @contextmanager
    def running(self, processes: Sequence[Process]) -> Iterator[None]:
        """Run what stands behind the front, or some of it, for as long as the block takes."""
        try:
            self.children.start(processes, tell=_silent)
            yield
        finally:
            self.children.stop([each.name for each in processes if each.name in self.children.names])

    def memory(self) -> int:
        """Return the bytes that its running processes hold; PostgreSQL and Redis are nobody's."""
        names = [self.web.name, *(each.name for each in self.behind)]
        return sum(stack_memory(self.children.pid(name) for name in names).values())

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.database)


def _silent(_: str) -> None:
    pass


def payproc(site: Site, children: Children) -> Contender:
    """Return payproc as `make up` runs it."""
    before = {"web", "gateway"}
    return Contender(
        name="payproc",
        url=site.web_url,
        database=_psycopg_url(site.database_url),
        web=next(each for each in processes(site) if each.name == "web"),
        workers=processes(site, without=before | _CLOCK),
        behind=processes(site, without=before),
        children=children,
    )


def limit(site: Site) -> Contender:
    """Return the least that each request can be. It has no work but requests."""
    url = _make_database(site, "limit")
    with psycopg.connect(url) as connection:
        connection.execute(_SCHEMA.read_bytes())
        _copy_people(site, connection)
    return _other(site, "limit", url, app="tests.bench.limit.app:app", workers=())


def plain(site: Site) -> Contender:
    """Return what the frameworks' documents show; its worker has a process a core, as Celery has it."""
    url = _make_database(site, "plain")
    engine = create_engine(url.replace("://", "+psycopg://", 1))
    Base.metadata.create_all(engine)
    engine.dispose()
    with psycopg.connect(url) as connection:
        _copy_people(site, connection)
    celery = (sys.executable, "-m", "celery", "-A", "tests.bench.plain.tasks", "worker", "--loglevel", "INFO")
    return _other(site, "plain", url, app="tests.bench.plain.app:app", workers=celery)


def _other(site: Site, name: str, url: str, *, app: str, workers: tuple[str, ...]) -> Contender:
    port = Ports.free().web
    told = {
        "PLAIN_DATABASE_URL": url,
        # Of the same Redis, another's list.
        "BROKER_URL": site.broker_url.removesuffix("/0") + "/1",
        "SMTP_PORT": str(site.ports.smtp),
    }
    behind = [Process(name=f"{name}-worker", command=workers, up=Says(" ready."))] if workers else []
    return Contender(
        name=name,
        url=f"http://127.0.0.1:{port}",
        database=url,
        web=Process(
            name=f"{name}-web",
            command=(*_FRONT, "--bind", f"127.0.0.1:{port}", app),
            up=Answers(f"http://127.0.0.1:{port}/healthz"),
        ),
        workers=behind,
        behind=behind,
        children=Children(replace(site, overrides={**site.overrides, **told})),
    )


def _unheard(_: int) -> None:
    pass


def seed_history(contender: Contender, numbers: range, *, tell: seeding.Tell = _unheard) -> None:
    """Let a service have had these payments."""
    with contender.connect() as connection:
        if contender.name == "payproc":
            seeding.without_triggers(connection)
            seeding.seed_history(connection, numbers, tell=tell)
        else:
            _seed(connection, numbers, status="completed")
            tell(len(numbers))


def seed_open(contender: Contender, numbers: range) -> None:
    """Let these payments be about to be paid."""
    with contender.connect() as connection:
        if contender.name == "payproc":
            seeding.without_triggers(connection)
            seeding.seed_open(connection, numbers)
        else:
            _seed(connection, numbers, status="pending")


def _seed(connection: psycopg.Connection[tuple[object, ...]], numbers: range, *, status: str) -> None:
    user = connection.execute("SELECT user_id FROM api_keys").fetchone()
    assert user is not None
    columns = "id, user_id, amount_minor, currency, status, description, created_at"
    with connection.cursor() as cursor, cursor.copy(f"COPY payments ({columns}) FROM STDIN") as copy:
        for number in numbers:
            line = (rows.payment_id(number), user[0], rows.AMOUNT_MINOR, "usd", status, "Two mangoes", "now")
            copy.write_row(line)
    seeding.analyze(connection)


def _copy_people(site: Site, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    # Of the roles, the customer: whose key every request bears.
    key = site.secrets.api_keys["customer"]
    connection.execute("INSERT INTO users (id, email) VALUES ('usr_1', 'amina@example.com')")
    connection.execute(
        "INSERT INTO api_keys (hash, user_id) VALUES (%s, 'usr_1')", [hashlib.sha256(key.encode()).digest()]
    )


def _make_database(site: Site, name: str) -> str:
    with psycopg.connect(_psycopg_url(site.database_url), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    return _psycopg_url(site.database_url).replace("/payproc?", f"/{name}?")


def _psycopg_url(url: str) -> str:
    return url.replace("+psycopg", "", 1)
