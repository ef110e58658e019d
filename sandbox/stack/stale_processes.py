"""Two stacks never share a directory, and what a killed one leaves running is ended.

By a process that watches its parent, `python -m sandbox.stack.stale_processes DIRECTORY PARENT`, or before the next
start. A parent that is killed runs no `finally`, and a pipe that it holds would not tell: processes forked from it hold
it, too.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

from sandbox.stack.errors import StackFailed
from sandbox.stack.servers import Postgres, stop_postgres
from sandbox.stack.site import MARK

_WATCHER = "sandbox.stack.stale_processes"

_END_WITHIN_SECONDS = 5
_SIGNED_WITHIN_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.02


@contextmanager
def only_stack_in(directory: Path) -> Iterator[None]:
    """Hold a directory for this process; the kernel lets go of it however the process ends.

    Raises StackFailed when another process holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "stack.lock").open("a+") as lock:
        _take(lock, directory)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _take(lock: TextIO, directory: Path) -> None:
    try:
        # Not flock: a forked child of ours would go on holding that after us.
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = _named_holder(lock)
        if not _is_watcher(holder):
            said = f"{directory} has a running stack already (process {holder or 'unknown'}); stop it first"
            raise StackFailed(said) from None
        # It ends what a killed stack has left, which takes seconds.
        fcntl.lockf(lock, fcntl.LOCK_EX)


def _named_holder(lock: TextIO) -> str:
    # Between taking the file and signing it there is a moment without a name.
    end = time.monotonic() + _SIGNED_WITHIN_SECONDS
    while True:
        lock.seek(0)
        holder = lock.read().strip()
        if holder or time.monotonic() > end:
            return holder
        time.sleep(_LOOK_EVERY_SECONDS)


def _is_watcher(holder: str) -> bool:
    try:
        return _WATCHER in psutil.Process(int(holder)).cmdline()
    except ValueError:
        return False
    except psutil.Error:
        # The stack that wrote its name here is gone: its watcher has the directory, and has not said so yet.
        return True


def end_stale_processes(directory: Path) -> int:
    """End what an earlier stack in this directory left running, and return how many processes that were.

    Called with the directory held, so that none of them can belong to a stack that runs.
    """
    ours = [process for process in psutil.process_iter() if _is_ours(process, directory)]
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(ours, timeout=_END_WITHIN_SECONDS)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_END_WITHIN_SECONDS)
    return len(ours)


def _is_ours(process: psutil.Process, directory: Path) -> bool:
    try:
        if process.environ().get(MARK) == str(directory):
            return True
        # Valkey writes its title over its environment; where it works it cannot hide.
        return process.name().startswith("valkey") and Path(process.cwd()) == directory / "redis"
    except psutil.Error:
        return False


@contextmanager
def watched(directory: Path) -> Iterator[None]:
    """Have whatever runs in `directory` ended should this process die inside the block."""
    command = [sys.executable, "-m", _WATCHER, str(directory), str(os.getpid())]
    # In a session of its own: what ends its parent's terminal must not end it first.
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as watcher:  # noqa: S603 (our own module)
        try:
            yield
        finally:
            # Everything has been stopped in order by now.
            watcher.kill()


def end_stack_in(directory: Path) -> None:
    """End what runs in a directory, PostgreSQL too, unless another stack holds it by now."""
    with suppress(StackFailed), only_stack_in(directory):
        end_stale_processes(directory)
        for data in directory.glob("*/postmaster.pid"):
            stop_postgres(Postgres(data=data.parent, socket_directory=str(data.parent)))


def main() -> None:
    """Wait until the parent is gone, then end what it has left."""
    directory, parent = Path(sys.argv[1]), int(sys.argv[2])
    with suppress(psutil.NoSuchProcess):
        psutil.Process(parent).wait()
    if directory.is_dir():
        end_stack_in(directory)


if __name__ == "__main__":
    main()
