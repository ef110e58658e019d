"""Strangers who hold connections of the front, from many addresses, and never end what they began."""

import socket
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from web.front.limits import raise_descriptors

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
