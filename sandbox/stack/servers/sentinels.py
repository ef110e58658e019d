"""Two Redis-protocol servers, one following the other, and a Sentinel that promotes it when the first is gone."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sandbox.stack.errors import ServerFailed
from sandbox.stack.ports import free
from sandbox.stack.servers import redis_command

MASTER_NAME = "payments"

_UP_WITHIN_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.05
# One that is silent for two seconds is gone; one Sentinel's word is enough.
_CONFIGURATION = """
bind 127.0.0.1
port {port}
dir {directory}
sentinel monitor {name} 127.0.0.1 {master} 1
sentinel down-after-milliseconds {name} 2000
sentinel failover-timeout {name} 6000
"""


@dataclass(frozen=True, kw_only=True)
class Sentinel:
    """A running Sentinel, and the servers that it watches."""

    port: int
    _servers: dict[int, subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        """Its address, as BROKER_URL has it; a second one, where nobody listens, is passed over."""
        return f"sentinel://127.0.0.1:9/0;sentinel://127.0.0.1:{self.port}/0"

    def master(self) -> int:
        """Return the port of the server that takes writes, by what the Sentinel says."""
        with Redis(port=self.port, socket_timeout=5) as asked:
            _, port = asked.sentinel_get_master_addr_by_name(MASTER_NAME)
        return int(port)

    def kill_master(self) -> int:
        """Kill the server that takes writes; return its port."""
        port = self.master()
        self._servers[port].kill()
        self._servers[port].wait()
        return port


@contextmanager
def running_sentinel(directory: Path) -> Iterator[Sentinel]:
    """Run the three over `directory`, and stop them afterwards.

    Raises ServerFailed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    master, follower, port = free(3)
    first = redis_command(directory / "first", port=master)
    second = (*redis_command(directory / "second", port=follower), "--replicaof", f"127.0.0.1 {master}")
    configuration = directory / "sentinel.conf"
    told = _CONFIGURATION.format(port=port, directory=directory, name=MASTER_NAME, master=master)
    configuration.write_text(told)
    commands = {master: first, follower: second, port: (first[0], str(configuration), "--sentinel")}
    running: dict[int, subprocess.Popen[bytes]] = {}
    try:
        for number, command in commands.items():
            with (directory / f"{number}.log").open("ab") as log:
                running[number] = subprocess.Popen(  # noqa: S603 (a command of our own)
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
                )
        _wait_until_it_knows_both(port)
        yield Sentinel(port=port, _servers=running)
    finally:
        for child in running.values():
            child.kill()
            child.wait()


def _wait_until_it_knows_both(port: int) -> None:
    end, pause = time.monotonic() + _UP_WITHIN_SECONDS, threading.Event()
    while not _knows_a_follower(port):
        if time.monotonic() > end:
            raise ServerFailed("Redis: the Sentinel never heard of a follower")
        pause.wait(_LOOK_EVERY_SECONDS)


def _knows_a_follower(port: int) -> bool:
    with Redis(port=port, socket_timeout=2) as asked:
        try:
            found = asked.sentinel_slaves(MASTER_NAME)
        except RedisError:
            return False
    return any(each["master-link-status"] == "ok" for each in found)
