"""Strangers who hold connections of the front, from many addresses, and never end what they began."""

import socket
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from io import BytesIO
from typing import Self
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from web.front.connections import Connections
from web.front.lanes import Crew, Lane
from web.front.limits import Limits, raise_descriptors
from web.front.server import Server

SCRIPT = b"GET /docs/scalar/js/scalar.standalone.js HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = b"POST /api/v1/payments/webhook/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nx"
# Far below what one address may hold open to one process.
_OF_AN_ADDRESS = 50


@dataclass
class Crowd:
    """Connections to one front; they end with the block."""

    url: str
    _held: ExitStack = field(default_factory=ExitStack)
    _made: int = 0

    def __enter__(self) -> Self:
        raise_descriptors()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def silent(self, count: int) -> None:
        """Connect, and say nothing."""
        for _ in range(count):
            self._connect()

    def slow_bodies(self, count: int) -> None:
        """Send one byte of a notice, and then nothing."""
        for _ in range(count):
            self._connect().sendall(BODY)

    def slow_readers(self, count: int) -> None:
        """Ask for the largest file that anybody may have, uncompressed, and do not read it."""
        for _ in range(count):
            self._connect(receive=4096).sendall(SCRIPT)

    def ask(self, requests: Iterable[bytes]) -> None:
        """Send each of these over its own connection, and do not wait for an answer."""
        for request in requests:
            self._connect().sendall(request)

    def _connect(self, *, receive: int | None = None) -> socket.socket:
        address = urlsplit(self.url)
        made = self._held.enter_context(closing(socket.socket()))
        if receive is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        made.settimeout(10)
        made.bind((f"127.1.0.{1 + self._made // _OF_AN_ADDRESS}", 0))
        made.connect((address.hostname, address.port))
        self._made += 1
        return made


LARGE = bytes(8 * 1024 * 1024)
# Seconds where the front has tens of them.
IMPATIENT = Limits(first_silence=0.6, silence=0.6, request=2, grace=0.3, least_rate=1024)


class Echo:
    """Echoes a body, hands out a large file, or keeps its caller until the test lets it go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.carried_out: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read()
        if path == "/held":
            self.entered.release()
            self.let_go.wait(20)
        self.carried_out.append(path)
        start_response("200 OK", [("Content-Length", str(len(LARGE) if path == "/large" else len(body)))])
        if path == "/large":
            return iter_of(environ)
        return [body]


def iter_of(environ: WSGIEnvironment) -> Iterable[bytes]:
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](BytesIO(LARGE))
    return wrapped


class Door:
    """A front that serves `app`, and sockets to it that close when the test ends."""

    def __init__(self, limits: Limits) -> None:
        self.app = Echo()
        self._connections = Connections()
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        listener.setblocking(False)
        self._address = listener.getsockname()
        crews = {lane: Crew(lane, threads=2) for lane in Lane}
        self.server = Server(self.app, self._connections, listener=listener, limits=limits, crews=crews)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._sockets = ExitStack()

    def _serve(self) -> None:
        while not self._over.is_set():
            self._connections.turn(0.02)
            self.server.sweep(time.monotonic())

    def connect(self, said: bytes = b"", *, source: str = "127.0.0.1", timeout: float = 10) -> socket.socket:
        made = socket.create_connection(self._address, source_address=(source, 0), timeout=timeout)
        self._sockets.enter_context(closing(made))
        if said:
            made.sendall(said)
        return made

    def get(self, path: str = "/", *, source: str = "127.0.0.1") -> bytes:
        return answer_of(self.connect(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode(), source=source))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.app.let_go.set()
        self._sockets.close()
        self._over.set()
        self._thread.join()
        self.server.stop_accepting()
        self.server.end_idle()
        self.server.trigger.close()


def answer_of(connection: socket.socket) -> bytes:
    """Read until the front closes the connection; what a reset cut off is missing."""
    read = b""
    try:
        while part := connection.recv(65536):
            read += part
    except ConnectionError:
        pass
    return read
