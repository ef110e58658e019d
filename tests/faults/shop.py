"""A client of a running stack, and what may happen to its processes."""

import functools
import os
import secrets
import signal
from dataclasses import dataclass
from typing import Any

import requests
from sqlalchemy import text

from payproc.database.engine import Database
from sandbox.stack.running import Stack
from sandbox.stack.servers import start_postgres
from tests.support.waiting import wait_until

PREFIX = "/api/v1/payments"

# What calls, and what a payment's own course is made of: it meets an ordered fault, and is seen by whoever counts.
_AT_WORK = """
SELECT count(*) FROM jobs
WHERE state = 'ready' AND (due_at < now() + interval '10 seconds' OR leased_until IS NOT NULL)
    AND kind IN ('payment.start', 'payment.push', 'payment.cancel', 'refund.send', 'notice.apply', 'mail.send')
"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A client of a running stack, with a hand on its database and its Stripe."""

    stack: Stack
    database: Database

    def checkout(self, *, wait: int = 20) -> dict[str, Any]:
        answer = self._post_checkout({"Prefer": f"wait={wait}"})
        assert answer.status_code in (201, 202), answer.text
        return dict(answer.json())

    def checkout_despite_trouble(self) -> str:
        """Post as a client should: under a key, and again after 503."""
        key = {"Idempotency-Key": secrets.token_hex(8)}
        answer = wait_until(lambda: _unless_503(self._post_checkout(key)), what="a checkout taken")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["payment_id"])

    def _post_checkout(self, headers: dict[str, str]) -> requests.Response:
        return requests.post(
            f"{self.stack.web_url}{PREFIX}/checkout",
            json={
                "amount": "19.99",
                "currency": "usd",
                "description": "Two mangoes",
                "success_url": "https://example.com/thanks",
                "cancel_url": "https://example.com/basket",
            },
            headers=self._auth | headers,
            timeout=40,
        )

    def payment(self, payment_id: str) -> dict[str, Any]:
        url = f"{self.stack.web_url}{PREFIX}/{payment_id}"
        get = functools.partial(requests.get, url, headers=self._auth, timeout=10)
        answer = wait_until(lambda: _unless_503(get()), what=f"an answer about {payment_id}")
        assert answer.ok, answer.text
        return dict(answer.json())

    def becomes(self, payment_id: str, status: str, *, seconds: float = 40) -> None:
        wait_until(lambda: self.payment(payment_id)["status"] == status, seconds=seconds, what=f"{payment_id} {status}")

    def session_of(self, payment_id: str) -> str:
        return str(wait_until(lambda: self.payment(payment_id)["session_id"], what=f"a session of {payment_id}"))

    def pay(self, session_id: str) -> None:
        self.sandbox("POST", f"sessions/{session_id}/pay")

    def sandbox(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, f"{self.stack.gateway_url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, operation: str, fault: str, **more: Any) -> None:
        self.sandbox("POST", "faults", {"operation": operation, "fault": fault, **more})

    def sessions_at_stripe(self, payment_id: str) -> list[str]:
        found = self.sandbox("GET", "sessions")
        return [session["id"] for session in found if session["client_reference_id"] == payment_id]

    def comes_to_rest(self) -> None:
        """Have every process run and no fault in force, and wait until all that was asked for is done.

        A job left by one test takes the fault that the next one orders, and a process left dead fails all that follow.
        """
        self.stack.recover()
        self.sandbox("DELETE", "faults")
        wait_until(lambda: self.count(_AT_WORK) == 0, seconds=90, what="all that was asked for, done")

    def restart_postgres(self) -> None:
        """End PostgreSQL and every session of it, and start it again over its files."""
        data = self.stack.site.directory / "postgres"
        number = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(number, signal.SIGINT)
        wait_until(lambda: not (data / "postmaster.pid").exists(), what="PostgreSQL gone")
        start_postgres(data)

    def count(self, query: str, **values: Any) -> int:
        with self.database.transaction() as session:
            return int(session.scalar(text(query), values) or 0)

    def receipts(self, payment_id: str) -> list[str]:
        """The Message-ID of each receipt that reached the catcher."""
        reference = self.payment(payment_id)["reference"]
        told = [mail for mail in self.sandbox("GET", "mail") if reference in mail["subject"]]
        return [mail["message_id"] for mail in told if mail["subject"].startswith("Receipt")]

    def has_its_one_receipt(self, payment_id: str) -> bool:
        """Wait for the receipt, and tell whether it is the only one."""
        wait_until(lambda: self.receipts(payment_id), what=f"a receipt of {payment_id}")
        return len(self.receipts(payment_id)) == 1

    def has_one_receipt_whatever_was_repeated(self, payment_id: str) -> bool:
        """The same, where the database was cut between the server's "250" and our note of it: sent again, it is the
        same letter, and SMTP offers no better."""
        wait_until(lambda: self.receipts(payment_id), what=f"a receipt of {payment_id}")
        return len(set(self.receipts(payment_id))) == 1

    @property
    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.stack.keys['customer']}"}


def _unless_503(answer: requests.Response) -> requests.Response | None:
    return None if answer.status_code == 503 else answer
