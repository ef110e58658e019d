"""PgBouncer from Debian's package before a PostgreSQL, in transaction mode, over files and a port of its own."""

import os
import pwd
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import chown, which

import psycopg
from sqlalchemy import make_url

from sandbox.stack.errors import ServerFailed
from sandbox.stack.ports import free
from sandbox.stack.servers import Postgres

_PROGRAM = "/usr/sbin/pgbouncer"
_UP_WITHIN_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.05

# Every database of the server, as its superuser, who needs no password there. Fewer sessions than clients: they are
# lent for a transaction, and whoever waits for one longer than a transaction may last is told so.
_CONFIGURATION = """
[databases]
* = host={host} user=postgres {first}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
admin_users = postgres
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 1000
query_wait_timeout = 30
logfile = {log}
"""


@dataclass(frozen=True, kw_only=True)
class Pooler:
    """A running PgBouncer."""

    port: int

    def url(self, url: str) -> str:
        """Return the address of a database through it, as DATABASE_URL has it."""
        through = make_url(url).set(host="127.0.0.1", port=self.port, query={"pooler": "transaction"})
        return through.render_as_string(hide_password=False)

    def asked(self, question: str) -> list[dict[str, object]]:
        """Ask its own console, such as `SHOW STATS`."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="pgbouncer", autocommit=True
        ) as console:
            # It speaks the simple protocol alone.
            answer = psycopg.ClientCursor(console).execute(question.encode())
            names = [column.name for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@contextmanager
def running_pgbouncer(
    directory: Path, server: Postgres, *, told: Mapping[str, str], sessions: int = 4
) -> Iterator[Pooler]:
    """Run PgBouncer before `server`; each of its sessions is `told` these settings first.

    For each database it opens so many `sessions` at most. Raises ServerFailed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    [port] = free(1)
    log = directory / "log"
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            host=server.socket_directory,
            first=_first_of_all(told),
            port=port,
            log=log,
            sessions=sessions,
        )
    )
    command = [_PROGRAM, "--quiet", *_as_whom(directory, server), str(configuration)]
    if which(_PROGRAM) is None:
        raise ServerFailed(f"PgBouncer: {_PROGRAM} is not there; install Debian's pgbouncer")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as child:  # noqa: S603 (our own command)
        try:
            pooler = Pooler(port=port)
            _wait_until_up(pooler, child, log)
            yield pooler
        finally:
            child.terminate()


def _first_of_all(told: Mapping[str, str]) -> str:
    statements = ";".join(f"SET {name} TO ''{value}''" for name, value in told.items())
    return f"connect_query='{statements}'" if statements else ""


def _as_whom(directory: Path, server: Postgres) -> list[str]:
    """Run it as whoever PostgreSQL runs as: root it refuses, as PostgreSQL does."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwuid(server.data.stat().st_uid).pw_name
    chown(directory, user)
    return ["--user", user]


def _wait_until_up(pooler: Pooler, child: subprocess.Popen[bytes], log: Path) -> None:
    end, pause = time.monotonic() + _UP_WITHIN_SECONDS, threading.Event()
    while not _answers(pooler):
        if child.poll() is not None or time.monotonic() > end:
            raise ServerFailed(f"PgBouncer did not come up; its log is {log}")
        pause.wait(_LOOK_EVERY_SECONDS)


def _answers(pooler: Pooler) -> bool:
    try:
        return bool(pooler.asked("SHOW VERSION"))
    except psycopg.Error:
        return False
