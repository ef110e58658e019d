"""A little history for a stack to begin with: payments of each kind and status, made as a shop and its customers do."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from rich.console import Console

from sandbox.stack.site import Site

_PATIENCE_SECONDS = 20.0
_LOOK_EVERY_SECONDS = 0.1
_TIMEOUT_SECONDS = 25


class HistoryFailed(Exception):
    """A step did not do what it should; the message says which and how."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card payment: what its customer does at Stripe (docs/sandbox.md), and the status that this comes to."""

    description: str
    amount: str
    does: tuple[str, ...]
    comes_to: str


@dataclass(frozen=True, kw_only=True)
class Push:
    """A payment by wallet: whose phone rings decides what becomes of it (docs/sandbox.md)."""

    wallet: str
    description: str
    amount: str
    phone: str


def _paid(description: str, amount: str) -> Card:
    return Card(description=description, amount=amount, does=("pay",), comes_to="completed")


_CARDS = (
    _paid("Two crates of Chaunsa mangoes", "34.50"),
    Card(description="A box of dates", amount="12.00", does=("decline",), comes_to="pending"),
    Card(description="Saffron, five grams", amount="58.00", does=("pay_later",), comes_to="processing"),
    Card(description="A hand-knotted rug", amount="420.00", does=("pay_later", "fail"), comes_to="failed"),
    Card(description="A brass lamp", amount="75.25", does=("expire",), comes_to="cancelled"),
)
_PUSHES = (
    Push(wallet="jazz-cash", description="Ten bus tickets", amount="1500", phone="03000000001"),
    Push(wallet="jazz-cash", description="A school bag", amount="2450.50", phone="03000000003"),
    Push(wallet="jazz-cash", description="A water cooler", amount="18900", phone="03000000005"),
    Push(wallet="easy-paisa", description="A month of milk", amount="6300", phone="03000000001"),
    Push(wallet="easy-paisa", description="A pair of khussas", amount="3200", phone="03000000002"),
)


def make(site: Site, console: Console) -> None:
    """Make the history, through the real API and the simulators' own switches, once for each stack."""
    shop = _Shop(site)
    try:
        if shop.call("GET", "/?limit=1")["payments"]:
            console.print("there are payments already: no history is made")
            return
        with console.status("making a little history…"):
            _make(shop)
    except (HistoryFailed, requests.RequestException) as failed:
        console.print(f"the history stayed unfinished: {failed}", markup=False)
    else:
        console.print("a little history is made: python -m payproc payment list")
    finally:
        shop.close()


def _make(shop: "_Shop") -> None:
    for card in _CARDS:
        shop.pay_by_card(card)
    for push in _PUSHES:
        shop.pay_by_wallet(push)
    partly = shop.pay_by_card(_paid("Three shawls", "90.00"))
    shop.give_back(partly, {"amount": "30.00", "reason": "one was torn"})
    whole = shop.pay_by_card(_paid("A tea set", "64.99"))
    shop.give_back(whole, {"reason": "it arrived broken"})
    shop.becomes(whole, "refunded")
    disputed = shop.pay_by_card(_paid("A cricket bat", "129.00"))
    shop.dispute(disputed)
    called_off = shop.pay_by_card(Card(description="A chess board", amount="45.00", does=(), comes_to="pending"))
    shop.call("POST", f"/{called_off}/cancel")
    shop.becomes(called_off, "cancelled")


class _Shop:
    def __init__(self, site: Site) -> None:
        self._payments = f"{site.web_url}/api/v1/payments"
        self._switches = f"{site.gateway_url}/_sandbox"
        self._session = requests.Session()
        # Neither a proxy nor somebody's .netrc has a say on loopback.
        self._session.trust_env = False
        self._headers = {"Authorization": f"Bearer {site.secrets.api_keys['customer']}", "Prefer": "wait=15"}

    def close(self) -> None:
        self._session.close()

    def pay_by_card(self, card: Card) -> str:
        body = {"amount": card.amount, "currency": "usd", "description": card.description}
        back = {"success_url": "https://example.com/thanks", "cancel_url": "https://example.com/basket"}
        started = self.call("POST", "/checkout", body | back)
        for action in card.does:
            self._switch(f"sessions/{started['session_id']}/{action}")
        self.becomes(started["payment_id"], card.comes_to)
        return str(started["payment_id"])

    def pay_by_wallet(self, push: Push) -> None:
        body = {"amount": push.amount, "currency": "pkr", "description": push.description}
        # What is pending for ever is not waited for; a dialect that hands out a form has only begun.
        self.call("POST", f"/{push.wallet}/initiate", body | {"phone": push.phone, "cnic": "345678"})

    def give_back(self, payment_id: str, body: Mapping[str, str]) -> None:
        self.call("POST", f"/refund/{payment_id}", body)

    def dispute(self, payment_id: str) -> None:
        session = self._answer("GET", f"{self._switches}/objects/{self.call('GET', f'/{payment_id}')['session_id']}")
        self._switch(f"payment_intents/{session['payment_intent']}/dispute")

    def becomes(self, payment_id: str, status: str) -> None:
        end, pause = time.monotonic() + _PATIENCE_SECONDS, threading.Event()
        while (found := self.call("GET", f"/{payment_id}")["status"]) != status:
            if time.monotonic() > end:
                raise HistoryFailed(f"{payment_id} is {found} and not {status}")
            pause.wait(_LOOK_EVERY_SECONDS)

    def call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._answer(method, f"{self._payments}{path}", json=body, headers=self._headers)

    def _switch(self, path: str) -> None:
        self._answer("POST", f"{self._switches}/{path}", json={})

    def _answer(self, method: str, url: str, **words: Any) -> dict[str, Any]:  # noqa: ANN401 (requests' own keywords)
        answer = self._session.request(method, url, timeout=_TIMEOUT_SECONDS, **words)
        if not answer.ok:
            raise HistoryFailed(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())
