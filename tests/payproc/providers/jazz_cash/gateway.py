"""A gateway on loopback that answers what a test tells it to."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import serving


@dataclass
class Gateway:
    """What it was asked, and what it will answer."""

    url: str
    status: int = 200
    body: bytes = b"{}"
    said_length: int | None = None
    silent: bool = False
    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def answers(self, fields: Mapping[str, Any]) -> None:
        self.body = json.dumps(fields).encode()


def _handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            gateway.asked.append((self.path, self.headers["Content-Type"], body))
            self.close_connection = True
            if gateway.silent:
                gateway.released.wait(10)
                return
            self.send_response(gateway.status)
            self.send_header("Content-Length", str(gateway.said_length or len(gateway.body)))
            self.end_headers()
            self.wfile.write(gateway.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's own name)
            pass

    return Handler


@contextmanager
def listening() -> Iterator[Gateway]:
    told = Gateway(url="")
    with serving(_handler(told)) as told.url:
        yield told
        told.released.set()
