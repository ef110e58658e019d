"""Databases of the run's PostgreSQL: made, emptied and dropped."""

import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
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


class DatabaseRing:
    """Copies of a template, given out in turn: to empty one takes a hundredth of the time of another copy.

    Whatever a test leaves running writes where nobody looks until its copy's turn comes again. A copy whose tables or
    settings a test has changed is made anew.
    """

    def __init__(self, postgres: Postgres, *, template: str, size: int = 8) -> None:
        self._postgres, self._template = postgres, template
        _watch_changes_of_tables(postgres, template)
        self._names: deque[str] = deque([""] * size)

    def next_url(self) -> str:
        """Return the address of a database that is as the template is."""
        name = self._names.popleft()
        if not name or not self._emptied(name):
            if name:
                drop_database(self._postgres, name)
            name = f"test_{secrets.token_hex(6)}"
            create_database(self._postgres, name, template=self._template)
        self._names.append(name)
        return self._postgres.url(name)

    def _emptied(self, name: str) -> bool:
        host = self._postgres.socket_directory
        try:
            with psycopg.connect(host=host, user="postgres", dbname=name, autocommit=True) as session:
                session.execute(_END_OTHER_SESSIONS)
                if session.execute(_IS_CHANGED).fetchone() != (False,):
                    return False
                # No trigger and no key has a say: all rows go.
                session.execute("SET session_replication_role = replica")
                for (table,) in session.execute(_TABLES).fetchall():
                    session.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        except psycopg.Error:
            return False
        return True


_END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_IS_CHANGED = """
    SELECT EXISTS (SELECT FROM tests.changes) OR EXISTS (
        SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = current_database()
    )
"""
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""


def _watch_changes_of_tables(postgres: Postgres, template: str) -> None:
    with psycopg.connect(host=postgres.socket_directory, user="postgres", dbname=template, autocommit=True) as session:
        session.execute("""
            CREATE SCHEMA tests;
            CREATE TABLE tests.changes (tag text);
            CREATE FUNCTION tests.note_change() RETURNS event_trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO tests.changes VALUES (tg_tag); END $$;
            CREATE EVENT TRIGGER note_change ON ddl_command_end EXECUTE FUNCTION tests.note_change();
        """)


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
