"""What may happen to a broker, happening to RabbitMQ: the same, by its own means."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import amqp

from payproc import jobs
from payproc.providers.stripe import STRIPE
from tests.faults.table.grounds import Grounds
from tests.faults.table.kinds import broker, doubles
from tests.faults.table.places import Place
from tests.faults.table.row import Fault

# Those that a payment by card passes.
_QUEUES = (*jobs.Queue, jobs.provider_queue(STRIPE), jobs.push_queue(STRIPE))


def _three_times(act: Callable[[Any, str], object]) -> Callable[[Grounds], None]:
    def happen(grounds: Grounds) -> None:
        for _ in grounds.times(3):
            # Past the lines, as an operator would who mistakes one broker for another.
            with amqp.Connection(f"127.0.0.1:{grounds.rabbitmq.port}") as connection, connection.channel() as channel:
                for queue in _QUEUES:
                    act(channel, queue)
            grounds.hold(2)

    return happen


def _purge(channel: Any, queue: str) -> None:
    channel.queue_purge(queue)


def _delete(channel: Any, queue: str) -> None:
    # A second one finds nothing to delete, which RabbitMQ lets pass.
    channel.queue_delete(queue)


def _stops(grounds: Grounds) -> None:
    grounds.rabbitmq.kill()
    grounds.hold(20)
    grounds.rabbitmq.start()


def _there(fault: Fault, title: str) -> Fault:
    return replace(fault, title=f"RabbitMQ: {title}", place=Place.RABBITMQ)


FAULTS = (
    Fault(title="RabbitMQ: all queues purged, three times", happen=_three_times(_purge), place=Place.RABBITMQ),
    Fault(title="RabbitMQ: killed, back after 20 s", happen=_stops, place=Place.RABBITMQ),
    _there(broker.SILENT, "black-holed both ways for 20 s, then healed"),
    _there(broker.HALF_OPEN, "black-holed, then connections left half open"),
    _there(doubles.TWO_RELAYS, "two of relay, one of which dies"),
    # The last: a node of RabbitMQ 3.10 that is killed within three seconds of a queue's making has not written down all
    # of it, and that queue stays "down" until somebody deletes it. That is another fault than a killed broker.
    Fault(title="RabbitMQ: all queues deleted, three times", happen=_three_times(_delete), place=Place.RABBITMQ),
)
