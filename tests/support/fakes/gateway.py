"""The fake provider's gateway: a few charges in memory behind a real socket. It reads the wire for itself."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any

from tests.support.serving import serving

Json = dict[str, Any]

KEY = "fake-key-0123456789abcdef"
# By the last two digits of the phone; any other number pays at once.
_BY_PHONE = {"02": "declined", "05": "pending"}


@dataclass
class Charge:
    """One payment, and what was done to it. Amounts are minor units."""

    reference: str
    amount: int
    currency: str
    status: str
    phone: str
    debits: int = 0
    charge_calls: int = 1
    refunded: int = 0
    refund_calls: int = 0

    @property
    def told(self) -> Json:
        return {
            "reference": self.reference,
            "status": self.status,
            "amount": self.amount,
            "currency": self.currency,
        }


@dataclass
class FakeGateway:
    """What is charged and refunded. `loses_answers`: how many answers to calls that were executed get lost."""

    url: str = ""
    charges: dict[str, Charge] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    loses_answers: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def become(self, reference: str, status: str) -> None:
        """Let the customer, or time, do something."""
        charge = self.charges[reference]
        charge.debits += status == "paid" and charge.status != "paid"
        charge.status = status

    def notice(self, reference: str) -> tuple[bytes, dict[str, str]]:
        """Write a notice of how the charge stands: its body and its headers. It repeats the payer's phone."""
        charge = self.charges[reference]
        return signed_notice(charge.told | {"id": f"ntc_{next(self._numbers)}", "phone": charge.phone})

    def answer(self, path: str, sent: Json) -> Json:
        """Execute a call."""
        match path:
            case "/charges":
                return self._charge(sent)
            case "/charges/status":
                found = self.charges.get(sent["reference"])
                return {"error": "no_such_reference"} if found is None else found.told
            case "/refunds":
                return self._refund(sent)
            case "/refunds/status":
                return self.refunds.get(sent["id"], {"error": "no_such_refund"})
            case _:
                return {"error": "no_such_path"}

    def _charge(self, sent: Json) -> Json:
        known = self.charges.get(sent["reference"])
        if known is not None:
            known.charge_calls += 1
            return {"error": "reference_used"}
        made = Charge(
            reference=sent["reference"],
            amount=sent["amount"],
            currency=sent["currency"],
            status=_BY_PHONE.get(sent["phone"][-2:], "paid"),
            phone=sent["phone"],
        )
        made.debits = int(made.status == "paid")
        self.charges[made.reference] = made
        return made.told

    def _refund(self, sent: Json) -> Json:
        charge = self.charges[sent["reference"]]
        charge.refund_calls += 1
        if sent["id"] in self.refunds:
            return {"id": sent["id"], "error": "id_used"}
        left = charge.amount - charge.refunded if charge.debits else 0
        fits = sent["amount"] <= left
        charge.refunded += sent["amount"] if fits else 0
        self.refunds[sent["id"]] = {"id": sent["id"], "status": "refunded" if fits else "too_much"}
        return self.refunds[sent["id"]]


def signed_notice(told: Json, *, key: str = KEY) -> tuple[bytes, dict[str, str]]:
    """Sign a notice: its body and its headers."""
    body = json.dumps(told).encode()
    return body, {"content-type": "application/json", "fake-signature": _signature(body, key)}


def _signature(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def _handler(gateway: FakeGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_ours = hmac.compare_digest(self.headers.get("fake-signature", ""), _signature(body))
            answer = gateway.answer(self.path, json.loads(body)) if is_ours else {"error": "unauthorized"}
            if gateway.loses_answers:
                gateway.loses_answers -= 1
                self._send(502, b"<html>502 Bad Gateway</html>")
            else:
                self._send(200, json.dumps(answer).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def fake_gateway() -> Iterator[FakeGateway]:
    """Open a gateway of its own."""
    gateway = FakeGateway()
    with serving(_handler(gateway)) as url:
        gateway.url = url
        yield gateway
