"""Who asks too often is told so, and when to come back; what must not be lost is not counted."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
import redis
from flask import Flask
from pydantic import SecretStr

from payproc.application import Application
from payproc.database.models import User
from payproc.settings import Settings
from sandbox.stack.ports import free
from sandbox.stack.servers import redis_command
from tests.support.configuration import settings_of_a_test
from tests.support.waiting import wait_until
from tests.web.client import PREFIX, Client, is_problem, key_of
from web.app import create_app

USERS, ADDRESSES = 60, 90
# In the middle of a minute: no count begins anew while a test runs.
NOON = 1_800_000_030.0


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(database_url, requests_per_user=USERS, requests_per_address=ADDRESSES)


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    (port,) = free(1)
    url = f"redis://127.0.0.1:{port}/1"
    with subprocess.Popen(redis_command(tmp_path, port=port), stdout=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: answers(url), what="a Redis that answers")
            yield url
        finally:
            server.terminate()


def answers(url: str) -> bool:
    with suppress(redis.ConnectionError), redis.Redis.from_url(url) as client:
        return bool(client.ping())
    return False


class Clock:
    """The time by which requests are counted."""

    now = NOON

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with patch.object(time, "time", clock.time):
        yield clock


def statuses(client: Client, times: int) -> Counter[int]:
    return Counter(client.get("/").status_code for _ in range(times))


def test_fifty_over_the_limit_are_exactly_those_that_are_refused(
    clock: Clock, app: Application, customer: User
) -> None:
    by_user = app.settings.model_copy(update={"requests_per_address": 0})
    amina = Client(create_app(Application(**(vars(app) | {"settings": by_user}))), key_of(app, customer))
    assert clock.now == NOON
    answers = [amina.get("/") for _ in range(USERS + 50)]
    assert [answer.status_code for answer in answers] == [200] * USERS + [429] * 50
    assert [answer.headers["RateLimit"] for answer in answers] == [
        f'"user";r={max(USERS - 1 - number, 0)};t=30' for number in range(USERS + 50)
    ]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {f'"user";q={USERS};w=60'}
    assert is_problem(answers[-1], 429, "too_many_requests")
    assert {answer.headers.get("Retry-After") for answer in answers[USERS:]} == {"31"}
    assert "Retry-After" not in answers[0].headers


def test_whoever_waits_as_told_is_let_in_again(clock: Clock, amina: Client) -> None:
    assert statuses(amina, USERS + 1) == {200: USERS, 429: 1}
    clock.now += int(amina.get("/").headers["Retry-After"])
    assert amina.get("/").status_code == 200


def test_another_key_of_the_same_user_is_no_second_quota(
    clock: Clock, app: Application, flask_app: Flask, customer: User, omar: Client
) -> None:
    assert clock.now == NOON
    first, second = (Client(flask_app, key_of(app, customer)) for _ in range(2))
    assert statuses(first, USERS) == {200: USERS}
    assert second.get("/").status_code == 429
    assert omar.get("/").status_code == 200


def test_guessing_keys_counts_before_anybody_looks_one_up(clock: Clock, flask_app: Flask) -> None:
    assert clock.now == NOON
    guesser = Client(flask_app, "pp_guessed")
    assert statuses(guesser, ADDRESSES + 5) == {401: ADDRESSES, 429: 5}
    assert guesser.get("/").headers["RateLimit"] == '"address";r=0;t=30'


@pytest.mark.parametrize("path", ["/healthz", "/readyz", f"{PREFIX}/webhook/stripe", f"{PREFIX}/jazz-cash/notify"])
def test_probes_and_what_providers_tell_are_never_refused(clock: Clock, flask_app: Flask, path: str) -> None:
    assert clock.now == NOON
    client = flask_app.test_client()
    guesser = Client(flask_app, "pp_guessed")
    assert statuses(guesser, ADDRESSES + 1)[429] == 1
    answer = client.get(path) if path.endswith("z") else client.post(path, data="{}")
    assert answer.status_code != 429
    assert "RateLimit" not in answer.headers


def test_a_pay_page_counts_by_its_address(clock: Clock, flask_app: Flask) -> None:
    assert clock.now == NOON
    client = flask_app.test_client()
    seen = Counter(client.get("/pay/nothing").status_code for _ in range(ADDRESSES + 1))
    assert seen == {404: ADDRESSES, 429: 1}


def test_nothing_is_counted_where_the_limits_are_off(app: Application, customer: User) -> None:
    free = app.settings.model_copy(update={"requests_per_user": 0, "requests_per_address": 0})
    amina = Client(create_app(Application(**(vars(app) | {"settings": free}))), key_of(app, customer))
    answers = [amina.get("/") for _ in range(USERS + 50)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[-1].headers


def test_processes_that_share_a_redis_count_together_and_alone_while_it_is_away(
    clock: Clock, app: Application, customer: User, redis_url: str
) -> None:
    assert clock.now == NOON
    shared = app.settings.model_copy(update={"request_limits_url": SecretStr(redis_url)})
    core = Application(**(vars(app) | {"settings": shared}))
    key = key_of(app, customer)
    first, second = (Client(create_app(core), key) for _ in range(2))
    assert statuses(first, USERS - 1) == {200: USERS - 1}
    assert statuses(second, 2) == {200: 1, 429: 1}
    away = app.settings.model_copy(update={"request_limits_url": SecretStr("redis://127.0.0.1:9/0")})
    alone = Client(create_app(Application(**(vars(app) | {"settings": away}))), key)
    assert statuses(alone, USERS + 1) == {200: USERS, 429: 1}
