"""How long pruning holds its locks, and what the front notices of it: `python -m tests.bench.bench_pruning`.

So many rows of each kind are over, among others that are not. A batch is one statement and its own transaction: what is
timed goes from before its first lock to the answer to it, which comes after its commit. Notices are accepted meanwhile,
and as long before.
"""

import argparse
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from rich.console import Console
from sqlalchemy import Engine, event

from payproc.application import Application
from payproc.bootstrap import application_from, load_settings
from payproc.operations import pruning
from payproc.settings.connections import ONE
from sandbox.stack.ports import Ports
from sandbox.stack.processes import processes
from sandbox.stack.running import prepared
from sandbox.stack.site import Site
from tests.bench import seeding
from tests.bench.client import load, wire
from tests.bench.client.load import Load

_CONNECTIONS, _SECONDS = 8, 10
# Ticks are as many as a month has: nothing else makes them.
_EVENTS = 40_000
_LONGEST_SECONDS = 0.05
_OVER = (
    """
    INSERT INTO jobs (id, kind, queue, subject, dedupe_key, state, attempts, created_at, finished_at)
    SELECT 'job_over' || n, 'notice.apply', 'notices', 'ntc_over' || n, 'notice.apply:ntc_over' || n, 'done', 1, at, at
    FROM (SELECT n, now() - interval '8 days' - n * interval '1 second' AS at FROM generate_series(1, %(rows)s) n) o
    """,
    """
    INSERT INTO notices (id, provider, key, kind, body, headers, state, received_at, settled_at)
    SELECT 'ntc_over' || n, 'stripe', 'evt_over' || n, 'checkout.session.completed', decode(repeat('7b', 900), 'hex'),
           '{}', 'applied', at, at
    FROM (SELECT n, now() - interval '401 days' - n * interval '1 second' AS at FROM generate_series(1, %(rows)s) n) o
    """,
    """
    INSERT INTO idempotency_keys (user_id, key, fingerprint, subject, locked_until, status, answer, created_at)
    SELECT (SELECT min(id) FROM users), 'over-' || n, decode(repeat('5a', 32), 'hex'), 'pay_over' || n, at, 202,
           repeat('x', 300), at
    FROM (SELECT n, now() - interval '73 hours' - n * interval '1 second' AS at FROM generate_series(1, %(rows)s) n) o
    """,
    """
    INSERT INTO ticks (kind, period_start, created_at)
    SELECT 'clock.digest', at, at
    FROM (SELECT n, now() - interval '31 days' - n * interval '1 second' AS at
          FROM generate_series(1, least(%(rows)s, 15000)) n) o
    """,
    """
    INSERT INTO emails (id, payment_id, kind, about, recipient, created_at, sent_at)
    SELECT 'eml_over' || n, (SELECT min(id) FROM payments), 'refund', 'ref_over' || n, 'amina@example.com', at, at
    FROM (SELECT n, now() - interval '401 days' - n * interval '1 second' AS at FROM generate_series(1, %(rows)s) n) o
    """,
)


@dataclass
class Watch:
    """Times each batch, by the table that it deletes from."""

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _began: tuple[str, float] | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        listened = ((Engine, "before_cursor_execute", self._begin), (Engine, "after_cursor_execute", self._end))
        for each in listened:
            event.listen(*each)
        try:
            yield
        finally:
            for each in listened:
                event.remove(*each)

    def _begin(self, *told: Any) -> None:
        # Connection, cursor, statement, and what it is told.
        if found := re.search(r"DELETE FROM (\w+)", told[2]):
            self._began = found[1], time.perf_counter()

    def _end(self, *_: Any) -> None:
        if self._began:
            table, began = self._began
            self.seconds[table].append(time.perf_counter() - began)
            self._began = None


def _application(site: Site) -> Application:
    settings = load_settings(**{name.lower(): value for name, value in site.settings().items()})
    return application_from(settings, pools=ONE)


def _seed(site: Site, count: int, console: Console) -> None:
    with psycopg.connect(site.database_url.replace("+psycopg", "", 1)) as connection:
        seeding.without_triggers(connection)
        seeding.seed_history(connection, range(max(count // 50, 1)))
        for statement in _OVER:
            began = time.monotonic()
            connection.execute(statement, {"rows": count})
            console.print(f"{statement.split()[2]:18} seeded in {time.monotonic() - began:6.1f} s")
        seeding.analyze(connection)


def _accepted(site: Site) -> Load:
    requests = site.directory / "events"
    events = (wire.strangers_event() for _ in range(_EVENTS))
    wire.write_events(requests, events, secret=site.secrets.stripe_webhook_secret)
    return load.run(site.web_url, requests, connections=_CONNECTIONS, seconds=_SECONDS)


def _prune(app: Application, at_once: int, enough: threading.Event) -> None:
    while not pruning.forget(app, at_once=at_once) and not enough.is_set():
        pass
    enough.set()


def measure(site: Site, console: Console, *, at_once: int) -> None:
    """Accept notices by themselves, then while rows are pruned; print what each took."""
    app, watch = _application(site), Watch()
    before = _accepted(site)
    console.print(f"accepting alone:   {before.rate:8,.0f}/s  p50 {before.p50:6.1f} ms  p99 {before.p99:6.1f} ms")
    began = time.monotonic()
    try:
        with watch.watching():
            _accept_while_pruning(site, app, console, at_once=at_once)
    finally:
        console.print(f"pruned for {time.monotonic() - began:.0f} s")
        for table, seconds in watch.seconds.items():
            _print_batches(console, table, seconds)


def _accept_while_pruning(site: Site, app: Application, console: Console, *, at_once: int) -> None:
    enough = threading.Event()
    pruner = threading.Thread(target=_prune, args=(app, at_once, enough))
    pruner.start()
    try:
        while not enough.is_set():
            meanwhile = _accepted(site)
            console.print(
                f"while it is pruned:{meanwhile.rate:8,.0f}/s  p50 {meanwhile.p50:6.1f} ms  p99 {meanwhile.p99:6.1f} ms"
            )
    finally:
        enough.set()
        pruner.join()


def _print_batches(console: Console, table: str, seconds: list[float]) -> None:
    usual, longest = median(seconds) * 1000, max(seconds) * 1000
    over = sum(each > _LONGEST_SECONDS for each in seconds)
    said = f"{len(seconds):6,} batches, {usual:6.1f} ms, {longest:6.1f} ms at most, {over} above 50 ms"
    console.print(f"{table:24} {said}", soft_wrap=True)


def main() -> None:
    """Seed once and prune once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each kind that are over")
    parser.add_argument("--at-once", type=int, default=pruning.AT_ONCE, help="rows in a batch, at most")
    arguments, console = parser.parse_args(), Console(highlight=False)
    load.check_installed()
    with (
        tempfile.TemporaryDirectory(prefix="payproc-bench-") as directory,
        prepared(Path(directory), Ports.free(), overrides={}, tell=lambda _: None) as (site, children),
    ):
        _seed(site, arguments.rows, console)
        # Only the front: nobody does what is accepted.
        children.start([each for each in processes(site) if each.name == "web"], tell=lambda _: None)
        try:
            measure(site, console, at_once=arguments.at_once)
        finally:
            children.stop(["web"])


if __name__ == "__main__":
    main()
