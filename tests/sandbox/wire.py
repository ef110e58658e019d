"""The merchant's side of the wire, as small as it can be."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
import stripe

from sandbox.gateway import RunningGateway

SECRET = "whsec_test"

Connect = Callable[[str], stripe.StripeClient]


@dataclass
class Clock:
    """The account's time, moved by hand."""

    now: int = 1_790_000_000

    def __call__(self) -> int:
        return self.now


def session_params(**changes: Any) -> Any:
    """Return parameters of a session for one cup of tea."""
    amount = changes.pop("unit_amount", 1999)
    currency = changes.pop("currency", "usd")
    price = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Tea"}}
    params: dict[str, Any] = {
        "mode": "payment",
        "success_url": "http://shop.test/done?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.test/cart",
        "line_items": [{"quantity": 1, "price_data": price}],
    }
    return {**params, **changes}


@dataclass
class Receiver:
    """A webhook endpoint that checks signatures with Stripe's own code."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    accepted: list[stripe.Event] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(self, body: bytes, signature: str) -> int:
        self.signatures.append(signature)
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return status
        try:
            self.accepted.append(stripe.Webhook.construct_event(body, signature, SECRET))
        except (stripe.SignatureVerificationError, AttributeError) as error:
            self.refused.append(str(error))
            return 400
        return 200

    @property
    def types(self) -> list[str]:
        return sorted(event.type for event in self.accepted)


def serve(receiver: Receiver) -> ThreadingHTTPServer:
    """Start the endpoint on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(body, self.headers["Stripe-Signature"]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks/stripe"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@dataclass(frozen=True)
class Controls:
    """The switches under /_sandbox."""

    gateway: RunningGateway

    def get(self, path: str) -> Any:
        return requests.get(f"{self.gateway.base_url}/_sandbox/{path}", timeout=5).json()

    def post(self, path: str, body: Any = None) -> Any:
        # Thousands of payments take a while on a busy machine.
        return requests.post(f"{self.gateway.base_url}/_sandbox/{path}", json=body, timeout=30).json()

    def act(self, session_id: str, action: str) -> Any:
        return self.post(f"sessions/{session_id}/{action}")

    def fault(self, operation: str, fault: str, **more: Any) -> None:
        self.post("faults", {"operation": operation, "fault": fault, **more})
