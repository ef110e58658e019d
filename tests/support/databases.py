"""Databases of the run's PostgreSQL, made and dropped."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config

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
