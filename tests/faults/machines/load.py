"""Customers who check out and pay, one after the other, for as long as they are let, whatever happens meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.faults.shop import PREFIX, Shop
from tests.support.waiting import wait_until


class Patient(Shop):
    """A client who also bears that a connection is cut: it asks again, under the same key."""

    def _post_checkout(self, headers: dict[str, str]) -> requests.Response:
        return _or_503(lambda: super(Patient, self)._post_checkout(headers))

    def posted_push(self, key: str) -> requests.Response | None:
        """Ask for a wallet charge; None where there was no answer, or that it should be asked again."""
        answer = _or_503(
            lambda: requests.post(
                f"{self.stack.web_url}{PREFIX}/easy-paisa/initiate",
                json={"amount": "1250.50", "phone": "03001234567"},
                headers={"Authorization": f"Bearer {self.stack.keys['customer']}", "Idempotency-Key": key},
                timeout=40,
            )
        )
        return None if answer.status_code == 503 else answer

    def payment(self, payment_id: str) -> dict[str, Any]:
        return wait_until(lambda: self._payment_or_none(payment_id), seconds=120, what=f"an answer about {payment_id}")

    def _payment_or_none(self, payment_id: str) -> dict[str, Any] | None:
        with suppress(requests.ConnectionError, requests.Timeout):
            return super().payment(payment_id)
        return None


def _or_503(ask: Callable[[], requests.Response]) -> requests.Response:
    try:
        return ask()
    except (requests.ConnectionError, requests.Timeout):
        cut = requests.Response()
        cut.status_code = 503
        return cut


@dataclass(frozen=True, kw_only=True)
class Load:
    """Some customers at a time. `accepted` are the payments that the front has said it took."""

    shop: Shop
    accepted: list[str] = field(default_factory=list)
    troubles: list[BaseException] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def one_after_the_other(self) -> None:
        """Check out and pay until the load is over; whatever a client should bear is borne."""
        try:
            while not self._over.is_set():
                payment_id = self.shop.checkout_despite_trouble()
                self.accepted.append(payment_id)
                self.shop.pay(self.shop.session_of(payment_id))
        except BaseException as trouble:  # noqa: BLE001 (of a thread: whoever waits for it is told)
            self.troubles.append(trouble)

    def reaches(self, count: int) -> None:
        """Wait until so many were accepted."""
        wait_until(lambda: len(self.accepted) >= count or self.troubles, seconds=180, what=f"{count} payments taken")
        assert not self.troubles, self.troubles

    def end(self) -> None:
        self._over.set()


@contextmanager
def load_on(shop: Shop, *, customers: int) -> Iterator[Load]:
    """Have so many customers pay at a time inside the block; after it each has finished."""
    load = Load(shop=shop)
    threads = [threading.Thread(target=load.one_after_the_other, daemon=True) for _ in range(customers)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.end()
        for thread in threads:
            thread.join(timeout=180)
    assert not load.troubles, load.troubles
    assert not any(thread.is_alive() for thread in threads)


def is_done_once(shop: Shop, payment_id: str) -> bool:
    """Wait until a payment is done, and tell whether all of it happened once."""
    shop.becomes(payment_id, "completed", seconds=180)
    moved = "SELECT count(*) FROM payment_events WHERE payment_id = :id AND fact = 'paid' AND effect = 'moved'"
    return (
        shop.count(moved, id=payment_id) == 1
        and len(shop.sessions_at_stripe(payment_id)) == 1
        and shop.has_one_receipt_whatever_was_repeated(payment_id)
    )
