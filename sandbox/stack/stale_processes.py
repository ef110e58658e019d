"""Two stacks never share a directory, and what a killed one left running is ended before the next start."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

from sandbox.stack.errors import StackFailed
from sandbox.stack.site import MARK

WATCHER = "sandbox.stack.watcher"

_END_WITHIN_SECONDS = 5


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
        lock.seek(0)
        holder = lock.read().strip()
        if not _is_watcher(holder):
            said = f"{directory} has a running stack already (process {holder or 'unknown'}); stop it first"
            raise StackFailed(said) from None
        # It ends what a killed stack has left, which takes seconds.
        fcntl.lockf(lock, fcntl.LOCK_EX)


def _is_watcher(holder: str) -> bool:
    try:
        return WATCHER in psutil.Process(int(holder)).cmdline()
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
