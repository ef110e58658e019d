"""The same stack on RabbitMQ: what is paid is paid, whatever becomes of the broker meanwhile."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest
import requests

from payproc.settings import Broker
from sandbox.stack.running import Stack, running_stack
from sandbox.stack.servers.rabbitmq import Node, running_node
from tasks import brokers
from tasks.app import app
from tests.faults.shop import PREFIX, Shop
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def broker(place: Path) -> Iterator[Node]:
    with running_node(place / "rabbitmq") as node:
        yield node


@pytest.fixture(scope="module")
def stack(place: Path, broker: Node) -> Iterator[Stack]:
    told = {
        "BROKER_URL": broker.url,
        # Seconds where production has minutes, so that what waits is seen to end.
        "RING_LEASE": "2s",
        "WORK_LEASE": "4s",
        "RETRY_BASE": "200ms",
        "POLL_SCHEDULE_STRIPE": "3s",
        "POLL_SCHEDULE_JAZZ_CASH": "1s",
        "POLL_SCHEDULE_EASY_PAISA": "1s",
    }
    with running_stack(place / "on-rabbitmq", overrides=told, without={"worker-reconcile"}) as running:
        yield running


def test_a_payment_is_paid_through_quorum_queues(shop: Shop) -> None:
    started = shop.checkout()
    shop.pay(started["session_id"])
    shop.becomes(started["payment_id"], "completed")
    assert shop.has_its_one_receipt(started["payment_id"])


@pytest.mark.parametrize("wallet", ["easy-paisa", "jazz-cash"])
def test_a_wallet_charge_is_paid_through_quorum_queues(shop: Shop, wallet: str) -> None:
    answer = requests.post(
        f"{shop.stack.web_url}{PREFIX}/{wallet}/initiate",
        json={"amount": "1250.50", "phone": "03001234567", "cnic": "345678"},
        headers={"Authorization": f"Bearer {shop.stack.keys['customer']}"},
        timeout=10,
    )
    assert answer.status_code == 202, answer.text
    payment_id = answer.json()["payment_id"]
    shop.becomes(payment_id, "completed")
    reference = shop.payment(payment_id)["reference"]
    kept = requests.get(f"{shop.stack.gateway_url}/_sandbox/wallets/transactions/{reference}", timeout=10).json()
    assert (kept["debits"], kept["charge_calls"]) == (1, 1)
    assert shop.has_its_one_receipt(payment_id)


def on_their_way(shop: Shop, count: int) -> list[str]:
    """Start payments whose messages wait at the broker: the worker that they are for stands still."""
    shop.stack.kill("worker-stripe", signal.SIGSTOP)
    ids = [shop.checkout(wait=0)["payment_id"] for _ in range(count)]
    sent = "SELECT count(*) FROM jobs WHERE kind = 'payment.start' AND subject = ANY (:ids) AND lease_token IS NOT NULL"
    wait_until(lambda: shop.count(sent, ids=ids) == count, what="all messages on their way")
    return ids


def each_has_one_session(shop: Shop, ids: list[str]) -> bool:
    started = [(payment_id, shop.session_of(payment_id)) for payment_id in ids]
    return all(shop.sessions_at_stripe(payment_id) == [session_id] for payment_id, session_id in started)


@pytest.mark.parametrize(("leave", "come_back"), [(Node.kill, Node.start), (Node.freeze, Node.thaw)])
def test_with_rabbitmq_away_payments_and_webhooks_are_accepted_and_done_later(
    shop: Shop, broker: Node, leave: Callable[[Node], None], come_back: Callable[[Node], None]
) -> None:
    paid = shop.checkout()
    leave(broker)
    waiting = shop.checkout(wait=0)["payment_id"]
    shop.pay(paid["session_id"])
    arrived = "SELECT count(*) FROM notices WHERE kind = 'checkout.session.completed' AND state = 'new'"
    wait_until(lambda: shop.count(arrived), what="the notice in its inbox")
    assert shop.payment(paid["payment_id"])["status"] == "pending"

    come_back(broker)
    shop.becomes(paid["payment_id"], "completed", seconds=90)
    assert each_has_one_session(shop, [waiting])


# After those that kill: a queue made within three seconds of that may stay down (tests/faults/table/kinds/rabbitmq.py).
def loses_its_files(broker: Node) -> None:
    broker.empty()


def loses_a_queue(broker: Node) -> None:
    with amqp.Connection(f"127.0.0.1:{broker.port}") as connection:
        connection.channel().queue_delete("provider.stripe")


@pytest.mark.parametrize("forget", [loses_its_files, loses_a_queue])
def test_a_rabbitmq_that_forgets_delays_and_loses_nothing(
    shop: Shop, broker: Node, forget: Callable[[Node], None]
) -> None:
    ids = on_their_way(shop, 5)
    forget(broker)
    shop.stack.kill("worker-stripe", signal.SIGCONT)
    assert each_has_one_session(shop, ids)


def test_a_rabbitmq_that_answers_nobody_is_let_go_of_at_once(broker: Node) -> None:
    told = brokers.transport_options(Broker(broker_url=broker.url))
    connection = app.amqp.Connection(broker.url, transport_options=told)
    assert connection.default_channel.is_open
    broker.freeze()
    try:
        began = time.monotonic()
        connection.close()
        assert time.monotonic() - began < brokers.SILENCE_SECONDS
    finally:
        broker.thaw()


def test_a_message_that_is_always_given_back_ends_among_the_dead_letters(broker: Node) -> None:
    arguments = brokers.queue_arguments(Broker(broker_url=broker.url))
    assert arguments is not None
    with amqp.Connection(f"127.0.0.1:{broker.port}") as connection:
        channel = connection.channel()
        dead_letters: Any = brokers.DEAD_LETTERS
        channel.queue_declare("dead", durable=True, auto_delete=False, arguments=dead_letters.queue_arguments)
        channel.queue_declare("poisoned", durable=True, auto_delete=False, arguments=arguments)
        channel.basic_publish(amqp.Message("the id of a row"), routing_key="poisoned")
        taken = 0
        while message := _next(channel, "poisoned"):
            taken += 1
            channel.basic_reject(message.delivery_tag, requeue=True)
        assert taken == arguments["x-delivery-limit"] + 1
        dead = wait_until(lambda: channel.basic_get("dead", no_ack=True), what="a dead letter")
        assert dead.body == "the id of a row"


def _next(channel: Any, queue: str) -> Any:
    """Return the next message, or None where the one that there was is a dead letter by now."""

    def look() -> Any:
        found = channel.basic_get(queue)
        return found or (channel.queue_declare("dead", passive=True).message_count and "dead")

    message = wait_until(look, what="the message, here or among the dead")
    return None if message == "dead" else message
