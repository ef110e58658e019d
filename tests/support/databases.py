"""Databases of the run's PostgreSQL, made and dropped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from sandbox.stack.servers import Postgres

ROOT = Path(__file__).parents[2]


def migrate(url: str, revision: str = "head") -> None:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    command.upgrade(config, revision)


def create_database(postgres: Postgres, name: str, *, template: str = "template0") -> None:
    with psycopg.connect(host=postgres.socket_directory, user="postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')


def drop_database(postgres: Postgres, name: str) -> None:
    with psycopg.connect(host=postgres.socket_directory, user="postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def no_writes(postgres: Postgres, url: str) -> Iterator[None]:
    """Have a database take no writes meanwhile, from old sessions or new ones: the old are ended on the way in."""
    name = make_url(url).database
    with psycopg.connect(host=postgres.socket_directory, user="postgres", autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            # The sessions of these minutes stay as they were begun.
            server.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
