"""What is sent, written to a file that requests.lua reads: the same bytes to each contender."""

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import stripe

from tests.bench import rows

# A real event is about two kilobytes.
_PADDING = "x" * 1500


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One request."""

    method: str = "POST"
    path: str
    header: tuple[str, str]
    body: str = ""

    @property
    def address(self) -> str:
        return f"/api/v1/payments/{self.path}"

    def line(self) -> str:
        name, value = self.header
        return f"{self.method}\t{self.address}\t{name}: {value}\t{self.body}"


def delivery(event: str, *, secret: str) -> Delivery:
    """Sign an event as Stripe does, now."""
    signature = stripe.WebhookSignature.generate_signature_header(event, secret, int(time.time()))
    return Delivery(path="webhook/stripe", header=("Stripe-Signature", signature), body=event)


def write_events(path: Path, events: Iterable[str], *, secret: str) -> None:
    """Write signed deliveries of these events."""
    _write(path, (delivery(event, secret=secret) for event in events))


def paid_event(number: int) -> str:
    """Return Stripe's word that a payment of `rows` was paid."""
    return _event(rows.payment_id(number), rows.session_id(number), rows.intent_id(number))


def strangers_event() -> str:
    """Return the same about a payment that nobody has."""
    unique = secrets.token_hex(12)
    return _event(f"pay_{unique}", f"cs_{unique}", f"pi_{unique}")


def _event(payment_id: str, session_id: str, intent_id: str) -> str:
    session = {
        "id": session_id,
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": intent_id,
        "client_reference_id": payment_id,
        "amount_total": rows.AMOUNT_MINOR,
        "currency": "usd",
        "livemode": False,
        "metadata": {"payment_id": payment_id, "padding": _PADDING},
    }
    event = {"id": f"evt_{secrets.token_hex(12)}", "object": "event", "livemode": False, "data": {"object": session}}
    return json.dumps(event | {"type": "checkout.session.completed", "created": int(time.time())})


def write_gets(path: Path, numbers: Iterable[int], *, key: str) -> None:
    """Write look-ups of payments by their owner."""
    header = _authorization(key)
    _write(path, (Delivery(method="GET", path=rows.payment_id(number), header=header) for number in numbers))


def write_initiates(path: Path, *, key: str) -> None:
    """Write the start of one JazzCash payment."""
    body = json.dumps({"amount": 1250.5, "currency": "pkr", "description": "Two mangoes", "phone": "03001234567"})
    _write(path, [Delivery(path="jazz-cash/initiate", header=_authorization(key), body=body)])


def _authorization(key: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {key}"


def _write(path: Path, deliveries: Iterable[Delivery]) -> None:
    path.write_text("\n".join(each.line() for each in deliveries) + "\n", encoding="utf-8")
