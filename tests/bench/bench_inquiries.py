"""Ten thousand open wallet payments that are all due at once, at a gateway that takes 300 ms to answer.

    python -m tests.bench.bench_inquiries [--payments 10000] [--milliseconds 300]

Everything runs on this machine: gateway, PostgreSQL, Redis, relay and one worker of the wallet. What is measured begins
when the jobs become due and ends when each payment has been asked about.
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import threading
import time
from pathlib import Path

import psutil
from rich.console import Console
from sqlalchemy import text

from payproc.database.engine import Database
from sandbox.stack.ports import Ports
from sandbox.stack.running import Stack, running_stack

_NOT_NEEDED = ("beat", "flower", "worker-stripe", "worker-jazz-cash", "worker-pushes", "worker-mail", "worker-notices")
_LOOK_EVERY_SECONDS = 0.5
_GIVE_UP_AFTER_SECONDS = 600

_MAKE_PAYMENTS = """
INSERT INTO payments (id, user_id, amount_minor, currency, status, payment_method, reference, dialect, environment,
                      live_mode, description, metadata, created_at)
SELECT 'pay_bench' || n, (SELECT id FROM users LIMIT 1), 125050, 'pkr', 'pending', 'easy_paisa', 'PBENCH' || n,
       'rest-v4', 'development', false, 'Two mangoes', '{}', now() - interval '5 minutes'
FROM generate_series(1, :count) AS n
"""
_MAKE_EVENTS = """
INSERT INTO payment_events (payment_id, fact, effect, to_status, source, at)
SELECT id, 'created', 'moved', 'pending', 'api', created_at FROM payments WHERE id LIKE 'pay_bench%'
"""
_MAKE_JOBS = """
INSERT INTO jobs (id, kind, queue, subject, dedupe_key, payload)
SELECT 'job_bench' || id, 'payment.inquire', 'provider.easy_paisa', id, 'payment.inquire:' || id, '{"polled": 3}'
FROM payments WHERE id LIKE 'pay_bench%'
"""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            asked = json.loads(await reader.readexactly(length))
            await asyncio.sleep(seconds)
            body = json.dumps(
                {
                    "orderId": asked["orderId"],
                    "storeId": asked["storeId"],
                    "transactionStatus": "PENDING",
                    "transactionAmount": "1250.50",
                    "responseCode": "0000",
                    "responseDesc": "SUCCESS",
                }
            ).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(port: int, seconds: float) -> None:
    server = await asyncio.start_server(lambda r, w: _answer(r, w, seconds), "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


def _gateway(port: int, seconds: float) -> None:
    asyncio.run(_serve(port, seconds))


def measure(stack: Stack, count: int) -> None:
    """Make the payments, let them be due, and print how long it took and what it cost."""
    console = Console(highlight=False)
    database = Database(stack.database_url, pool_size=1)
    with database.transaction() as session:
        session.execute(text(_MAKE_PAYMENTS), {"count": count})
        session.execute(text(_MAKE_EVENTS))
    worker = psutil.Process(stack.process("worker-easy-paisa"))
    with database.transaction() as session:
        session.execute(text(_MAKE_JOBS))
    began, most = time.monotonic(), 0
    pause = threading.Event()
    while time.monotonic() - began < _GIVE_UP_AFTER_SECONDS:
        with database.transaction() as session:
            asked = session.scalar(text("SELECT count(*) FROM jobs WHERE id LIKE 'job_bench%' AND state = 'done'"))
        most = max(most, _resident(worker))
        console.print(f"{time.monotonic() - began:6.1f} s  {asked:6d} asked  {most / 2**20:6.0f} MiB at most")
        if asked == count:
            break
        pause.wait(_LOOK_EVERY_SECONDS)
    with database.transaction() as session:
        again = session.scalar(text("SELECT count(*) FROM jobs WHERE kind = 'payment.inquire' AND attempts > 1"))
    database.dispose()
    console.print(f"{count} payments in {time.monotonic() - began:.1f} s; {again} were begun more than once")


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss) + sum(int(c.memory_info().rss) for c in process.children(recursive=True))


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=10_000)
    parser.add_argument("--milliseconds", type=int, default=300)
    arguments = parser.parse_args()
    port = Ports.free().gateway
    gateway = multiprocessing.get_context("spawn").Process(
        target=_gateway, args=(port, arguments.milliseconds / 1000), daemon=True
    )
    gateway.start()
    told = {
        "EASY_PAISA_DIALECT": "rest-v4",
        "EASY_PAISA_BASE_URL": f"http://127.0.0.1:{port}",
        # As in production: a stack of the sandbox is less patient.
        "RING_LEASE": "20s",
        "RETRY_BASE": "5s",
    }
    with (
        tempfile.TemporaryDirectory(prefix="payproc-bench-") as directory,
        running_stack(Path(directory), overrides=told, without=_NOT_NEEDED) as stack,
    ):
        measure(stack, arguments.payments)
    gateway.terminate()


if __name__ == "__main__":
    main()
