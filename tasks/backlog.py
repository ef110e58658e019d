"""How many messages wait at the broker, by queue."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from celery import Celery
from kombu.connection import Connection
from kombu.entity import Queue
from kombu.exceptions import OperationalError as BrokerDown

# A list grows only by what is leased, so that it need not be measured at every pass of a busy relay.
_GOOD_FOR_SECONDS = 0.25
# A worker that has nothing else to do has fetched what was sent so long ago.
_FETCHED_AFTER_SECONDS = 0.05
_NEVER = float("-inf")


class Backlog:
    """The lengths of the lists, asked for four times a second at most, and not at all where nothing can have changed.

    Another relay may have sent meanwhile; what this one sends then has it ask again.
    """

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._connection: Connection | None = None
        self._lengths: Mapping[str, int] = {}
        self._asked_at = _NEVER
        self._may_have_grown = True
        self._settles_at: float | None = None

    def grows(self) -> None:
        """Hear that messages are sent."""
        self._may_have_grown = True
        self._settles_at = time.monotonic() + _FETCHED_AFTER_SECONDS

    def settles(self) -> None:
        """Ask, once, while nobody waits, or whoever comes next would wait for it. Raises BrokerDown."""
        if self._settles_at is not None and time.monotonic() > self._settles_at:
            self._settles_at = None
            self._ask()

    def lengths(self) -> Mapping[str, int]:
        """Return how many messages wait in each queue where there are any. Raises BrokerDown."""
        return self._lengths if self._is_known() else self._ask()

    def connection(self) -> Connection:
        """Return the relay's one connection to the broker, which is made as it is first used.

        One that falls silent is found out once, whatever it was used for last.
        """
        self._connection = self._connection or self._celery.connection_for_write()
        return self._connection

    def _ask(self) -> Mapping[str, int]:
        connection = self.connection()
        try:
            # Left to itself it would try a hundred times.
            connection.ensure_connection(max_retries=1, interval_start=0.2)
            self._lengths = dict(_lengths(connection, self._celery.conf.task_queues))
        except (BrokerDown, *connection.connection_errors) as trouble:
            self.close()
            raise BrokerDown(type(trouble).__name__) from trouble
        self._asked_at = time.monotonic()
        self._may_have_grown = False
        return self._lengths

    def _is_known(self) -> bool:
        # Where nothing waited and nothing was sent, nothing waits: what has just come due is sent without asking.
        is_empty = not self._lengths and not self._may_have_grown
        return is_empty or time.monotonic() - self._asked_at < _GOOD_FOR_SECONDS

    def close(self) -> None:
        """Let go of the connection; whoever asks or sends next makes another."""
        if self._connection is not None:
            self._connection.release()
        self._connection = None


def _lengths(connection: Connection, queues: Iterable[Queue]) -> Iterator[tuple[str, int]]:
    names = [queue.name for queue in queues]
    # kombu's own client, which knows our prefix, and one round trip: declaring each queue, as kombu counts, took more
    # of an idle relay than all of its statements. Priorities would have lists of their own; we send without.
    channel: Any = connection.default_channel
    with channel.client.pipeline(transaction=False) as asked:
        for name in names:
            asked.llen(name)
        counted: list[int] = asked.execute()
    return ((name, length) for name, length in zip(names, counted, strict=True) if length)
