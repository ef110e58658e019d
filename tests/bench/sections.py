"""The parts of the benchmark: what each sends, and which rows of the table it fills."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.client import load, wire, work
from tests.bench.client.load import CannotRun, Load
from tests.bench.client.work import Crossing
from tests.bench.contenders import Contender, seed_history
from tests.bench.results import Aim, Results, Row

SECONDS = 4
# More than anybody accepts in that time: none is sent twice.
_EVENTS = 30_000
_LATENCIES = 160
HISTORY = range(1000)

ACCEPT = {
    connections: Row(
        title=f"accept a Stripe webhook, {connections} connections",
        unit="/s",
        at_least=Aim(0.6, "limit"),
        to_reach=Aim(0.75, "limit"),
    )
    for connections in (8, 64)
}
END_TO_END = Row(
    title="webhooks sent → payments completed, receipts sent",
    unit="/s",
    at_least=Aim(2, "plain"),
    to_reach=Aim(4, "plain"),
)
IDLE_P50 = Row(
    title="idle: webhook accepted → payment completed, p50",
    unit=" ms",
    at_least=Aim(30),
    to_reach=Aim(20),
    less_is_better=True,
)
IDLE_P99 = Row(title="the same, p99", unit=" ms", at_least=Aim(100), to_reach=Aim(60), less_is_better=True)
INITIATE = Row(
    title="`POST /jazz-cash/initiate`, hosted, 8 connections",
    unit="/s",
    at_least=Aim(1, "plain"),
    to_reach=Aim(0.5, "limit"),
)
INITIATE_P99 = Row(title="the same, p99", unit=" ms ", less_is_better=True)
GET = Row(
    title="`GET /{payment}` with an API key, 8 connections",
    unit="/s",
    at_least=Aim(1.2, "plain"),
    to_reach=Aim(0.5, "limit"),
)
MEMORY = Row(
    title="memory of the whole service", unit=" MiB", at_least=Aim(550), to_reach=Aim(450), less_is_better=True
)
GROWTH = Row(
    title="how many times slower with the most payments",
    unit="",
    at_least=Aim(1.3),
    to_reach=Aim(1.15),
    less_is_better=True,
)


@dataclass(frozen=True, kw_only=True)
class Services:
    """Whoever is measured, up and running."""

    every: Sequence[Contender]
    crossing: Crossing
    key: str  # the customer's, who has all payments

    @property
    def working(self) -> Sequence[Contender]:
        """Those that do something with a webhook."""
        return [each for each in self.every if each.workers]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """All that a section works with."""

    services: Services
    directory: Path
    rounds: int
    webhooks: int  # that become receipts in each round
    growth: Sequence[int]
    results: Results
    tell: Callable[[str], None]  # hears of each measurement before it begins
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(10**9, 10**6))

    def rated(self, row: Row, contender: Contender, requests: Path, *, connections: int) -> Load:
        """Measure and note how many requests a second a contender answers."""
        self.tell(f"{row.title}: {contender.name}")
        found = load.run(contender.url, requests, connections=connections, seconds=SECONDS)
        if found.errors:
            raise CannotRun(f"{contender.name}: {found.errors} requests failed ({row.title})")
        self.results.add(row, contender.name, found.rate)
        return found

    def crossed(self, row: Row, contender: Contender) -> None:
        """Measure and note how many webhooks a second become receipts."""
        self.tell(f"{row.title}: {contender.name}")
        first = next(self.numbers)
        rate = self.services.crossing.rate(contender, range(first, first + self.webhooks))
        self.results.add(row, contender.name, rate)

    def waited(self, p50: Row, p99: Row, contender: Contender) -> None:
        """Measure and note how long a webhook takes when there is nothing else to do."""
        self.tell(f"{p50.title}: {contender.name}")
        first = next(self.numbers)
        found = self.services.crossing.latencies(contender, range(first, first + _LATENCIES))
        self.results.add(p50, contender.name, work.quantile(found, 0.5))
        self.results.add(p99, contender.name, work.quantile(found, 0.99))


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part that can be had alone; `measurements` of it are made in each round, or once."""

    name: str
    run: Callable[[Bench], None]
    measurements: Callable[[Bench], int]


def _accept(bench: Bench) -> None:
    events = bench.directory / "events"
    for _, (connections, row) in itertools.product(range(bench.rounds), ACCEPT.items()):
        wire.write_events(
            events, (wire.strangers_event() for _ in range(_EVENTS)), secret=bench.services.crossing.secret
        )
        for contender in bench.services.every:
            bench.rated(row, contender, events, connections=connections)


def _get(bench: Bench) -> None:
    gets = bench.directory / "gets"
    wire.write_gets(gets, HISTORY, key=bench.services.key)
    for _, contender in itertools.product(range(bench.rounds), bench.services.every):
        bench.rated(GET, contender, gets, connections=8)


def _initiate(bench: Bench) -> None:
    initiates = bench.directory / "initiates"
    wire.write_initiates(initiates, key=bench.services.key)
    for _, contender in itertools.product(range(bench.rounds), bench.services.every):
        found = bench.rated(INITIATE, contender, initiates, connections=8)
        bench.results.add(INITIATE_P99, contender.name, found.p99)


def _end_to_end(bench: Bench) -> None:
    for _, contender in itertools.product(range(bench.rounds), bench.services.working):
        bench.crossed(END_TO_END, contender)


def _idle(bench: Bench) -> None:
    for _, contender in itertools.product(range(bench.rounds), bench.services.working):
        bench.waited(IDLE_P50, IDLE_P99, contender)


def _memory(bench: Bench) -> None:
    for contender in bench.services.working:
        bench.tell(f"{MEMORY.title}: {contender.name}")
        first = next(bench.numbers)
        held = bench.services.crossing.memory(contender, range(first, first + 200))
        bench.results.add(MEMORY, contender.name, held / 2**20)


def growth_rows(sizes: Sequence[int]) -> Sequence[Row]:
    """Return the rows that growing fills: the rates and latencies at each size, and how they compare."""
    at = [_rows_at(size) for size in sizes]
    return [*itertools.chain.from_iterable(at), *([GROWTH] if len(sizes) > 1 else [])]


def _rows_at(size: int) -> tuple[Row, Row, Row]:
    with_ = f"with {size:,} payments"
    return (
        Row(title=f"webhooks → receipts {with_}", unit="/s"),
        Row(title=f"idle latency {with_}, p50", unit=" ms", less_is_better=True),
        Row(title=f"idle latency {with_}, p99", unit=" ms", less_is_better=True),
    )


def _growth(bench: Bench) -> None:
    have = HISTORY.stop
    for size in bench.growth:
        rate, p50, p99 = _rows_at(size)
        for contender in bench.services.working:
            bench.tell(f"{contender.name}: seeding {max(size - have, 0):,} payments")
            seed_history(contender, range(have, size))
        have = max(have, size)
        for _, contender in itertools.product(range(bench.rounds), bench.services.working):
            bench.crossed(rate, contender)
        for contender in bench.services.working:
            bench.waited(p50, p99, contender)
    if len(bench.growth) > 1:
        for contender in bench.services.working:
            first, last = (bench.results.median(_rows_at(bench.growth[end])[0], contender.name) for end in (0, -1))
            assert first is not None
            assert last is not None
            bench.results.add(GROWTH, contender.name, first / last)


ROWS: Sequence[Row] = (
    *ACCEPT.values(), END_TO_END, IDLE_P50, IDLE_P99, INITIATE, INITIATE_P99, GET, MEMORY
)  # fmt: skip
# In this order: accepting leaves work behind that nobody does, and growing has services of its own.
SECTIONS: Sequence[Section] = (
    Section(name="e2e", run=_end_to_end, measurements=lambda bench: 2 * bench.rounds),
    Section(name="idle", run=_idle, measurements=lambda bench: 2 * bench.rounds),
    Section(name="memory", run=_memory, measurements=lambda _: 2),
    Section(name="get", run=_get, measurements=lambda bench: 3 * bench.rounds),
    Section(name="initiate", run=_initiate, measurements=lambda bench: 3 * bench.rounds),
    Section(name="accept", run=_accept, measurements=lambda bench: 6 * bench.rounds),
)
GROWING = Section(name="growth", run=_growth, measurements=lambda bench: len(bench.growth) * (4 + 2 * bench.rounds))
