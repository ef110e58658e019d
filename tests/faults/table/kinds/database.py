"""The database, which may restart, crash, fall silent, refuse to write, or have no room."""

import os
import signal
from pathlib import Path

import psycopg

from sandbox.stack.servers import start_postgres
from tests.faults.table.grounds import DATABASE, Grounds
from tests.faults.table.places import Place
from tests.faults.table.row import Fault
from tests.faults.table.wires import State
from tests.support.waiting import wait_until

_END_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL"
)
_BALLAST = "ballast"
_ENOSPC = "No space left on device"


def _is_ended(how: signal.Signals) -> Fault:
    def happen(grounds: Grounds) -> None:
        _end(grounds, how)
        start_postgres(grounds.postgres)

    titles = {signal.SIGINT: "PostgreSQL restarted (fast)", signal.SIGQUIT: "PostgreSQL crashed (immediate)"}
    return Fault(title=titles[how], happen=happen)


def _end(grounds: Grounds, how: signal.Signals) -> None:
    file = grounds.postgres / "postmaster.pid"
    number = int(file.read_text().splitlines()[0])
    os.kill(number, how)
    wait_until(lambda: not _runs(number), seconds=60, what="PostgreSQL gone")
    # A server that crashed leaves it behind, and whoever starts the next asks whether it is that one's.
    file.unlink(missing_ok=True)


def _runs(number: int) -> bool:
    stat = Path(f"/proc/{number}/stat")
    return stat.exists() and stat.read_text().rpartition(") ")[2][0] != "Z"


def _falls_silent(grounds: Grounds) -> None:
    grounds.lines.set(DATABASE, State.SILENT)
    grounds.hold(20)


def _is_open(grounds: Grounds) -> None:
    grounds.lines.set(DATABASE, State.OPEN)


def _reads_only(grounds: Grounds) -> None:
    _set(grounds, "ALTER SYSTEM SET default_transaction_read_only = on")
    grounds.hold(20)


def _writes_again(grounds: Grounds) -> None:
    _set(grounds, "ALTER SYSTEM RESET default_transaction_read_only")


def _set(grounds: Grounds, statement: str) -> None:
    with psycopg.connect(grounds.own_url, autocommit=True) as connection:
        connection.execute(statement.encode())
        connection.execute("SELECT pg_reload_conf()")
        connection.execute(_END_ALL)


def _is_full(grounds: Grounds) -> None:
    room = os.statvfs(grounds.postgres)
    ballast = grounds.postgres.parent / _BALLAST
    with ballast.open("wb") as file:
        # Root may fill what is kept for it, too: the rest is taken in ever smaller pieces.
        size = room.f_bavail * room.f_frsize
        while size > 4096:
            try:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
            except OSError:
                size //= 2
    grounds.hold(20)
    assert _ENOSPC in (grounds.postgres / "log").read_text(errors="replace"), "the server never ran out of room"


def _has_room(grounds: Grounds) -> None:
    (grounds.postgres.parent / _BALLAST).unlink(missing_ok=True)
    number = grounds.postgres / "postmaster.pid"
    # Out of room for its journal it ends itself, as it must; an operator who has made room starts it again.
    if not number.exists() or not _runs(int(number.read_text().splitlines()[0])):
        number.unlink(missing_ok=True)
        start_postgres(grounds.postgres)


FAULTS = (
    _is_ended(signal.SIGINT),
    _is_ended(signal.SIGQUIT),
    Fault(title="PostgreSQL black-holed for 20 s", happen=_falls_silent, undo=_is_open),
    Fault(title="PostgreSQL read-only for 20 s, its sessions ended", happen=_reads_only, undo=_writes_again),
)
DISK_FULL = Fault(
    title="PostgreSQL's disk full for 20 s (a tmpfs)", happen=_is_full, undo=_has_room, place=Place.SMALL_DISK
)
