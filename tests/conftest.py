"""A real PostgreSQL for the whole run, a clean database for each test, and an application over it."""

import os
import secrets
import tempfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Role, User
from payproc.operations.doctor import broken_invariants
from payproc.providers import registry
from payproc.records.identity.users import create_user
from payproc.settings import Settings, load_settings
from sandbox.stack.servers import Postgres, start_postgres, stop_postgres

ROOT = Path(__file__).parent.parent
WEBHOOK_SECRET = "whsec_test_0123456789abcdef"

# What the developer's shell exports must not leak into a test.
for name in list(os.environ):
    if name.lower() in Settings.model_fields:
        del os.environ[name]


@pytest.fixture(scope="session")
def postgres(place: Path) -> Iterator[Postgres]:
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


def migrate(url: str, revision: str = "head") -> None:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    command.upgrade(config, revision)


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """A migrated database that each test's own is copied from: a copy takes a tenth of a migration."""
    _create(postgres, "payproc_template")
    migrate(postgres.url("payproc_template"))
    return "payproc_template"


def _create(postgres: Postgres, name: str, *, template: str = "template0") -> None:
    with psycopg.connect(host=postgres.socket_directory, user="postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


def _drop(postgres: Postgres, name: str) -> None:
    with psycopg.connect(host=postgres.socket_directory, user="postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(postgres: Postgres, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    _create(postgres, name, template=template)
    yield postgres.url(name)
    _drop(postgres, name)


def test_settings(database_url: str, **overrides: Any) -> Settings:
    """Settings of a test; anything can be overridden by its field's name."""
    values: dict[str, Any] = {
        "environment": "test",
        "database_url": database_url,
        "secret_key": secrets.token_hex(16),
        "stripe_secret_key": "sk_test_payproc",
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "stripe_api_base": "http://127.0.0.1:9",
        "retry_base": "10m",
        "mail_from": "shop@example.com",
    }
    return load_settings(**(values | overrides))


test_settings.__test__ = False  # type: ignore[attr-defined]  # a maker of settings, not a test


@pytest.fixture
def settings(database_url: str) -> Settings:
    return test_settings(database_url)


@pytest.fixture
def posted() -> list[EmailMessage]:
    """Mail that left the building."""
    return []


@pytest.fixture
def app(settings: Settings, posted: list[EmailMessage]) -> Iterator[Application]:
    """An application over a clean database; when the test is over every invariant must hold."""
    database = Database(settings.database_url)
    yield Application(settings=settings, database=database, providers=registry.build(settings), post=posted.append)
    with database.transaction() as session:
        broken = broken_invariants(session)
    database.dispose()
    assert not broken


@pytest.fixture
def customer(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="amina@example.com", name="Amina Khan", role=Role.CUSTOMER)


@pytest.fixture
def operator(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="omar@example.com", name="Omar Malik", role=Role.OPERATOR)


@pytest.fixture
def admin(app: Application) -> User:
    with app.database.transaction() as session:
        return create_user(session, email="adil@example.com", name="Adil Shah", role=Role.ADMIN)
