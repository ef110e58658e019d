"""The relay, when its commit goes unheard or its broker fails under its hands."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from kombu.exceptions import OperationalError as BrokerDown
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.engine import Database
from tasks import runner
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.waiting import wait_until
from tests.support.world import World

Relaying = Callable[[Application, Callable[..., None]], None]


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

    def begin(app: Application, send: Callable[..., None]) -> None:
        monkeypatch.setattr("tasks.relay.celery.send_task", send)
        monkeypatch.setattr("tasks.relay.backlog.lengths", dict)
        thread = threading.Thread(target=relay.run, args=(app, stop))
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

    @contextlib.contextmanager
    def autocommit(self) -> Iterator[Session]:
        with super().autocommit() as session:
            yield session
        if not self._heard:
            self._heard = True
            raise OperationalError("COMMIT", {}, ConnectionResetError())


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
