"""TCP lines on loopback that can be cut, silenced, forgotten or reset: between payproc and its servers.

A process of its own, so that whoever makes the load does not slow the lines down: `Wires` starts it and speaks to it.
"""

import asyncio
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """What a line does."""

    OPEN = "open"
    SILENT = "silent"  # nothing comes through either way, and nobody is told; what was sent arrives once it is open
    HALF_OPEN = "half_open"  # connections so far: the server's end is closed, ours hears of nothing; new ones are well
    CLOSED = "closed"  # nobody listens, and who was connected is reset
    RESETTING = "resetting"  # who connects is reset as soon as it has said something


@dataclass(frozen=True)
class Wire:
    """A port of 127.0.0.1, and where it leads: another port of it, or a socket's path."""

    port: int
    target: int | str


@dataclass(frozen=True)
class Wires:
    """All lines by name, in the hand of a test."""

    lines: Mapping[str, Wire]
    _process: subprocess.Popen[str]

    def set(self, name: str, state: State) -> None:
        """Return once the line is so."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(name, state.value, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline().strip()
        assert answer == "done", f"the wires said {answer!r}"


@contextmanager
def laid(lines: Mapping[str, Wire]) -> Iterator[Wires]:
    """Lay lines, which are taken up again afterwards."""
    told = json.dumps({name: [line.port, line.target] for name, line in lines.items()})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.table.wires", told],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "done", "the wires were not laid"
        yield Wires(lines, process)
    finally:
        process.terminate()
        process.communicate()


@dataclass(eq=False)
class _Line:
    wire: Wire
    state: State = State.OPEN
    ends: set["_End"] = field(default_factory=set)
    server: asyncio.Server | None = None

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: _End(self, is_client=True), "127.0.0.1", self.wire.port)

    async def become(self, state: State) -> None:
        self.state = state
        for end in list(self.ends):
            end.become(state)
        if state is State.CLOSED and self.server is not None:
            self.server.close()
            self.server = None
        if state is State.OPEN and self.server is None:
            await self.listen()


class _End(asyncio.Protocol):
    """One end of a connection, which says to the other what it hears."""

    transport: asyncio.Transport

    def __init__(self, line: _Line, *, is_client: bool, other: "_End | None" = None) -> None:
        self._line = line
        self._is_client = is_client
        self._other = other
        self._leading: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._line.ends.add(self)
        if self._is_client:
            transport.pause_reading()
            if self._line.state is not State.SILENT:
                self._lead_on()

    def _lead_on(self) -> None:
        self._leading = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        target, loop = self._line.wire.target, asyncio.get_running_loop()
        make = lambda: _End(self._line, is_client=False, other=self)  # noqa: E731 (asyncio wants a maker)
        try:
            if isinstance(target, int):
                _, self._other = await loop.create_connection(make, "127.0.0.1", target)
            else:
                _, self._other = await loop.create_unix_connection(make, target)
        except OSError:
            self.reset()
            return
        with suppress(RuntimeError):  # it hung up meanwhile
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._line.state is State.RESETTING:
            self.reset()
        elif self._other is not None:
            self._other.transport.write(data)

    def become(self, state: State) -> None:
        match state:
            case State.OPEN:
                self.go_on()
            case State.SILENT:
                self.transport.pause_reading()
            case State.HALF_OPEN:
                self.forget()
            case State.CLOSED | State.RESETTING:
                self.reset()

    def go_on(self) -> None:
        """Read what has come meanwhile."""
        if self._is_client and self._leading is None:
            self._lead_on()
        elif self._other is not None:
            self.transport.resume_reading()

    def forget(self) -> None:
        """Be one of those whose other end is gone without a word."""
        if not self._is_client:
            self.transport.abort()
        self._other = None

    def reset(self) -> None:
        """Hang up rudely."""
        found = self.transport.get_extra_info("socket")
        if found is not None and found.family == socket.AF_INET:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._line.ends.discard(self)
        if self._other is not None:
            self._other.transport.close()


async def _serve(told: Mapping[str, tuple[int, int | str]]) -> None:
    lines = {name: _Line(Wire(port, target)) for name, (port, target) in told.items()}
    for line in lines.values():
        await line.listen()
    print("done", flush=True)  # noqa: T201 (whoever laid us reads it)
    loop = asyncio.get_running_loop()
    while order := await loop.run_in_executor(None, sys.stdin.readline):
        name, state = order.split()
        await lines[name].become(State(state))
        print("done", flush=True)  # noqa: T201 (whoever laid us reads it)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
