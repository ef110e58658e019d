"""Customers who come and pay, and webhooks, at a steady rate, whatever breaks meanwhile; and what was answered 2xx."""

import itertools
import json
import random
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
import urllib3

from sandbox.stripe.account.objects import event
from sandbox.stripe.webhooks import sign
from tests.faults.shop import PREFIX
from tests.faults.table.grounds import Grounds

# The simulator tells of a payment by four events of its own.
_TOLD_BY_STRIPE = 4
_MOST_AT_ONCE = 64
# A client that is refused or not answered comes again, and gives up in the end; so does Stripe.
_TRIES, _PAUSE_SECONDS = 6, 1.0
_TIMEOUT = urllib3.Timeout(connect=3, read=15)
_LOOK_EVERY_SECONDS = 0.1

_PAYABLE = """
SELECT stripe_session_id FROM payments
WHERE status IN ('pending', 'processing') AND stripe_session_id IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How much comes in a second."""

    creates: float = 10
    webhooks: float = 100


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What was answered 2xx: payments, and events by their ids."""

    payments: frozenset[str]
    events: frozenset[str]

    @property
    def count(self) -> int:
        return len(self.payments) + len(self.events)


@dataclass(kw_only=True)
class Load:
    """A load that goes on until it is stopped. Its customers pay whatever can be paid."""

    grounds: Grounds
    rates: Rates
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    payments: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    _paid: set[str] = field(default_factory=set)
    _to_tell: deque[str] = field(default_factory=lambda: deque(maxlen=2000))
    _sessions: list[Mapping[str, object]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _stop_paying: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=_MOST_AT_ONCE, block=False, retries=False, timeout=_TIMEOUT)
    )

    def so_far(self) -> Accepted:
        """Return what our own client was told 2xx of."""
        with self._lock:
            return Accepted(payments=frozenset(self.payments), events=frozenset(self.events))

    def stop(self) -> None:
        """Let no more come; who has come pays all the same."""
        self._stop.set()

    # --- creates

    def _create(self, number: int) -> None:
        key = f"{self.tag}-{number}"
        body = {
            "amount": "19.99",
            "currency": "usd",
            "description": f"basket {key}",
            "success_url": "https://example.com/thanks",
            "cancel_url": "https://example.com/basket",
        }
        headers = {
            "Authorization": f"Bearer {self.grounds.stack.keys['customer']}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        answer = self._persist(f"{self.grounds.stack.web_url}{PREFIX}/checkout", lambda: (json.dumps(body), headers))
        if answer is not None:
            with self._lock:
                self.payments.add(json.loads(answer)["payment_id"])

    # --- webhooks beside the simulator's own

    def _tell(self, _number: int) -> None:
        if not self._sessions:
            return
        try:
            body = self._to_tell.popleft()
        except IndexError:
            body = _event_about(random.choice(self._sessions))  # noqa: S311 (not a secret)
        secret = self.grounds.stack.site.secrets.stripe_webhook_secret

        def signed() -> tuple[str, Mapping[str, str]]:
            now = int(time.time())
            return body, {"Stripe-Signature": sign(body.encode(), secret=secret, timestamp=now)}

        if self._persist(f"{self.grounds.stack.web_url}{PREFIX}/webhook/stripe", signed) is not None:
            with self._lock:
                self.events.add(json.loads(body)["id"])

    # --- customers

    def pay_all(self) -> None:
        """Pay whatever can be paid, until told to stop."""
        while not self._stop_paying.wait(_LOOK_EVERY_SECONDS):
            # The database is one of the things that break.
            with suppress(psycopg.Error), psycopg.connect(self.grounds.own_url, connect_timeout=3) as connection:
                while not self._stop_paying.wait(_LOOK_EVERY_SECONDS):
                    connection.execute("SET statement_timeout = '5s'")
                    payable = {str(row[0]) for row in connection.execute(_PAYABLE)} - self._paid
                    connection.commit()
                    for session_id in payable:
                        self._pay(session_id)

    def _pay(self, session_id: str) -> None:
        url = f"{self.grounds.stack.gateway_url}/_sandbox/sessions/{session_id}/pay"
        with suppress(urllib3.exceptions.HTTPError):
            answer = self._http.request("POST", url)
            if answer.status not in (200, 409):
                return
            # 409: paid, and its answer was lost, or it is of an earlier row.
            self._paid.add(session_id)
            if answer.status == 200:
                session = answer.json()["session"]
                self._sessions.append(session)
                self._to_tell.extend(_event_about(session) for _ in range(self._echoes))

    @property
    def _echoes(self) -> int:
        return round(self.own_webhooks / self.rates.creates)

    @property
    def own_webhooks(self) -> float:
        """How many webhooks in a second come from here, beside those of the simulator."""
        return max(0.0, self.rates.webhooks - _TOLD_BY_STRIPE * self.rates.creates)

    # --- requests

    def _persist(self, url: str, request: Callable[[], tuple[str, Mapping[str, str]]]) -> bytes | None:
        """Send until it is answered 2xx; None where it was given up."""
        for _ in range(_TRIES):
            body, headers = request()
            with suppress(urllib3.exceptions.HTTPError):
                answer = self._http.request("POST", url, body=body, headers=headers)
                if 200 <= answer.status < 300:
                    return answer.data
            if self._stop.wait(_PAUSE_SECONDS):
                return None
        return None

    def _steadily(self, act: Callable[[int], None], rate: float) -> None:
        """Begin so many a second. Where as many are under way as there can be, who comes finds no seat and leaves."""
        seats = threading.Semaphore(_MOST_AT_ONCE)
        began = time.monotonic()

        def seated(number: int) -> None:
            try:
                act(number)
            finally:
                seats.release()

        with ThreadPoolExecutor(_MOST_AT_ONCE) as clients:
            for number in itertools.count():
                if self._stop.wait(max(0.0, began + number / rate - time.monotonic())):
                    return
                if seats.acquire(blocking=False):
                    clients.submit(seated, number)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Run while the block lasts; what is under way at its end is waited for."""
        threads = [
            threading.Thread(target=self._steadily, args=(self._create, self.rates.creates), name="creates"),
            threading.Thread(target=self._steadily, args=(self._tell, self.own_webhooks or 0.1), name="webhooks"),
        ]
        payer = threading.Thread(target=self.pay_all, name="customers")
        for thread in (*threads, payer):
            thread.start()
        try:
            yield self
        finally:
            self.stop()
            for thread in threads:
                thread.join()
            self._stop_paying.set()
            payer.join()
            self._http.clear()


def _event_about(session: Mapping[str, object]) -> str:
    told = event("checkout.session.completed", dict(session), created=int(time.time()), request_id=None, key=None)
    return json.dumps(told | {"livemode": False})
