"""A stack's database, its tables, and one user a role to try things as."""

from dataclasses import replace
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

import payproc
from payproc.bootstrap import load_settings
from payproc.database.engine import Database
from payproc.database.models import Role, User
from payproc.errors import SettingsInvalid
from payproc.records.identity.users import NotAuthenticated, authenticate, create_user, issue_key
from sandbox.stack.errors import StackFailed
from sandbox.stack.generated_secrets import GeneratedSecrets
from sandbox.stack.servers import Postgres
from sandbox.stack.site import Site

DATABASE = "payproc"
ROOT = Path(payproc.__file__).parent.parent

PEOPLE = {
    Role.CUSTOMER: ("amina@example.com", "Amina Khan"),
    Role.SHOP: ("server@mangoes.example.com", "Mango Shop"),
    Role.OPERATOR: ("omar@example.com", "Omar Malik"),
    Role.ADMIN: ("adil@example.com", "Adil Shah"),
}


def prepare_database(server: Postgres) -> str:
    """Make the database where there is none, bring its tables to this release, and return its URL.

    Raises StackFailed when the tables are of a later release.
    """
    with psycopg.connect(host=server.socket_directory, user="postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f'CREATE DATABASE "{DATABASE}"')
    url = server.url(DATABASE)
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StackFailed(f"the tables in {server.data} cannot be brought to this release: {error}") from error
    return url


def seed(site: Site) -> GeneratedSecrets:
    """Make the users that are missing; return the secrets with a key in force for each role.

    A key that is remembered and still good stays: people have it in their shell's history. Raises StackFailed where a
    setting is none.
    """
    database = Database(site.database_url, pool_size=1)
    try:
        keys = {role.value: _key(site, database, role) for role in PEOPLE}
    finally:
        database.dispose()
    return replace(site.secrets, api_keys=keys)


def _key(site: Site, database: Database, role: Role) -> str:
    try:
        settings = load_settings(**{name.lower(): value for name, value in site.settings().items()})
    except SettingsInvalid as invalid:
        raise StackFailed("; ".join(invalid.problems)) from None
    remembered = site.secrets.api_keys.get(role.value, "")
    try:
        authenticate(database, remembered, settings=settings)
    except NotAuthenticated:
        email, name = PEOPLE[role]
        with database.transaction() as session:
            user = session.query(User).filter_by(email=email, role=role).one_or_none()
            return issue_key(session, user or create_user(session, email=email, name=name, role=role))
    return remembered
