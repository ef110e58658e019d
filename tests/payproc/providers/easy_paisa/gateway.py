"""A gateway on loopback that answers what a test tells it to, and remembers every request."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import serving


@dataclass(frozen=True)
class Seen:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Gateway:
    """`behave` is how the next requests are answered."""

    url: str = ""
    behave: Behaviour = field(default=lambda handler: answer(handler, b"{}"))
    seen: list[Seen] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def say(self, reply: Any, *, status: int = 200) -> None:
        """Answer with JSON, or with this very text."""
        body = reply if isinstance(reply, str) else json.dumps(reply)
        self.behave = lambda handler: answer(handler, body.encode(), status=status)

    def say_html(self, page: str) -> None:
        self.behave = lambda handler: answer(handler, page.encode(), kind="text/html")

    def hold(self) -> None:
        """Say nothing until the test is over."""
        self.behave = lambda _: _wait(self.released)

    def cut(self) -> None:
        """Promise more than is sent."""
        self.behave = lambda handler: answer(handler, b'{"responseCode": "00', promised=500)


def answer(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    *,
    status: int = 200,
    kind: str = "application/json",
    promised: int | None = None,
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(body)


def _wait(event: threading.Event) -> None:
    event.wait(10)


@contextmanager
def listening() -> Iterator[Gateway]:
    gateway = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._remembered(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_GET(self) -> None:
            self._remembered(b"")

        def _remembered(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            gateway.seen.append(Seen(self.path, headers, body))
            gateway.behave(self)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as gateway.url:
        yield gateway
        gateway.released.set()
