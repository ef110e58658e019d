"""The same stack on RabbitMQ: what is paid is paid, whatever becomes of the broker meanwhile."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import amqp
import pytest

from payproc.database.engine import Database
from payproc.operations.doctor import broken_invariants
from payproc.settings import Broker
from sandbox.stack.running import Stack, running_stack
from sandbox.stack.servers.rabbitmq import Node, running_node
from tasks import brokers
from tests.faults.shop import Shop
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
    }
    idle = {"worker-easy-paisa", "worker-jazz-cash", "worker-pushes", "worker-reconcile"}
    with running_stack(place / "on-rabbitmq", overrides=told, without=idle) as running:
        yield running


@pytest.fixture
def shop(stack: Stack) -> Iterator[Shop]:
    database = Database(stack.database_url, pool_size=1)
    with ExitStack() as after:
        after.callback(database.dispose)
        yield Shop(stack=stack, database=database)
        with database.transaction() as session:
            assert broken_invariants(session) == []


def test_a_payment_is_paid_through_quorum_queues(shop: Shop) -> None:
    started = shop.checkout()
    shop.pay(started["session_id"])
    shop.becomes(started["payment_id"], "completed")
    assert shop.has_its_one_receipt(started["payment_id"])


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


def test_a_rabbitmq_that_lost_its_files_delays_and_loses_nothing(shop: Shop, broker: Node) -> None:
    ids = on_their_way(shop, 5)
    broker.empty()
    shop.stack.kill("worker-stripe", signal.SIGCONT)
    assert each_has_one_session(shop, ids)


def test_queues_deleted_under_everybody_are_made_anew(shop: Shop, broker: Node) -> None:
    ids = on_their_way(shop, 3)
    with amqp.Connection(f"127.0.0.1:{broker.port}") as connection:
        connection.channel().queue_delete("provider.stripe")
    shop.stack.kill("worker-stripe", signal.SIGCONT)
    assert each_has_one_session(shop, ids)


def test_with_rabbitmq_down_payments_and_webhooks_are_accepted_and_done_later(shop: Shop, broker: Node) -> None:
    paid = shop.checkout()
    broker.kill()
    waiting = shop.checkout(wait=0)["payment_id"]
    shop.pay(paid["session_id"])
    arrived = "SELECT count(*) FROM notices WHERE kind = 'checkout.session.completed' AND state = 'new'"
    wait_until(lambda: shop.count(arrived), what="the notice in its inbox")
    assert shop.payment(paid["payment_id"])["status"] == "pending"

    broker.start()
    shop.becomes(paid["payment_id"], "completed", seconds=90)
    shop.session_of(waiting)


def test_a_rabbitmq_that_answers_nobody_holds_up_no_customer(shop: Shop, broker: Node) -> None:
    paid = shop.checkout()
    broker.freeze()
    waiting = shop.checkout(wait=0)["payment_id"]
    shop.pay(paid["session_id"])
    assert shop.payment(paid["payment_id"])["status"] == "pending"

    broker.thaw()
    shop.becomes(paid["payment_id"], "completed", seconds=90)
    assert each_has_one_session(shop, [waiting])


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
