"""Events and what is to be delivered of them, as rows; and a receiver that remembers what it was sent."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Event, WebhookDelivery, WebhookEndpoint
from payproc.jobs import Kind
from payproc.outgoing.webhooks.sending import signing


def endpoint_at(app: Application, url: str, *, secret: str | None = None, **columns: Any) -> tuple[str, str]:
    """Write an endpoint down; return its id and its secret."""
    secret = secret or signing.new_secret()
    endpoint = WebhookEndpoint(url=url, encrypted_secret=app.webhook_cipher.encrypt(secret), **columns)
    with app.database.transaction() as session:
        session.add(endpoint)
    return endpoint.id, secret


def told(app: Application, *endpoint_ids: str, data: str = '{"amount":19.90}', kind: str = "payment.completed") -> str:
    """Write an event down with its deliveries and jobs, as whoever changes a payment does; return its id."""
    with app.database.transaction() as session:
        return write_event(session, *endpoint_ids, data=data, kind=kind)


def write_event(session: Session, *endpoint_ids: str, data: str, kind: str = "payment.completed") -> str:
    """Do so within a transaction."""
    event = Event(type=kind, subject="pay_of_a_test", sequence=_next(session), data=data)
    session.add(event)
    session.flush()
    for endpoint_id in endpoint_ids:
        delivery = WebhookDelivery(event_id=event.id, endpoint_id=endpoint_id)
        session.add(delivery)
        session.flush()
        jobs.stage(session, Kind.DELIVER_WEBHOOK, delivery.id)
    return event.id


def _next(session: Session) -> int:
    return 1 + (session.scalar(text("SELECT max(sequence) FROM events WHERE subject = 'pay_of_a_test'")) or 0)


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float = field(default_factory=time.time)


class Receiver:
    """A shop's server. `answers` says how it answers each request; 200 unless told."""

    def __init__(self, *, port: int = 0) -> None:
        self.received: list[Received] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self.answer: Callable[[BaseHTTPRequestHandler], None] = answering(200)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                receiver.connections += 1
                receiver._open.add(self.connection)

            def finish(self) -> None:
                receiver._open.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(path=self.path, headers=headers, body=body))
                receiver.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever hangs up is no news here
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Listen no more, and end what is open: on a connection that is kept, a thread answers whom nobody reads."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in list(self._open):
            with suppress(OSError):  # ended by the other side meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def ids(self) -> list[str]:
        """The `webhook-id` of each request."""
        return [each.headers["webhook-id"] for each in self.received]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on loopback."""
    receiver = Receiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def answering(status: int, body: bytes = b"ok", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return the way of a receiver that answers so."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer
