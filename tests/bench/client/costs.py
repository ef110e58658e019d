"""`python -m tests.bench.client.costs card 300`: the processor seconds that a payment costs each process of a stack.

So many payments by card, or by `wallet` (Easypaisa), from request to receipt, by the real processes apart from each
other. Seconds of the processor and not of the clock: what else runs on the machine makes them dearer, by what it pushes
out of the caches, and not many times as long. What the processes take while nobody pays is measured before and taken
off.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, assert_never

import psutil
import requests
from rich.console import Console
from sqlalchemy import text

from payproc.database.engine import Database
from sandbox.stack.running import Stack, running_stack
from tests.bench.client.memory import name_of, pids_in, with_children
from tests.support.waiting import wait_until

CARD = {
    "amount": "19.99",
    "currency": "usd",
    "description": "Two mangoes",
    "success_url": "https://example.com/thanks",
    "cancel_url": "https://example.com/basket",
}
# The sandbox's customer of this number approves at once. As many charges wait at a phone as this bench may begin.
_WALLET = {"amount": "1250.50", "phone": "03001234567"}
_MANY = {"PUSHES_PER_PHONE": "100000", "PUSHES_PER_USER": "100000", "PUSHES_PER_ADDRESS": "100000"}
_WARM, _IDLE_SECONDS, _PATIENCE_SECONDS = 20, 20, 900
_COMPLETED = "SELECT count(*) FROM payments WHERE status = 'completed'"
_SESSIONS = "SELECT stripe_session_id FROM payments WHERE status = 'pending' AND stripe_session_id IS NOT NULL"
_DUE = "SELECT count(*) FROM jobs WHERE state = 'ready' AND due_at <= now()"


class Method(StrEnum):
    """How the customers pay."""

    CARD = "card"
    WALLET = "wallet"


class Payers:
    """Customers of a running stack."""

    def __init__(self, stack: Stack, database: Database, method: Method) -> None:
        self._stack, self._database, self._method = stack, database, method

    def pay(self, number: int) -> None:
        """Take so many payments, pay each, and wait until each has its end and nothing is due any more."""
        before = self._count(_COMPLETED)
        with ThreadPoolExecutor(max_workers=4) as several:
            match self._method:
                case Method.WALLET:
                    list(several.map(lambda _: self._begin("easy-paisa/initiate", _WALLET), range(number)))
                case Method.CARD:
                    list(several.map(lambda _: self._begin("checkout", CARD), range(number)))
                    sessions = wait_until(lambda: self._sessions(number), seconds=_PATIENCE_SECONDS, what="sessions")
                    list(several.map(self._pay_one, sessions))
                case method:
                    assert_never(method)
        self._until(lambda: self._count(_COMPLETED) >= before + number, "payments completed")
        self._until(lambda: self._count(_DUE) == 0, "nothing due")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        wait_until(condition, seconds=_PATIENCE_SECONDS, what=what)

    def _begin(self, path: str, body: Mapping[str, str]) -> None:
        headers = {"Authorization": f"Bearer {self._stack.keys['customer']}"}
        url = f"{self._stack.web_url}/api/v1/payments/{path}"
        requests.post(url, json=body, headers=headers, timeout=60).raise_for_status()

    def _pay_one(self, session_id: str) -> None:
        url = f"{self._stack.gateway_url}/_sandbox/sessions/{session_id}/pay"
        requests.post(url, timeout=60).raise_for_status()

    def _sessions(self, number: int) -> list[str] | None:
        found = [row[0] for row in self._ask(_SESSIONS)]
        return found if len(found) == number else None

    def _count(self, query: str) -> int:
        return int(self._ask(query)[0][0])

    def _ask(self, query: str) -> list[Any]:
        time.sleep(0.2)  # or the asking would be what is measured
        with self._database.transaction() as session:
            return list(session.execute(text(query)))


def spent(directory: Path) -> Counter[str]:
    """Return the processor seconds that the processes of a stack have taken so far, by the name of what they are."""
    seconds: Counter[str] = Counter()
    for process in with_children(pids_in(directory)):
        with suppress(psutil.Error):
            seconds[name_of(process)] += sum(process.cpu_times()[:4])
    return seconds


def measured(directory: Path, number: int, method: Method) -> dict[str, float]:
    """Return the milliseconds of a processor that one payment costs, by process; below a hundredth left out."""
    with running_stack(directory, overrides=_MANY) as stack:
        database = Database(stack.database_url, pool_size=1)
        payers = Payers(stack, database, method)
        payers.pay(_WARM)
        begun, before = time.monotonic(), spent(directory)
        time.sleep(_IDLE_SECONDS)
        idle = _less(spent(directory), before, per=time.monotonic() - begun)
        begun, before = time.monotonic(), spent(directory)
        payers.pay(number)
        taken, after = time.monotonic() - begun, spent(directory)
        database.dispose()
    each = _less(after, before, per=number)
    return {name: 1000 * (cost - idle.get(name, 0) * taken / number) for name, cost in each.items()} | {
        "idle, of a core": sum(idle.values())
    }


def _less(after: Counter[str], before: Counter[str], *, per: float) -> dict[str, float]:
    return {name: (after[name] - before[name]) / per for name in after}


def main() -> None:
    """Print a line for each process."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.client.costs", description=__doc__)
    parser.add_argument("method", type=Method, choices=list(Method))
    parser.add_argument("number", type=int, nargs="?", default=300, help="payments")
    asked, console = parser.parse_args(), Console(highlight=False)
    with tempfile.TemporaryDirectory() as place:
        costs = measured(Path(place) / "costs", asked.number, asked.method)
    for name, cost in sorted(costs.items(), key=lambda each: -each[1]):
        console.print(f"{name:24}{cost:9.2f}")


if __name__ == "__main__":
    main()
