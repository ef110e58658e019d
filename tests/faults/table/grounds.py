"""Where the faults of the table happen: a stack with a load on it, its lines, and what left the building."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests
from sqlalchemy import make_url

from payproc.settings import Settings
from sandbox.stack.ports import Ports
from sandbox.stack.running import Stack, running_stack
from sandbox.stack.servers.rabbitmq import Node
from sandbox.stack.site import Site
from tests.faults.table.wires import Wire, Wires, laid

WORKERS = ("worker-notices", "worker-stripe", "worker-mail")
# Everything of ours that a payment by card passes, and the clock.
OURS = ("web", "relay", *WORKERS, "beat")
_NOT_NEEDED = ("flower", "worker-jazz-cash", "worker-easy-paisa", "worker-pushes")
BROKER, DATABASE, STRIPE = "broker", "database", "stripe"


class CannotBeHad(Exception):
    """A fault cannot be had on this machine; the message is one line that says why."""


@dataclass(kw_only=True)
class Grounds:
    """A running stack, and a hand on all that can break in it. `scale` makes faults shorter, for short runs."""

    stack: Stack
    wires: Wires | None = None
    node: Node | None = None
    scale: float = 1.0

    def hold(self, seconds: float) -> None:
        """Let so many seconds go by, under load."""
        threading.Event().wait(seconds * self.scale)

    def times(self, count: int) -> range:
        """Say how often something is done that is done `count` times in full."""
        return range(max(1, round(count * self.scale)))

    @property
    def lines(self) -> Wires:
        """The lines, where there are any."""
        assert self.wires is not None, "this fault needs lines"
        return self.wires

    @property
    def rabbitmq(self) -> Node:
        """The broker, where it is RabbitMQ."""
        assert self.node is not None, "this fault needs RabbitMQ"
        return self.node

    @property
    def postgres(self) -> Path:
        """The files of the database."""
        return self.stack.site.directory / "postgres"

    def reconfigure(self, overrides: Mapping[str, str], *, only: tuple[str, ...]) -> None:
        """Start processes again under other settings."""
        self.stack = self.stack.reconfigured(overrides, only=only)

    @property
    def own_url(self) -> str:
        """The address of the database, past the lines, as psycopg wants it."""
        return self.stack.database_url.replace("+psycopg", "")

    def count(self, query: str, *values: object) -> int:
        """Return the number that the database gives."""
        with psycopg.connect(self.own_url) as connection:
            row = connection.execute(query.encode(), values).fetchone()
        return int(row[0]) if row else 0

    def fault(self, operation: str, fault: str, **more: object) -> None:
        """Order something at the gateway."""
        body = {"operation": operation, "fault": fault, "times": None, **more}
        answer = requests.post(f"{self.stack.gateway_url}/_sandbox/faults", json=body, timeout=30)
        assert answer.ok, answer.text

    def no_faults(self) -> None:
        """Have the gateway well again."""
        requests.delete(f"{self.stack.gateway_url}/_sandbox/faults", timeout=30)

    def at_gateway(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Read what the gateway and the mail server have written down, without asking them."""
        file = f"file:{self.stack.site.directory / 'gateway.sqlite'}?mode=ro"
        with closing(sqlite3.connect(file, uri=True, timeout=30)) as store:
            return store.execute(query, values).fetchall()


@contextmanager
def grounds(directory: Path, *, node: Node | None = None) -> Iterator[Grounds]:
    """Run a stack with the leases of production, its servers behind lines; its broker is `node`, if there is one."""
    with ExitStack() as after:
        found: list[Wires] = []

        def lay(site: Site) -> Mapping[str, str]:
            lines, told = _lines(site, node)
            found.append(after.enter_context(laid(lines)))
            return told

        with running_stack(directory, overrides=_patience(), without=_NOT_NEEDED, beside=lay) as stack:
            yield Grounds(stack=stack, wires=found[0], node=node)


def _lines(site: Site, node: Node | None) -> tuple[Mapping[str, Wire], Mapping[str, str]]:
    spare, address = Ports.free(), make_url(site.database_url)
    lines = {
        BROKER: Wire(spare.redis, node.port if node else site.ports.redis),
        DATABASE: Wire(spare.web, f"{address.query['host']}/.s.PGSQL.5432"),
        STRIPE: Wire(spare.gateway, site.ports.gateway),
    }
    return lines, {
        "BROKER_URL": node.url_at(spare.redis) if node else f"redis://127.0.0.1:{spare.redis}/0",
        "DATABASE_URL": f"postgresql://{address.username}@127.0.0.1:{spare.web}/{address.database}",
        "STRIPE_API_BASE": f"http://127.0.0.1:{spare.gateway}",
    }


def _patience() -> dict[str, str]:
    fields = Settings.model_fields
    production = ("ring_lease", "work_lease", "retry_base", "circuit_rest")
    told = {name.upper(): f"{fields[name].default.total_seconds():.0f}s" for name in production}
    # What no webhook told is found out by asking: after a minute in production, which a row here has no time for.
    return told | {"POLL_SCHEDULE_STRIPE": "15s"}
