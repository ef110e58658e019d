"""Events of payments that are paid at full rate: how many a second reach a receiver on loopback, and how late.

    python -m tests.bench.bench_webhooks [--payments 4000] [--endpoints 1] [--waiting]

Stripe's notices come as fast as they are accepted, each completes a payment, and its event goes to each endpoint. Late
is the time from the event's own (the begin of the transaction of its change) to the receiver. `--waiting`: the workers
of webhooks stand still while the events are made; then it is measured how fast alone they deliver what waits.
"""

import argparse
import asyncio
import multiprocessing
import re
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

import psycopg
import requests
from rich.console import Console

from sandbox.stack.running import Stack, running_stack
from tests.bench import seeding
from tests.bench.client import load, wire
from tests.bench.client.costs import spent
from tests.bench.client.work import quantile
from tests.support.waiting import wait_until

_NOT_NEEDED = ("beat", "flower", "worker-stripe", "worker-jazz-cash", "worker-easy-paisa", "worker-pushes")
_HABITS = {"RING_LEASE": "10s", "RETRY_BASE": "5s"}
_WORKER = "worker-webhooks"
_FIRST, _WARM = 10**9, 200
_CONNECTIONS = 8
_PATIENCE_SECONDS = 300
_LEAST_SHOWN = 0.1
_TIME = re.compile(rb'"timestamp":"([^"]+)"')
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_COMPLETED = "SELECT count(*) FROM payments WHERE status = 'completed'"


class _Shop(asyncio.Protocol):
    """The least that a receiver can be: when each event came, and how long after it had happened."""

    def __init__(self, heard: list[tuple[float, float]]) -> None:
        self._heard = heard
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        while end:
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(body) < length:
                return
            self._note(body[:length])
            self._read = body[length:]
            head, end, body = self._read.partition(b"\r\n\r\n")

    def _note(self, body: bytes) -> None:
        found = _TIME.search(body)
        assert found is not None
        now = time.time()
        self._heard.append((now, now - datetime.fromisoformat(found[1].decode()).timestamp()))
        self._transport.write(_ANSWER)


def _receive(line: Connection) -> None:
    heard: list[tuple[float, float]] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Shop(heard), "127.0.0.1", 0)
        line.send(server.sockets[0].getsockname()[1])
        while True:
            match await loop.run_in_executor(None, line.recv):
                case "count":
                    line.send(len(heard))
                case "take":
                    line.send(heard[:])
                    heard.clear()

    asyncio.run(serve())


class _Receiver:
    """A shop in a process of its own: it shares no lock of Python's with who measures."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.port: int = line.recv()

    def count(self) -> int:
        self._line.send("count")
        found: int = self._line.recv()
        return found

    def take(self) -> Sequence[tuple[float, float]]:
        self._line.send("take")
        found: Sequence[tuple[float, float]] = self._line.recv()
        return found


@contextmanager
def _receiver() -> Iterator[_Receiver]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield _Receiver(ours)
    finally:
        process.kill()
        process.join()


def measure(
    stack: Stack, receiver: _Receiver, console: Console, *, payments: int, endpoints: int, waiting: bool
) -> None:
    """Have so many payments paid, and print how their events fared."""
    for number in range(endpoints):
        _make_endpoint(stack, f"http://127.0.0.1:{receiver.port}/{number}")
    _pay(stack, range(_FIRST, _FIRST + _WARM))
    wait_until(lambda: receiver.count() >= _WARM * endpoints, seconds=_PATIENCE_SECONDS, what="the first events")
    receiver.take()
    if waiting:
        stack.kill(_WORKER, signal.SIGSTOP)
    began, before = time.time(), spent(stack.site.directory)
    numbers = range(_FIRST + _WARM, _FIRST + _WARM + payments)
    _pay(stack, numbers)
    took = time.time() - began
    if waiting:
        began, before = time.time(), spent(stack.site.directory)
        stack.kill(_WORKER, signal.SIGCONT)
    wanted = payments * endpoints
    wait_until(lambda: receiver.count() >= wanted, seconds=_PATIENCE_SECONDS, what="every event")
    after, heard = spent(stack.site.directory), receiver.take()
    lasted, late = max(at for at, _ in heard) - began, [each for _, each in heard]
    console.print(f"{payments} payments completed in {took:.1f} s: {payments / took:.0f} a second")
    console.print(f"{len(heard)} deliveries in {lasted:.1f} s: {len(heard) / lasted:.0f} a second")
    console.print(f"late: p50 {1000 * quantile(late, 0.5):.0f} ms, p99 {1000 * quantile(late, 0.99):.0f} ms")
    console.print("milliseconds of a processor for each delivery:")
    for name in sorted(after, key=lambda each: before[each] - after[each]):
        if (cost := 1000 * (after[name] - before[name]) / len(heard)) >= _LEAST_SHOWN:
            console.print(f"{name:24}{cost:9.2f}")


def _make_endpoint(stack: Stack, url: str) -> None:
    headers = {"Authorization": f"Bearer {stack.keys['admin']}"}
    made = requests.post(f"{stack.web_url}/api/v1/webhook-endpoints", json={"url": url}, headers=headers, timeout=30)
    made.raise_for_status()


def _pay(stack: Stack, numbers: range) -> None:
    """Have these payments paid, and wait until they are completed."""
    file, secret = stack.site.directory / "paid", stack.site.secrets.stripe_webhook_secret
    with psycopg.connect(stack.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        with psycopg.connect(stack.database_url.replace("+psycopg", "")) as seeds:
            seeding.without_triggers(seeds)
            seeding.seed_open(seeds, numbers)
        wire.write_events(file, map(wire.paid_event, numbers), secret=secret)
        before = connection.execute(_COMPLETED).fetchone()
        assert before is not None
        with load.sent_once(stack.web_url, file, connections=_CONNECTIONS):
            while connection.execute(_COMPLETED).fetchone() != (int(str(before[0])) + len(numbers),):
                threading.Event().wait(0.05)


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=4000)
    parser.add_argument("--endpoints", type=int, default=1)
    parser.add_argument("--waiting", action="store_true")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as place,
        running_stack(Path(place) / "hooks", without=_NOT_NEEDED, overrides=_HABITS) as stack,
        _receiver() as receiver,
    ):
        measure(
            stack,
            receiver,
            Console(highlight=False),
            payments=asked.payments,
            endpoints=asked.endpoints,
            waiting=asked.waiting,
        )


if __name__ == "__main__":
    main()
