"""On what a fault happens: the usual stack, one whose broker is RabbitMQ, or one on a small disk."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import assert_never

import amqp

from payproc import jobs
from payproc.providers.stripe import STRIPE
from sandbox.stack.errors import StackFailed
from sandbox.stack.servers.rabbitmq import Node, running_node
from tests.faults.table.grounds import CannotBeHad, Grounds, grounds

# Twice what a stack and a minute of its load need.
_SMALL_DISK = "700m"


class Place(Enum):
    """A kind of stack; each is started where a fault that happens on it is wanted."""

    REDIS = "the usual stack"
    RABBITMQ = "its broker is RabbitMQ"
    SMALL_DISK = "a small file system in memory"


@contextmanager
def opened(place: Place) -> Iterator[Grounds]:
    """Run such a stack and stop it afterwards. Raises CannotBeHad, or StackFailed."""
    match place:
        case Place.REDIS:
            with _directory() as directory, grounds(directory) as found:
                yield found
        case Place.RABBITMQ:
            with (
                _directory() as directory,
                running_node(directory / "rabbitmq") as node,
                grounds(directory / "stack", node=node) as found,
            ):
                _check_who_consumes(node)
                yield found
        case Place.SMALL_DISK:
            with _small_disk() as directory, grounds(directory / "stack") as found:
                yield found
        case _:
            assert_never(place)


def _check_who_consumes(node: Node) -> None:
    # A stack that went on talking to Redis would pass every row of RabbitMQ's.
    with amqp.Connection(f"127.0.0.1:{node.port}") as connection:
        for queue in (jobs.Queue.NOTICES, jobs.Queue.MAIL, jobs.provider_queue(STRIPE)):
            found = connection.channel().queue_declare(queue, passive=True)
            if not found.consumer_count:
                raise StackFailed(f"no worker waits at RabbitMQ's queue {queue}")


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="payproc-faults-") as directory:
        yield Path(directory)


@contextmanager
def _small_disk() -> Iterator[Path]:
    """Mount a small file system in memory. Raises CannotBeHad where that is not allowed."""
    with tempfile.TemporaryDirectory() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "payproc-faults", directory]
        tried = subprocess.run(mount, capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            raise CannotBeHad(f"a tmpfs cannot be mounted ({tried.stderr.strip()})")
        try:
            yield Path(directory)
        finally:
            subprocess.run(["umount", "--lazy", directory], check=False)  # noqa: S607 (where Debian put it)
