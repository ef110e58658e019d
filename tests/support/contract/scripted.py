"""A gateway that answers what a test tells it to, goes wrong as it is told to, and remembers every request."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.serving import serving

_FIREWALL_PAGE = b"<html><title>Request Rejected</title>Your support ID is: 4207849484429473165</html>"


class Failure(StrEnum):
    """What leaves the outcome of a call unknown."""

    SILENCE = "silence"
    HTML_200 = "html-200"
    HALF_JSON = "half-json"
    ERROR_500 = "error-500"
    RESET = "reset-after-sending"
    REDIRECT = "redirect"


@dataclass(frozen=True, kw_only=True)
class Seen:
    path: str
    headers: Mapping[str, str]
    body: bytes


Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class ScriptedGateway:
    """Below `url` it answers as it was told; below `failing(…)` it always fails in that way."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    _answer: Behaviour = field(default=lambda handler: _send(handler, b"{}"))
    _released: threading.Event = field(default_factory=threading.Event)

    def failing(self, failure: Failure) -> str:
        return f"{self.url}/{failure}"

    def says(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answer = lambda handler: _send(handler, body, status=status, headers=named)

    def says_in_turn(self, *answers: tuple[int, bytes]) -> None:
        """Answer each request with the next status and body."""
        left = iter(answers)

        def answer(handler: BaseHTTPRequestHandler) -> None:
            status, body = next(left)
            _send(handler, body, status=status)

        self._answer = answer

    def behave(self, handler: BaseHTTPRequestHandler) -> None:
        match handler.path.split("/")[1]:
            case Failure.SILENCE:
                self._released.wait(10)
            case Failure.HTML_200:
                _send(handler, _FIREWALL_PAGE)
            case Failure.HALF_JSON:
                _send(handler, b'{"id": "cs_1", "pp_ResponseCode": "00')
            case Failure.ERROR_500:
                _send(handler, b'{"error": {"type": "api_error"}}', status=500)
            case Failure.RESET:
                _reset(handler)
            case Failure.REDIRECT:
                _send(handler, b"{}", status=302, headers={"Location": f"/{Failure.REDIRECT}/sign-in"})
            case _:
                self._answer(handler)

    def forget(self) -> None:
        """Let go of whom silence holds, and begin anew."""
        self._released.set()
        self._released = threading.Event()
        self.seen.clear()
        self.says(b"{}")


def _reset(handler: BaseHTTPRequestHandler) -> None:
    # A linger of nothing closes with RST instead of FIN.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def _send(
    handler: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def _handler(gateway: ScriptedGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._seen(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_GET(self) -> None:
            self._seen(b"")

        def _seen(self, body: bytes) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            gateway.seen.append(Seen(path=self.path, headers=headers, body=body))
            gateway.behave(self)

        def finish(self) -> None:
            # Nothing is left to flush into a connection that was reset.
            if self.connection.fileno() >= 0:
                super().finish()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def scripted_gateway() -> Iterator[ScriptedGateway]:
    gateway = ScriptedGateway()
    with serving(_handler(gateway)) as url:
        gateway.url = url
        yield gateway
        gateway.forget()


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
