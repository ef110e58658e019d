"""A card payment and its refund, and a payment by each wallet and dialect: `python -m sandbox.demo`."""

import functools
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests
from rich.console import Console
from rich.table import Table

from sandbox.demo.wallets import FIRST_DIALECTS, WalletFailed, pay_by_every_wallet, table_of
from sandbox.stack.children import last_lines
from sandbox.stack.errors import StackFailed
from sandbox.stack.running import Stack, interrupt, running_stack
from sandbox.stack.welcome import CHECKOUT

Found = TypeVar("Found")

_LOOK_EVERY_SECONDS = 0.1
_PATIENCE_SECONDS = 20.0
_TIMEOUT_SECONDS = 15
_PAY_BUTTON = re.compile(r'action="([^"]+/pay)"')
# The receipt, and word of the refund.
_LETTERS = 2
# The clock has nothing to do in half a minute, nothing is compared, and nobody looks.
_NOT_NEEDED = ("beat", "flower", "worker-reconcile")
_TOLD = (
    "web",
    "relay",
    "worker-stripe",
    "worker-jazz-cash",
    "worker-easy-paisa",
    "worker-pushes",
    "worker-notices",
    "gateway",
)
# A table squeezes its columns rather than overflow, and an id that is cut cannot be looked up.
_WIDE_ENOUGH = 140


class DemoFailed(Exception):
    """A step did not do what it should; the message says which and how."""


class Demo:
    """A customer, a shop and a browser against one stack."""

    def __init__(self, stack: Stack, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._payments = f"{stack.web_url}/api/v1/payments"
        self._session = requests.Session()
        # Neither a proxy nor somebody's .netrc has a say on loopback.
        self._session.trust_env = False
        self._key = {"Authorization": f"Bearer {stack.keys['customer']}"}
        # A customer is not told how their payment was worked on.
        self._staff_key = {"Authorization": f"Bearer {stack.keys['operator']}"}

    def run(self) -> None:
        """Pay once, give a part back, and show why the payment is where it is.

        Raises DemoFailed.
        """
        started = self._check_out()
        self._pay(started["url"])
        payment_id = started["payment_id"]
        payment = self._wait("the payment is completed", lambda: self._completed(payment_id))
        self._step(f"Stripe's signed notice was applied: {payment['status']} at {payment['completed_at']}")
        letter = self._wait("the receipt is in the mail catcher", self._receipt)
        self._step(f"a letter reached {', '.join(letter['to'])}: {letter['subject']}")
        self._give_back(payment_id)
        # Written down only after the mail server took it.
        entries = self._wait("the timeline tells of the mail", lambda: self._told(payment_id))
        self._console.print(_table(payment_id, entries))

    def _check_out(self) -> Any:  # noqa: ANN401 (JSON)
        headers = {**self._key, "Prefer": "wait=15"}
        answer = self._call("POST", f"{self._payments}/checkout", expect=201, json=CHECKOUT, headers=headers)
        started = answer.json()
        self._step(f"checkout answered 201: payment {started['payment_id']}")
        self._step(f"the customer opens {started['url']}")
        return started

    def _pay(self, url: str) -> None:
        button = _PAY_BUTTON.search(self._call("GET", url, expect=200).text)
        if button is None:
            raise DemoFailed(f"{url} shows no button to pay with")
        answer = self._call("POST", urljoin(url, button[1]), expect=303)
        self._step(f"the customer paid; the browser goes to {answer.headers['Location']}")

    def _give_back(self, payment_id: str) -> None:
        headers = {**self._key, "Prefer": "wait=15"}
        url = f"{self._payments}/refund/{payment_id}"
        answer = self._call("POST", url, expect=200, json={"amount": "5.00", "reason": "one mango"}, headers=headers)
        given = answer.json()
        self._step(f"5.00 goes back as {given['refund_id']}: {given['status']}")

    def _completed(self, payment_id: str) -> Any:  # noqa: ANN401 (JSON)
        payment = self._call("GET", f"{self._payments}/{payment_id}", expect=200, headers=self._key).json()
        return payment if payment["status"] == "completed" else None

    def _receipt(self) -> Any:  # noqa: ANN401 (JSON)
        letters = self._call("GET", f"{self._stack.gateway_url}/_sandbox/mail", expect=200).json()
        return letters[0] if letters else None

    def _told(self, payment_id: str) -> Any:  # noqa: ANN401 (JSON)
        url = f"{self._payments}/{payment_id}/timeline"
        entries = self._call("GET", url, expect=200, headers=self._staff_key).json()["timeline"]
        sent = [entry for entry in entries if entry["what"] == "mail.sent"]
        return entries if len(sent) == _LETTERS else None

    def _call(self, method: str, url: str, *, expect: int, **request: Any) -> requests.Response:  # noqa: ANN401 (requests' own keywords)
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT_SECONDS, allow_redirects=False, **request)
        except requests.RequestException as error:
            raise DemoFailed(f"{method} {url}: {error}") from error
        if answer.status_code != expect:
            raise DemoFailed(f"{method} {url} answered {answer.status_code}, not {expect}: {answer.text[:500]}")
        return answer

    def _wait(self, what: str, look: Callable[[], Found | None]) -> Found:
        end = time.monotonic() + _PATIENCE_SECONDS
        with self._console.status(f"waiting until {what}"):
            while time.monotonic() < end:
                found = look()
                if found is not None:
                    return found
                threading.Event().wait(_LOOK_EVERY_SECONDS)
        raise DemoFailed(f"waited {_PATIENCE_SECONDS:.0f} s in vain until {what}")

    def _step(self, text: str) -> None:
        step(self._console, text)

    def close(self) -> None:
        """Hang up."""
        self._session.close()


def step(console: Console, text: str) -> None:
    """Print one line of progress."""
    console.print(f"- {text}", soft_wrap=True, markup=False, highlight=False)


def _table(payment_id: str, entries: list[dict[str, Any]]) -> Table:
    table = Table(title=f"\nTimeline of {payment_id}", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("at (UTC)", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("sentence", overflow="fold")
    for entry in entries:
        table.add_row(entry["at"][11:23], entry["what"], entry["sentence"])
    return table


def _show_logs(stack: Stack) -> None:
    for name in _TOLD:
        print(f"--- {name}\n{last_lines(stack.site, name, count=6)}", file=sys.stderr)  # noqa: T201 (a terminal is what this is for)


def demonstrate(directory: Path, console: Console) -> None:
    """Run the demonstration in `directory`.

    Raises DemoFailed or StackFailed.
    """
    tell = functools.partial(step, console)
    with running_stack(directory, overrides=FIRST_DIALECTS, without=_NOT_NEEDED, tell=tell) as stack:
        demo = Demo(stack, console)
        try:
            demo.run()
            paid = list(pay_by_every_wallet(stack, tell))
            Console(file=console.file, width=_WIDE_ENOUGH, highlight=False).print(table_of(paid))
        except (DemoFailed, WalletFailed):
            _show_logs(stack)
            raise
        finally:
            demo.close()


def main() -> int:
    """Exit 0 when every payment went all the way."""
    signal.signal(signal.SIGTERM, interrupt)
    console = Console(highlight=False)
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="payproc-demo-") as directory:
            demonstrate(Path(directory), console)
    except KeyboardInterrupt:
        return 130
    except (DemoFailed, WalletFailed, StackFailed) as failed:
        print(f"make demo: {failed}", file=sys.stderr)  # noqa: T201 (a terminal is what this is for)
        return 1
    console.print(f"\nEvery payment is paid, and nothing is left running ({time.monotonic() - began:.0f} s).")
    return 0
