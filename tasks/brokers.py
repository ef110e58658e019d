"""What Celery is told of a broker, by its kind: Redis, Redis behind Sentinels, or RabbitMQ.

None of them keeps work: a message is a doorbell, and its row is sent again when it is lost. What differs is how long
one waits for a broker that is silent, and of what kind its queues are.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kombu.entity import Queue

from payproc.settings import Broker

# Without these one waits for ever on a connection that died in silence. So long the relay and beat wait for an answer;
# a worker, which waits for messages, has noticed after two health checks and a second (Redis, kombu 5.7) or two
# heartbeats (RabbitMQ). All are short beside the 15 s in which all is done after any fault; a live broker answers in
# milliseconds.
CONNECT_SECONDS: Final = 4
SILENCE_SECONDS: Final = 4
GOODBYE_SECONDS: Final = 0.25
# Shorter than five seconds RabbitMQ's own guide takes for dead what is only busy.
HEARTBEAT_SECONDS: Final = 5

# What a worker drops ten times unread within a lease has killed ten of them, and is kept for a person to look at.
_MOST_DELIVERIES = 10
_MOST_DEAD_LETTERS = 10_000

# Who keeps them is told by name: the nameless exchange leads to the queue of that name.
DEAD_LETTERS = Queue(
    "dead",
    queue_arguments={"x-queue-type": "quorum", "x-max-length": _MOST_DEAD_LETTERS, "x-overflow": "drop-head"},
)


def speaks_amqp(broker: Broker) -> bool:
    """Tell whether its queues are RabbitMQ's."""
    return broker.broker_url.startswith(("amqp://", "amqps://"))


def queue_arguments(broker: Broker) -> dict[str, Any] | None:
    """Return of what kind a queue is: at RabbitMQ on most of its nodes before a message counts as sent."""
    if not speaks_amqp(broker):
        return None
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": _MOST_DELIVERIES,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": DEAD_LETTERS.name,
        "x-dead-letter-strategy": "at-most-once",
    }


def transport_options(broker: Broker) -> dict[str, Any]:
    """Return what the transport is told: above all how long it waits."""
    if speaks_amqp(broker):
        return _amqp_options()
    options = _redis_options()
    if broker.broker_url.startswith("sentinel://"):
        options |= {"master_name": broker.broker_master_name, "sentinel_kwargs": dict(_sentinel_options(broker))}
    return options


def unconfirmed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same for who sends nothing that must arrive.

    A worker tells of every job, in the loop that also watches its connections: each event that a silent broker does not
    confirm holds that loop up for four seconds, and Celery passes over it. Under load workers noticed the silence after
    14 to 19 s, where two heartbeats are 10.
    """
    return {name: value for name, value in options.items() if name != "confirm_publish"}


def tls(broker: Broker) -> dict[str, Any] | None:
    """Return how RabbitMQ shows who it is: left to itself, kombu takes any host's certificate."""
    if not broker.broker_url.startswith("amqps://"):
        return None
    # None stands for the host of the URL.
    return {"server_hostname": None, "cert_reqs": ssl.CERT_REQUIRED}


def _redis_options() -> dict[str, Any]:
    return {
        "visibility_timeout": 300,
        "socket_timeout": SILENCE_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": SILENCE_SECONDS,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "global_keyprefix": "payproc:",
    }


def _sentinel_options(broker: Broker) -> Iterator[tuple[str, Any]]:
    yield "socket_timeout", CONNECT_SECONDS
    yield "socket_connect_timeout", CONNECT_SECONDS
    if broker.broker_sentinel_password:
        yield "password", broker.broker_sentinel_password.get_secret_value()


def _amqp_options() -> dict[str, Any]:
    return {
        # A relay that hears nothing of a message sends it again: a queue may have no majority, or the disk be full.
        "confirm_publish": True,
        "read_timeout": SILENCE_SECONDS,
        "write_timeout": SILENCE_SECONDS,
        "socket_settings": _tcp_options(),
    }


def _tcp_options() -> dict[int, int]:
    # A peer that acknowledges nothing is given up: py-amqp would do so after a second, which any hiccup takes.
    return {
        socket.TCP_USER_TIMEOUT: SILENCE_SECONDS * 1000,
        socket.TCP_KEEPIDLE: SILENCE_SECONDS,
        socket.TCP_KEEPINTVL: SILENCE_SECONDS,
        socket.TCP_KEEPCNT: 1,
    }
