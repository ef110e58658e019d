"""A process that ends a stack whose parent has died: `python -m sandbox.stack.watcher DIRECTORY PARENT`.

A parent that is killed runs no `finally`. A pipe that it holds would not tell: processes forked from it hold it, too.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from sandbox.stack.errors import StackFailed
from sandbox.stack.servers import Postgres, stop_postgres
from sandbox.stack.stale_processes import WATCHER, end_stale_processes, only_stack_in


@contextmanager
def watched(directory: Path) -> Iterator[None]:
    """Have whatever runs in `directory` ended should this process die inside the block."""
    command = [sys.executable, "-m", WATCHER, str(directory), str(os.getpid())]
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
