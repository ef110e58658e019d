"""A connection to an endpoint, which is looked at before it is sent anything, and an answer that has to be whole."""

import http.client
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import certifi

from payproc.outgoing.webhooks.sending.addresses import connected

_USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long an endpoint is waited for. `in_all`: whoever sends a byte now and then would keep us for ever."""

    connect: timedelta = timedelta(seconds=5)
    read: timedelta = timedelta(seconds=15)
    in_all: timedelta = timedelta(seconds=20)


class _Lines:
    """Reads lines, and knows the last one."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 (the library's own kind of stream)
        self.stream = stream
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self.stream.readline(limit)
        self.last = line
        return line

    def close(self) -> None:
        self.stream.close()


class _Answer(http.client.HTTPResponse):
    """An answer whose headers have come to their end: the library takes what breaks off for all of them."""

    def begin(self) -> None:
        """Read the status and the headers. Raises IncompleteRead where they break off."""
        stream: Any = self.fp
        lines: Any = _Lines(stream)
        self.fp = lines
        try:
            super().begin()
        finally:
            if self.fp is lines:
                self.fp = stream
        if lines.last not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(b"")


class Connection(http.client.HTTPConnection):
    """A connection to an endpoint, which is looked at before it is sent anything."""

    response_class = _Answer

    def __init__(self, scheme: str, netloc: str, *, anywhere: bool, patience: Patience) -> None:
        parts = urlsplit(f"{scheme}://{netloc}")
        super().__init__(parts.hostname or "", parts.port or _USUAL_PORTS[scheme])
        # The header `Host` leaves a scheme's usual port out.
        self.default_port = _USUAL_PORTS[scheme]
        self._tls = _tls() if scheme == "https" else None
        self._anywhere, self._patience = anywhere, patience
        self.opened: socket.socket | None = None

    def connect(self) -> None:
        """Open it. Raises AddressRefused, or OSError."""
        seconds = self._patience.connect.total_seconds()
        self.opened = connected(self.host, self.port, anywhere=self._anywhere, seconds=seconds)
        # Its time-out is that of a handshake as a whole, too.
        self.opened.settimeout(seconds)
        self.sock = self._tls.wrap_socket(self.opened, server_hostname=self.host) if self._tls else self.opened
        self.sock.settimeout(self._patience.read.total_seconds())

    def is_quiet(self) -> bool:
        """Whether it is still open: whoever has hung up, or says something unasked, can be heard."""
        if self.sock is None:
            return False
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.sock.settimeout(self._patience.read.total_seconds())
            return True
        except OSError:
            return False
        return False

    def cut(self) -> None:
        """End what another thread is waiting for on it."""
        if self.sock is not None:
            with suppress(OSError):
                # Past TLS, which would say good-bye first.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@cache
def _tls() -> ssl.SSLContext:
    # Once: to read the authorities takes longer than a call.
    return ssl.create_default_context(cafile=certifi.where())
