"""A node of RabbitMQ from Debian's package, over files and ports of its own: never the service that Debian starts."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree, which

import amqp
import psutil

from sandbox.stack.errors import ServerFailed
from sandbox.stack.ports import free

# Debian's own command runs as root or as its user alone, and over the service's files. This is what it comes to.
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")

_UP_WITHIN_SECONDS = 90.0
_DOWN_WITHIN_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.1

_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
disk_free_limit.absolute = 10MB
"""


class Node:
    """One node, to be stopped, killed, frozen, emptied and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port, self._distribution_port, self._names_port = free(3)
        self._names: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """Its address, as BROKER_URL has it."""
        return self.url_at(self._port)

    def url_at(self, port: int) -> str:
        """Return the same by way of another port, which leads to it."""
        return f"amqp://guest:guest@127.0.0.1:{port}//"

    @property
    def log(self) -> Path:
        """Everything it has written."""
        return self._directory / "log"

    def start(self) -> None:
        """Start it over its files, made on first use, and wait until it answers.

        Raises ServerFailed.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "rabbitmq.conf").write_text(_CONFIGURATION.format(port=self._port))
        (self._directory / "plugins").write_text("[].")
        # Started by Erlang it would be a daemon, and stay.
        self._names = self._names or self._begin("epmd", "-address", "127.0.0.1", "-port", str(self._names_port))
        self._server = self._begin(str(_SERVER))
        self._wait_until_up(self._server)

    def _begin(self, *command: str) -> subprocess.Popen[bytes]:
        if which(command[0]) is None:
            raise ServerFailed(f"RabbitMQ: {command[0]} is not there; install Debian's rabbitmq-server")
        with self.log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 (a command of our own)
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        theirs = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        return theirs | {
            # Where Erlang's cookie is made.
            "HOME": str(self._directory),
            "RABBITMQ_NODENAME": f"payproc-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self._directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._directory / "data"),
            "RABBITMQ_LOG_BASE": str(self._directory / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
        }

    def _wait_until_up(self, server: subprocess.Popen[bytes]) -> None:
        end, pause = time.monotonic() + _UP_WITHIN_SECONDS, threading.Event()
        while not self._answers():
            if server.poll() is not None or time.monotonic() > end:
                raise ServerFailed(f"RabbitMQ did not come up; its log is {self.log}")
            pause.wait(_LOOK_EVERY_SECONDS)

    def _answers(self) -> bool:
        try:
            with amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=2, read_timeout=2, write_timeout=2):
                return True
        except (amqp.AMQPError, OSError):
            return False

    def kill(self) -> None:
        """End it as a machine ends that loses its power."""
        if self._server is not None:
            self._signal(signal.SIGKILL)
            self._server.wait()

    def freeze(self) -> None:
        """Have it answer nobody, and let go of no connection."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Have it go on."""
        self._signal(signal.SIGCONT)

    def empty(self) -> None:
        """Kill it, and start it again without anything that it knew."""
        self.kill()
        rmtree(self._directory / "data")
        self.start()

    def stop(self) -> None:
        """End it and what it needs; its files stay."""
        if self._server is not None:
            self.thaw()
            self._server.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._server.wait(_DOWN_WITHIN_SECONDS)
            self.kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait()
        self._server = self._names = None

    def _signal(self, number: signal.Signals) -> None:
        # The shell that waits for it, Erlang's machine, and that one's children, some in groups of their own.
        assert self._server is not None
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._server.pid)
            for each in (*root.children(recursive=True), root):
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)


@contextmanager
def running_node(directory: Path) -> Iterator[Node]:
    """Run a node over `directory` and stop it afterwards.

    Raises ServerFailed.
    """
    node = Node(directory)
    try:
        node.start()
        yield node
    finally:
        node.stop()
