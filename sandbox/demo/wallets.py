"""One payment through each wallet and dialect, as a shop, a customer's phone and a customer's browser would."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import requests
from rich.table import Table

from sandbox.demo.browser import LostWay, follow
from sandbox.stack.running import Stack

_PATIENCE_SECONDS = 25.0
_LOOK_EVERY_SECONDS = 0.1
_TIMEOUT_SECONDS = 20

_PHONE, _CNIC = "03001234567", "345678"
_JAZZ_CASH = ("guide", "hosted-1.1", "hosted-2.0", "mwallet-1.1", "mwallet-2.0")
_EASY_PAISA = ("guide", "rest-v4", "rest-v5-rsa", "hosted")
# A payment is of the dialect that the front had when it was taken, and every other process speaks each payment's own.
# To start all of them anew would cost a minute of a core.
_CHOOSE_DIALECTS = ("web",)
# What a stack may be started with, so that it need not be started again for the first payments.
FIRST_DIALECTS = {"JAZZ_CASH_DIALECT": _JAZZ_CASH[0], "EASY_PAISA_DIALECT": _EASY_PAISA[0]}


class WalletFailed(Exception):
    """A payment by wallet did not go where it should; the message says which and how."""


@dataclass(frozen=True, kw_only=True)
class Paid:
    """One payment that went all the way."""

    wallet: str
    dialect: str
    way: str
    payment_id: str
    receipt: str
    seconds: float


def pay_by_every_wallet(stack: Stack, tell: Callable[[str], None]) -> Iterator[Paid]:
    """Yield a completed payment for each wallet and dialect; the front starts anew for each pair of dialects.

    Raises WalletFailed.
    """
    for jazz_cash, easy_paisa in zip_longest(_JAZZ_CASH, _EASY_PAISA, fillvalue=_EASY_PAISA[-1]):
        dialects = {"JAZZ_CASH_DIALECT": jazz_cash, "EASY_PAISA_DIALECT": easy_paisa}
        stack = stack.reconfigured(dialects, only=_CHOOSE_DIALECTS)
        yield _told(_Shop(stack).pay("jazz-cash", jazz_cash), tell)
        if (jazz_cash, easy_paisa) != (_JAZZ_CASH[-1], _EASY_PAISA[-1]):
            yield _told(_Shop(stack).pay("easy-paisa", easy_paisa), tell)


def _told(paid: Paid, tell: Callable[[str], None]) -> Paid:
    tell(f"{paid.wallet} {paid.dialect}: {paid.payment_id} is completed, {paid.way}")
    return paid


class _Shop:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._payments = f"{stack.web_url}/api/v1/payments"
        self._auth = {"Authorization": f"Bearer {stack.keys['customer']}"}

    def pay(self, wallet: str, dialect: str) -> Paid:
        began = time.monotonic()
        body = {"amount": 1250.5, "description": "Two mangoes", "phone": _PHONE, "cnic": _CNIC}
        started = self._call("POST", f"{self._payments}/{wallet}/initiate", json=body)
        way = self._through_the_browser(started) if started["form_url"] else "approved on the phone"
        payment = self._completed(started["payment_id"])
        return Paid(
            wallet=wallet,
            dialect=dialect,
            way=way,
            payment_id=payment["id"],
            receipt=payment["provider_receipt"] or "",
            seconds=time.monotonic() - began,
        )

    def _through_the_browser(self, started: Mapping[str, Any]) -> str:
        page = requests.post(started["form_url"], data=started["payload"], timeout=_TIMEOUT_SECONDS)
        if not page.ok:
            raise WalletFailed(
                f"{started['form_url']} answered {page.status_code} to the form of {started['payment_id']}"
            )
        reference = self._call("GET", f"{self._payments}/{started['payment_id']}")["reference"]
        pressed = self._call("POST", f"{self._stack.gateway_url}/_sandbox/wallets/transactions/{reference}/approve")
        try:
            follow(pressed["browser"], until="/pay/")
        except LostWay as lost:
            raise WalletFailed(f"the browser of {started['payment_id']} got lost: {lost}") from None
        return "approved on the wallet's page"

    def _completed(self, payment_id: str) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            payment = self._call("GET", f"{self._payments}/{payment_id}")
            if payment["status"] == "completed":
                return payment
            if payment["status"] != "pending":
                raise WalletFailed(f"{payment_id} is {payment['status']}: {payment['failure_message']}")
            threading.Event().wait(_LOOK_EVERY_SECONDS)
        raise WalletFailed(f"{payment_id} was not completed within {_PATIENCE_SECONDS:.0f} s")

    def _call(self, method: str, url: str, *, json: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(method, url, headers=self._auth, json=json, timeout=_TIMEOUT_SECONDS)
        if not answer.ok:
            raise WalletFailed(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())


def table_of(paid: list[Paid]) -> Table:
    """Show what went all the way."""
    table = Table(
        title="\nOne payment by each wallet and dialect", title_justify="left", show_edge=False, pad_edge=False
    )
    for heading in ("wallet", "dialect", "how", "payment", "receipt"):
        table.add_column(heading, no_wrap=True)
    table.add_column("seconds", justify="right")
    for each in paid:
        row = (each.wallet, each.dialect, each.way, each.payment_id, each.receipt)
        table.add_row(*row, f"{each.seconds:.1f}")
    return table
