"""What becomes of a webhook behind the answer: workers running, from the wire to the payment and the mail server."""

import http.client
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.bench import rows
from tests.bench.client import load, wire
from tests.bench.client.load import CannotRun
from tests.bench.client.mail_sink import MailSink
from tests.bench.contenders import Contender, seed_open

# Processes that have just begun import, connect and compile: that is nobody's sustained rate.
_WARM_UP = 100
_CONNECTIONS = 8
_LOOK_EVERY_SECONDS = 0.005
_LOOK_AT_STATUS_EVERY_SECONDS = 0.001
# Of silence: on a busy machine all takes long.
_GIVE_UP_AFTER_SECONDS = 60
_STATUS = "SELECT status FROM payments WHERE id = %s"
_LEFT = "SELECT count(*) FROM payments WHERE id BETWEEN %s AND %s AND status <> 'completed'"


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """Sends webhooks of payments that are about to be paid, and waits for what comes of them."""

    sink: MailSink
    directory: Path
    secret: str

    def rate(self, contender: Contender, numbers: range) -> float:
        """Return how many a second are completed and receipted, from the first webhook to the last receipt."""
        seed_open(contender, numbers)
        with contender.running(contender.workers):
            self._send(contender, numbers[:_WARM_UP])
            began = time.monotonic()
            self._send(contender, numbers[_WARM_UP:])
            took = time.monotonic() - began
        _check_completed(contender, numbers)
        return (len(numbers) - _WARM_UP) / took

    def latencies(self, contender: Contender, numbers: range) -> list[float]:
        """Return the milliseconds from the answer to each, sent alone, until the payment is completed."""
        seed_open(contender, numbers)
        warm_up, alone = numbers[:_WARM_UP], numbers[_WARM_UP:]
        client = http.client.HTTPConnection(urlsplit(contender.url).netloc, timeout=10)
        with contender.running(contender.workers), psycopg.connect(contender.database, autocommit=True) as database:
            self._send(contender, warm_up)
            found = [self._latency(client, database, number) for number in alone]
        client.close()
        return found

    def _latency(self, client: http.client.HTTPConnection, database: psycopg.Connection[Any], number: int) -> float:
        # Long enough for everyone to be idle again, and in step with nobody who looks by the clock.
        time.sleep(0.1 + secrets.randbelow(200) / 1000)
        delivery = wire.delivery(wire.paid_event(number), secret=self.secret)
        client.request(delivery.method, delivery.address, delivery.body, dict([delivery.header]))
        client.getresponse().read()
        accepted = time.monotonic()
        while database.execute(_STATUS, [rows.payment_id(number)], prepare=True).fetchone() != ("completed",):
            if time.monotonic() - accepted > _GIVE_UP_AFTER_SECONDS:
                raise CannotRun(f"a payment was not completed within {_GIVE_UP_AFTER_SECONDS} s of its webhook")
            time.sleep(_LOOK_AT_STATUS_EVERY_SECONDS)
        return (time.monotonic() - accepted) * 1000

    def memory(self, contender: Contender, numbers: range) -> int:
        """Return the bytes that a contender holds once it has worked."""
        seed_open(contender, numbers)
        with contender.running(contender.behind):
            self._send(contender, numbers)
            return contender.memory()

    def _send(self, contender: Contender, numbers: range) -> None:
        wire.write_events(self._file, map(wire.paid_event, numbers), secret=self.secret)
        wanted = self.sink.received + len(numbers)
        with load.sent_once(contender.url, self._file, connections=_CONNECTIONS):
            self._wait_for(wanted, contender)

    def _wait_for(self, wanted: int, contender: Contender) -> None:
        seen, at = self.sink.received, time.monotonic()
        while self.sink.received < wanted:
            time.sleep(_LOOK_EVERY_SECONDS)
            if self.sink.received > seen:
                seen, at = self.sink.received, time.monotonic()
            if time.monotonic() - at > _GIVE_UP_AFTER_SECONDS:
                raise CannotRun(f"{contender.name}: {wanted - seen} receipts never came")

    @property
    def _file(self) -> Path:
        return self.directory / "paid"


def _check_completed(contender: Contender, numbers: range) -> None:
    with contender.connect() as connection:
        left = connection.execute(_LEFT, [rows.payment_id(numbers[0]), rows.payment_id(numbers[-1])]).fetchone()
    if left != (0,):
        raise CannotRun(f"{contender.name}: receipts of {left} payments that are not completed")


def quantile(figures: Sequence[float], share: float) -> float:
    """Return the figure that this share of them does not exceed."""
    return sorted(figures)[min(int(len(figures) * share), len(figures) - 1)]
