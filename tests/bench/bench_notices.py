"""How many different, signed events a second the front can accept: `python -m tests.bench.bench_notices`.

Needs wrk (Debian's package) and starts its own PostgreSQL. It is outside the test run: a figure is no verdict.
Web servers are compared in turn, so that a machine that drifts drifts under both.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
import stripe

from sandbox.stack.servers import start_postgres, stop_postgres
from tests.support.databases import migrate

SECRET = "whsec_bench_0123456789abcdef"
EVENTS = 40_000
SERVERS = {
    "ours": "gunicorn --config web/front/config.py -b 127.0.0.1:{port} web.wsgi:app",
    "gunicorn gthread 2x4": "gunicorn -w 2 --threads 4 -b 127.0.0.1:{port} web.wsgi:app",
}


def write_events(path: Path) -> None:
    now = int(time.time())
    with path.open("w") as file:
        for _ in range(EVENTS):
            session: dict[str, object] = {
                "id": f"cs_{secrets.token_hex(12)}",
                "object": "checkout.session",
                "status": "complete",
            }
            session |= {"payment_status": "paid", "amount_total": 1999, "currency": "usd", "livemode": False}
            session["padding"] = "x" * 1500  # a real event is about two kilobytes
            event: dict[str, object] = {"id": f"evt_{secrets.token_hex(12)}", "object": "event", "livemode": False}
            event |= {"type": "checkout.session.completed", "data": {"object": session}}
            body = json.dumps(event)
            header = stripe.WebhookSignature.generate_signature_header(body, SECRET, now)
            file.write(f"{header}\t{body}\n")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    sys.exit(f"{url} did not answer")


def measure(command: str, events: Path, environment: dict[str, str]) -> str:
    port = free_port()
    words = command.format(port=port).split()
    server = subprocess.Popen(
        [sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        load = ["wrk", "-t1", "-c8", "-d4s", "-s", "tests/bench/notices.lua"]
        done = subprocess.run(
            [*load, f"http://127.0.0.1:{port}/api/v1/payments/webhook/stripe"],
            env=environment | {"BENCH_EVENTS": str(events)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip().splitlines()[-1]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)


def main() -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    with tempfile.TemporaryDirectory() as directory:
        postgres = start_postgres(Path(directory) / "pg")
        events = Path(directory) / "events"
        for _ in range(2):
            for name, command in SERVERS.items():
                database = f"bench_{secrets.token_hex(4)}"
                subprocess.run(
                    [shutil.which("psql") or "psql", "-q", "-h", postgres.socket_directory, "-U", "postgres"],
                    input=f"CREATE DATABASE {database}",
                    text=True,
                    check=True,
                )
                url = postgres.url(database)
                migrate(url)
                write_events(events)
                environment = dict(os.environ) | {
                    "DATABASE_URL": url,
                    "SECRET_KEY": "bench",
                    "STRIPE_SECRET_KEY": "sk_test_bench",
                    "STRIPE_WEBHOOK_SECRET": SECRET,
                    "LOG_LEVEL": "WARNING",
                }
                sys.stdout.write(f"{name:24} {measure(command, events, environment)}\n")
        stop_postgres(postgres)


if __name__ == "__main__":
    main()
