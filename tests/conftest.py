"""A real PostgreSQL for the whole run, a clean database for each test, and an application over it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path

import psycopg
import pytest

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.addresses import SESSION
from payproc.database.engine import Database
from payproc.database.models import Role, User
from payproc.operations.doctor import broken_invariants
from payproc.providers import registry
from payproc.records.identity.users import create_user
from payproc.settings import Settings
from sandbox.stack.servers import Postgres, start_postgres, stop_postgres
from sandbox.stack.servers.pgbouncer import Pooler, running_pgbouncer
from sandbox.stack.stale_processes import watched
from tests.support.configuration import settings_of_a_test
from tests.support.databases import DatabaseRing, create_database, migrate
from tests.support.mailbox import Outgoing, parsed

pytest_plugins = [
    "tests.support.world",
    "tests.support.wallet_world",
    "tests.support.seeding",
    "tests.support.round_trips",
]

# What the developer's shell exports must not leak into a test.
for name in list(os.environ):
    if name.lower() in settings_type().model_fields:
        del os.environ[name]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--through-pgbouncer", action="store_true", help="reach each test's database through a pooler")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with real processes, then what is long: a scope that takes minutes and comes last leaves a worker idle."""
    turns = ("processes", "long")
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in turns])


@pytest.fixture(scope="session")
def postgres(place: Path) -> Iterator[Postgres]:
    # A run that is killed leaves no server behind.
    with watched(place):
        server = start_postgres(place / "postgres")
        with psycopg.connect(host=server.socket_directory, user="postgres", autocommit=True) as connection:
            # Nobody pulls the plug on these databases, and each is copied and dropped: flushing is most of the time.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET full_page_writes = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
        stop_postgres(server)


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A directory of this run's own. Each start of pytest closes its usual one to PostgreSQL's user."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A migrated database that each test's own is copied from: a copy takes a tenth of a migration."""
    create_database(postgres, "payproc_template")
    migrate(postgres.url("payproc_template"))
    return "payproc_template"


@pytest.fixture(scope="session")
def databases(postgres: Postgres, template: str) -> DatabaseRing:
    return DatabaseRing(postgres, template=template)


@pytest.fixture(scope="session")
def pooler(postgres: Postgres, place: Path) -> Iterator[Pooler]:
    """A PgBouncer before the run's server, which lends its sessions for a transaction each."""
    with running_pgbouncer(place / "pgbouncer", postgres, told=SESSION) as running:
        yield running


@pytest.fixture
def database_url(databases: DatabaseRing, request: pytest.FixtureRequest) -> str:
    """A clean database of this test's own."""
    url = databases.next_url()
    if not request.config.getoption("--through-pgbouncer"):
        return url
    pooler: Pooler = request.getfixturevalue("pooler")
    return pooler.url(url)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(database_url)


@pytest.fixture
def posted() -> list[EmailMessage]:
    """Mail that left the building, as its reader has it."""
    return []


@pytest.fixture
def app(settings: Settings, posted: list[EmailMessage]) -> Iterator[Application]:
    """An application over a clean database; when the test is over every invariant must hold."""
    database = Database(settings.database_url)
    mailer = Outgoing(lambda letter: posted.append(parsed(letter)))
    with ExitStack() as after:
        after.callback(database.dispose)
        yield Application(settings=settings, database=database, providers=registry.build(settings), mailer=mailer)
        with database.transaction() as session:
            assert not broken_invariants(session)


@pytest.fixture
def customer(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="amina@example.com", name="Amina Khan", role=Role.CUSTOMER)


@pytest.fixture
def shop(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="server@mangoes.pk", name="Mango Shop", role=Role.SHOP)


@pytest.fixture
def operator(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="omar@example.com", name="Omar Malik", role=Role.OPERATOR)


@pytest.fixture
def admin(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="adil@example.com", name="Adil Shah", role=Role.ADMIN)
