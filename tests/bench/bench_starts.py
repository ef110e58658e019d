"""Card payments that all wait to begin: how many a second one worker of two processes begins, and what that costs.

    python -m tests.bench.bench_starts [--payments 400] [--milliseconds 0]

The worker is stopped while they are taken, and until what was sent for them is stale; it is measured from when it goes
on until each has a session. `--milliseconds` is what Stripe takes for each answer, beside what the sandbox needs.
"""

import argparse
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from rich.console import Console
from sqlalchemy import text

from payproc.database.engine import Database
from sandbox.stack.running import Stack, running_stack
from tests.bench.client.costs import CARD, spent
from tests.support.waiting import wait_until

_WORKER, _NOT_NEEDED = "worker-stripe", ("beat", "worker-jazz-cash", "worker-easy-paisa", "worker-pushes")
_WAITING = "SELECT count(*) FROM payments WHERE stripe_session_id IS NULL"
_LEAST_SHOWN = 0.1
_STALE_AFTER_SECONDS = 12
_PATIENCE_SECONDS = 600


def measure(stack: Stack, console: Console, *, count: int, milliseconds: int) -> None:
    """Take the payments while nobody begins them, and print how long it takes to begin them all."""
    database = Database(stack.database_url, pool_size=1)

    def all_begun() -> bool:
        with database.transaction() as session:
            return bool(session.scalar(text(_WAITING)) == 0)

    # The first makes the customer.
    _take(stack, 1)
    wait_until(all_begun, what="a first session")
    stack.kill(_WORKER, signal.SIGSTOP)
    _take(stack, count)
    threading.Event().wait(_STALE_AFTER_SECONDS)
    if milliseconds:
        order = {"operation": "*", "fault": "slow", "times": None, "seconds": milliseconds / 1000}
        requests.post(f"{stack.gateway_url}/_sandbox/faults", json=order, timeout=30).raise_for_status()
    began, before = time.monotonic(), spent(stack.site.directory)
    stack.kill(_WORKER, signal.SIGCONT)
    wait_until(all_begun, seconds=_PATIENCE_SECONDS, what="all sessions")
    took, after = time.monotonic() - began, spent(stack.site.directory)
    database.dispose()
    console.print(
        f"{count} payments begun in {took:.1f} s: {count / took:.0f} a second; milliseconds of a processor each:"
    )
    for name in sorted(after, key=lambda each: before[each] - after[each]):
        if (cost := 1000 * (after[name] - before[name]) / count) >= _LEAST_SHOWN:
            console.print(f"{name:24}{cost:9.2f}")


def _take(stack: Stack, count: int) -> None:
    headers = {"Authorization": f"Bearer {stack.keys['customer']}"}
    url = f"{stack.web_url}/api/v1/payments/checkout"

    def take(_: int) -> None:
        requests.post(url, json=CARD, headers=headers, timeout=60).raise_for_status()

    with ThreadPoolExecutor(max_workers=4) as several:
        list(several.map(take, range(count)))


def main() -> None:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=400)
    parser.add_argument("--milliseconds", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, running_stack(Path(place) / "starts", without=_NOT_NEEDED) as stack:
        measure(stack, Console(highlight=False), count=asked.payments, milliseconds=asked.milliseconds)


if __name__ == "__main__":
    main()
