"""The relay: when its commit goes unheard or its broker fails under its hands, and how it looks for work."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy.exc import OperationalError

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import Database, Parameters
from payproc.jobs import Kind
from payproc.providers.jazz_cash import JAZZ_CASH
from tasks import runner
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.waiting import wait_until
from tests.support.world import World

Relaying = Callable[..., None]


@pytest.fixture
def relaying(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relaying]:
    for name, value in {
        "DATABASE_URL": world.app.settings.database_url,
        "SECRET_KEY": world.app.settings.secret_key.get_secret_value(),
        "STRIPE_SECRET_KEY": "sk_test_payproc",
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    from tasks import relay  # noqa: PLC0415 (reads the environment as it is imported)

    stop, running = threading.Event(), contextlib.ExitStack()

    def begin(
        app: Application, send: Callable[..., None], *, lengths: Callable[[], dict[str, int]] = dict, **more: float
    ) -> None:
        monkeypatch.setattr("tasks.relay.celery.send_task", send)
        monkeypatch.setattr("tasks.relay.backlog.lengths", lengths)
        thread = threading.Thread(target=relay.run, args=(app, stop), kwargs=more)
        running.callback(app.database.dispose)
        running.callback(thread.join)
        thread.start()

    with running:
        yield begin
        stop.set()


class UnheardOnce(Database):
    """A server that commits the first dispatch and dies before it says so."""

    def __init__(self, url: str) -> None:
        super().__init__(url, pool_size=1)
        self._heard = False

    def rows_once(self, statement: str, parameters: Parameters, *, after: str | None = None) -> list[tuple[Any, ...]]:
        found = super().rows_once(statement, parameters, after=after)
        if not self._heard:
            self._heard = True
            raise OperationalError("COMMIT", {}, ConnectionResetError())
        return found


def working(world: World, ran: list[int]) -> Callable[..., None]:
    def send(_kind: str, *, args: list[list[dict[str, Any]]], **_: Any) -> None:
        ran.append(runner.run(world.app, [(job["job"], UUID(job["ring"])) for job in args[0]]))

    return send


def test_a_dispatch_whose_commit_goes_unheard_is_sent_before_its_lease_is_over(
    world: World, relaying: Relaying
) -> None:
    world.checkout()
    ran: list[int] = []
    relaying(replace(world.app, database=UnheardOnce(world.app.settings.database_url)), working(world, ran))
    wait_until(lambda: sum(ran) == 1, seconds=9, what="the start of what was leased")


def test_a_message_that_a_broker_dropped_is_sent_before_its_lease_is_over(world: World, relaying: Relaying) -> None:
    world.checkout()
    ran: list[int] = []
    work, tried = working(world, ran), list[str]()

    def send(*args: Any, **more: Any) -> None:
        tried.append("sent")
        if len(tried) == 1:
            raise BrokerDown
        work(*args, **more)

    relaying(world.app, send)
    wait_until(lambda: sum(ran) == 1, seconds=9, what="the start of what was leased")
    assert len(world.sessions_at_stripe()) == 1


def test_what_the_brokers_library_raises_besides_does_not_end_the_relay(world: World, relaying: Relaying) -> None:
    world.checkout()
    ran: list[int] = []
    work, used = working(world, ran), list[object]()

    def send(*args: Any, connection: object, **more: Any) -> None:
        used.append(connection)
        if len(used) == 1:
            # As kombu does on a channel that it has closed.
            raise AttributeError("'NoneType' object has no attribute 'client'")
        work(*args, **more)

    relaying(world.app, send)
    wait_until(lambda: sum(ran) == 1, seconds=9, what="the start of what was leased")
    assert used[0] is not used[1], "on a connection of its own"


class Passes:
    """How often the relay went through all that may be due; it hears that a list is too long, if one is."""

    def __init__(self, **too_long: int) -> None:
        self.seen = 0
        self._too_long = too_long

    def __call__(self) -> dict[str, int]:
        self.seen += 1
        return self._too_long


def test_what_is_staged_while_the_relay_idles_waits_for_no_pass(world: World, relaying: Relaying) -> None:
    ran, passes = list[int](), Passes()
    relaying(world.app, working(world, ran), lengths=passes, idle_seconds=60)
    wait_until(lambda: passes.seen, what="the pass that finds nothing")
    world.checkout()
    wait_until(lambda: sum(ran) == 1, what="its start")


def test_work_of_a_queue_with_too_long_a_list_does_not_busy_the_relay(world: World, relaying: Relaying) -> None:
    passes = Passes(**{"provider.stripe": 5})
    relaying(world.app, lambda *_, **__: None, lengths=passes)
    world.checkout()
    wait_until(lambda: passes.seen, what="the relay")
    first, begun = passes.seen, time.monotonic()
    wait_until(lambda: time.monotonic() > begun + 1, what="a second")
    # Four that come anyway, and each time one to find that nothing goes there; it looks a hundred times.
    assert passes.seen - first <= 12


def test_work_of_another_queue_is_looked_for_meanwhile(world: World, relaying: Relaying) -> None:
    sent, passes = list[str](), Passes(**{"provider.stripe": 5})
    relaying(world.app, lambda kind, **_: sent.append(kind), lengths=passes, idle_seconds=60)
    wait_until(lambda: passes.seen, what="the pass that finds nothing")
    world.checkout()
    wait_until(lambda: passes.seen == 2, what="the pass that a look asked for")
    with world.app.database.transaction() as session:
        jobs.stage(session, Kind.CANCEL_PAYMENT, "pay_1", method=JAZZ_CASH)
    wait_until(lambda: sent == [Kind.CANCEL_PAYMENT], what="the work of another queue")


def test_what_was_kept_back_for_a_fuller_message_goes_once_its_worker_begins(world: World, relaying: Relaying) -> None:
    sent: list[list[dict[str, Any]]] = []

    def stage(subject: str) -> None:
        with world.app.database.transaction() as session:
            jobs.stage(session, Kind.APPLY_NOTICE, subject)

    def begin() -> None:
        tokens = [(job["job"], UUID(job["ring"])) for job in sent[0]]
        jobs.claim(world.app.database, tokens, token=uuid4(), lease=world.app.settings.work_lease)

    busy = threading.Timer(0.1, begin)

    def send(_kind: str, *, args: list[list[dict[str, Any]]], **_: Any) -> None:
        sent.append(args[0])
        if len(sent) == 1:
            stage("ntc_2")
            busy.start()

    relaying(world.app, send, idle_seconds=60)
    stage("ntc_1")
    wait_until(lambda: len(sent) == 2, what="the second message")
    busy.join()
