"""Everything that a shop is told reaches it, whatever dies on the way: in its place, with its change, under one id."""

import json
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from redis import Redis
from sqlalchemy import text

from sandbox.stack.running import Stack
from tests.faults.shop import Shop
from tests.support.shops.webhooks import Receiver
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

_PAYMENTS, _AT_ONCE = 200, 8
_WAITING = "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'"
# What was refused while the receiver was away waits for minutes: nobody does in a test.
_NOW = "UPDATE jobs SET due_at = now() WHERE kind = 'webhook.deliver' AND state = 'ready' AND due_at > now()"


class Away:
    """A receiver that can be killed, and comes back at the same address with what it knows."""

    def __init__(self) -> None:
        self._lives = [Receiver()]
        self.url = self._lives[0].url
        self._lives[0].start()

    def dies(self) -> None:
        self._lives[-1].stop()

    def comes_back(self) -> None:
        self._lives.append(Receiver(port=self._lives[0].port))
        self._lives[-1].start()

    @property
    def received(self) -> list[tuple[str, bytes]]:
        """The id and the body of each request that came, in whichever life."""
        return [(each.headers["webhook-id"], each.body) for life in self._lives for each in life.received]


@pytest.fixture
def receiver() -> Iterator[Away]:
    away = Away()
    yield away
    away.dies()


def endpoint_for(stack: Stack, url: str) -> str:
    answer = requests.post(
        f"{stack.web_url}/api/v1/webhook-endpoints",
        json={"url": url, "event_types": ["payment.*"]},
        headers={"Authorization": f"Bearer {stack.keys['admin']}"},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def killed(shop: Shop, name: str) -> None:
    shop.stack.kill(name, signal.SIGKILL)
    shop.stack.restart(name)


def wiped(shop: Shop) -> None:
    with Redis.from_url(shop.stack.broker_url) as broker:
        broker.flushall()
    killed(shop, "redis")


def away(shop: Shop, receiver: Away) -> None:
    receiver.dies()
    wait_until(lambda: shop.count(_WAITING) > 0, what="an event that nobody takes")
    receiver.comes_back()


def paid(shop: Shop) -> str:
    payment_id = shop.checkout_despite_trouble()
    shop.pay(shop.session_of(payment_id))
    return payment_id


def test_every_event_arrives_whatever_is_killed_under_two_hundred_payments(shop: Shop, receiver: Away) -> None:
    endpoint_for(shop.stack, receiver.url)
    deaths: list[Callable[[], None]] = [
        lambda: killed(shop, "worker-webhooks"),
        lambda: killed(shop, "worker-notices"),
        lambda: killed(shop, "relay"),
        lambda: wiped(shop),
        shop.restart_postgres,
        lambda: away(shop, receiver),
    ]
    with ThreadPoolExecutor(_AT_ONCE) as buyers:
        paying = [buyers.submit(paid, shop) for _ in range(_PAYMENTS)]
        for number, death in enumerate(deaths, start=1):
            share = number * _PAYMENTS // (len(deaths) + 1)
            wait_until(lambda: sum(each.done() for each in paying) >= share, seconds=120, what="a share of them paid")  # noqa: B023 (asked now, not later)
            death()
        ids = [each.result(timeout=120) for each in paying]
    shop.stack.recover()
    for payment_id in ids:
        shop.becomes(payment_id, "completed", seconds=90)

    wait_until(lambda: _all_are_delivered(shop), seconds=90, what="every event delivered")
    _judge(shop, receiver, ids)


def _all_are_delivered(shop: Shop) -> bool:
    with shop.database.transaction() as session:
        session.execute(text(_NOW))
    return shop.count(_WAITING) == 0


def _judge(shop: Shop, receiver: Away, ids: list[str]) -> None:
    told: dict[str, dict[int, set[tuple[str, str]]]] = defaultdict(lambda: defaultdict(set))
    for event_id, body in receiver.received:
        event = json.loads(body)
        if event["data"]["id"] in ids:
            told[event["data"]["id"]][event["data"]["sequence"]].add((event_id, event["type"]))
    # One id for each change however often it came, none without its change, and no hole between them.
    wanted = {1: "payment.created", 2: "payment.completed"}
    for payment_id in ids:
        assert {place: {type_ for _, type_ in sent} for place, sent in told[payment_id].items()} == {
            place: {type_} for place, type_ in wanted.items()
        }
        assert [len(sent) for sent in told[payment_id].values()] == [1, 1]
    moved = "SELECT count(*) FROM payment_events WHERE effect = 'moved' AND payment_id = ANY (:ids)"
    assert shop.count(moved, ids=ids) == sum(len(places) for places in told.values())
