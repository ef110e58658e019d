"""What the processes may do in the database: read and write rows, and nothing to the tables themselves.

Who owns a table may drop it, truncate it and switch its triggers off, and a superuser may all of that anywhere: as such
the application's own mistakes, and whoever speaks through it, were bound by no "only added to". The owner migrates.
"""

from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from payproc.database.addresses import SESSION
from payproc.errors import Conflict

_SCHEMA = "public"
_VERSIONS = "alembic_version"

_TABLES = """
    SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""
# Bit 16 of a trigger's type: it fires for UPDATE. Such tables say of themselves that they are only added to.
_ONLY_ADDED_TO = """
    SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    WHERE p.proname = 'refuse_change' AND (t.tgtype & 16) = 16
"""
_ABOVE_THE_RULES = """
    SELECT r.rolsuper OR r.rolname = current_user OR EXISTS (
        SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace
    ) FROM pg_roles r WHERE r.rolname = %s
"""
_WE_ARE_ABOVE = """
    SELECT rolsuper OR EXISTS (
        SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    ) FROM pg_roles r WHERE rolname = current_user
"""
_BOUND = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")

Connection = psycopg.Connection[tuple[Any, ...]]


def grant(session: Session, role: str, *, password: str | None, forgettable: Collection[str]) -> None:
    """Make `role` where there is none, and let it do with our tables what the processes do, exactly.

    It logs in with `password`; None leaves that as it is. `forgettable` are the tables whose rows have a life. To be
    called by the tables' owner, after each migration. Raises Conflict for a role that no grant would bind.
    """
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    _make_role(connection, role, password=password)
    _tell_sessions(connection, role)
    name = sql.Identifier(role)
    database = sql.Identifier(connection.info.dbname)
    for statement in (
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name),
        # Before PostgreSQL 15 anybody could make tables here, and functions that ours would call.
        sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}").format(sql.Identifier(_SCHEMA), name),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(_SCHEMA), name),
        sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM PUBLIC, {}").format(sql.Identifier(_SCHEMA), name),
    ):
        connection.execute(statement)
    for table, acts in _acts(connection, forgettable).items():
        allowed = sql.SQL(", ").join(map(sql.SQL, acts))
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(allowed, sql.Identifier(_SCHEMA, table), name))


def is_above_the_rules(session: Session) -> bool:
    """Tell whether our own role could change what is only added to."""
    return bool(session.scalar(text(_WE_ARE_ABOVE)))


def _make_role(connection: Connection, role: str, *, password: str | None) -> None:
    found = connection.execute(_ABOVE_THE_RULES, [role]).fetchone()
    if found is not None and found[0]:
        said = f"{role} is a superuser, or owns our tables: no grant would bind it."
        raise Conflict(said, code="role_above_grants", subject=role)
    if found is None:
        connection.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), _BOUND))
    if password is not None:
        # Hashed here: the server writes statements into its log.
        hashed = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(hashed)))


def _tell_sessions(connection: Connection, role: str) -> None:
    """Have the role's sessions be as ours are, also where a pooler opens them.

    Where its maker alone may change it, and is somebody else, that is left to them: who starts behind a pooler is told.
    """
    try:
        with connection.transaction():
            for name, value in SESSION.items():
                told = sql.SQL("ALTER ROLE {} SET {} TO {}")
                connection.execute(told.format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value)))
    except psycopg.errors.InsufficientPrivilege:
        return


def _acts(connection: Connection, forgettable: Collection[str]) -> dict[str, list[str]]:
    only_added_to = {table for (table,) in connection.execute(_ONLY_ADDED_TO).fetchall()}
    acts = {}
    for (table,) in connection.execute(_TABLES).fetchall():
        acts[table] = ["SELECT"]
        if table == _VERSIONS:
            continue
        acts[table].append("INSERT")
        if table not in only_added_to:
            acts[table].append("UPDATE")
        if table in forgettable:
            acts[table].append("DELETE")
    return acts
