"""Workers are away for many leases: lists do not grow, and what is stale costs nothing when they are back."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from celery import Celery
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Job
from sandbox.stack.ports import Ports
from sandbox.stack.servers import redis_command
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.waiting import wait_until
from tests.support.world import World

STARTS = 25
LIST = "payproc:provider.stripe"
LEASE = timedelta(seconds=0.4)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    port = Ports.free().redis
    server = subprocess.Popen(
        redis_command(tmp_path / "redis", port=port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with Redis(port=port) as client:
        wait_until(lambda: _answers(client), what="Redis")
        yield client
    server.terminate()
    server.wait(10)


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@pytest.fixture
def relay(world: World, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for name, value in {
        "DATABASE_URL": world.app.settings.database_url,
        "SECRET_KEY": world.app.settings.secret_key.get_secret_value(),
        "STRIPE_SECRET_KEY": "sk_test_payproc",
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    from tasks import relay  # noqa: PLC0415 (reads the environment as it is imported)
    from tasks.backlog import Backlog  # noqa: PLC0415 (as above)

    port = redis.connection_pool.connection_kwargs["port"]
    with Celery(broker=f"redis://127.0.0.1:{port}/0", set_as_current=False) as celery:
        celery.config_from_object("celeryconfig")
        backlog = Backlog(celery)
        monkeypatch.setattr(relay, "celery", celery)
        monkeypatch.setattr(relay, "backlog", backlog)
        yield relay
        backlog.close()


class Counted(Database):
    """A database that counts its transactions."""

    opened = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        self.opened += 1
        with super().transaction() as session:
            yield session


@pytest.fixture
def impatient(world: World) -> Application:
    return world.with_settings(ring_lease=LEASE).app


def taken(redis: Redis) -> list[list[dict[str, str]]]:
    """Take every message out of the list, as workers do, and return what each is about."""
    messages: list[list[dict[str, str]]] = []
    while (packed := redis.rpop(LIST)) is not None:
        assert isinstance(packed, bytes)
        [about], _, _ = _body(json.loads(packed))
        messages.append(about)
    return messages


def _body(message: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(message["body"]))


def all_leases_are_over(world: World) -> bool:
    with world.app.database.transaction() as session:
        return session.scalar(select(func.max(Job.leased_until) < func.now())) is True


def leases_pass(relay: ModuleType, app: Application, database: Database, *, leases: int) -> None:
    """Let the relay look for work until so many leases are over."""

    def now() -> Any:
        with database.transaction() as session:
            return session.scalars(select(func.now())).one()

    end = now() + leases * LEASE

    def over() -> bool:
        relay.dispatch_due(app)
        return bool(now() > end)

    wait_until(over, what="the end of the leases")


def test_an_outage_of_many_leases_leaves_each_row_in_one_message(
    world: World, relay: ModuleType, impatient: Application, redis: Redis
) -> None:
    for _ in range(STARTS):
        world.checkout()
    leases_pass(relay, impatient, world.app.database, leases=5)
    sent = [job["job"] for message in taken(redis) for job in message]
    assert len(sent) == len(set(sent)) == STARTS


def test_what_is_stale_is_dropped_without_a_transaction_and_all_is_sent_for_anew(
    world: World, relay: ModuleType, impatient: Application, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import tasks  # noqa: PLC0415 (reads the environment as it is imported)

    payments = [world.checkout() for _ in range(STARTS)]
    assert relay.dispatch_due(impatient) == STARTS
    wait_until(lambda: all_leases_are_over(world), what="the end of the leases")
    counted = Counted(world.app.settings.database_url, pool_size=1)
    monkeypatch.setattr(tasks, "application", lambda: replace(world.app, database=counted))
    first, *others = taken(redis)
    assert sum(map(len, (first, *others))) == STARTS
    # A worker that has just come back has not heard the database's time, and asks.
    tasks.run(first)
    counted.opened = 0
    assert sum(tasks.run(message) for message in others) == 0
    assert counted.opened == 0

    def started() -> bool:
        relay.dispatch_due(impatient)
        for message in taken(redis):
            tasks.run(message)
        return all(world.payment(payment.id).stripe_session_id for payment in payments)

    wait_until(started, what="the start of all")
    counted.dispose()
    assert len(world.sessions_at_stripe()) == STARTS


def test_whoever_comes_when_all_is_fetched_waits_for_no_measuring_of_lists(
    world: World, relay: ModuleType, redis: Redis
) -> None:
    def times_measured() -> int:
        return int(redis.info("commandstats").get("cmdstat_llen", {}).get("calls", 0))

    world.checkout()
    relay.dispatch_due(world.app)
    assert len(taken(redis)) == 1
    before = times_measured()

    def measured() -> bool:
        relay.backlog.settles()
        return times_measured() > before

    wait_until(measured, what="a look at the lists")
    after = times_measured()
    relay.backlog.settles()
    world.checkout()
    assert relay.dispatch_due(world.app) == 1
    assert times_measured() == after
