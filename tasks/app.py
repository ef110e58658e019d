"""The Celery application. Beat, Flower and the relay load it and are told nothing but the broker."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from celery import Celery
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport.redis import Channel as RedisChannel

from payproc import settings
from payproc.errors import SettingsInvalid
from tasks import brokers

Found = TypeVar("Found")


def or_exit(read: Callable[[], Found]) -> Found:
    """Return what is read; where a setting is wrong, end this process and say so."""
    try:
        return read()
    except SettingsInvalid as invalid:
        sys.exit("payproc tasks cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))


class _Connection(Connection):
    """Tries again every second: a worker would wait two seconds longer each time, up to half a minute.

    And it waits for nobody's good-bye: RabbitMQ is told of a channel's end and of the connection's, and one that had
    fallen silent held up who wanted a new connection by a read time-out for each, 8 s.
    """

    def ensure_connection(
        self,
        errback: Callable[..., object] | None = None,
        max_retries: int | None = None,
        interval_start: float = 1,
        interval_step: float = 0,
        **named: Any,  # noqa: ANN401 (kombu's own)
    ) -> Connection:
        """Return this connection, once it is one."""
        super().ensure_connection(errback, max_retries, interval_start, interval_step, **named)
        return self

    def _close(self) -> None:
        if self._connection is not None and self.transport.driver_type == "amqp":
            # It may have lost its socket.
            with suppress(*self.connection_errors, AttributeError):
                self._connection.sock.settimeout(brokers.GOODBYE_SECONDS)
        super()._close()


class _Amqp(AMQP):  # type: ignore[misc]  # Celery ships no types
    Connection = _Connection


app = Celery("payproc", amqp=_Amqp, broker=or_exit(settings.broker).broker_url)
app.config_from_object("celeryconfig")
# What a worker has fetched and not claimed need not go back into Redis when its connection ends: its row is
# dispatched again within RING_LEASE. kombu 5.7 puts it back also where the connection is gone, and the worker's main
# process ends with that (`restore_unacked_once` on a channel without a connection).
RedisChannel.do_restore = False
