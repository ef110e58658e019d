"""One call of an endpoint: what it may take, what is kept of its answer, and what is said where there is none."""

import http.client
import re
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from payproc import __version__
from payproc.outgoing.webhooks.sending.addresses import AddressRefused
from payproc.outgoing.webhooks.sending.connections import Connection, Patience

_KEPT_BYTES = 2048
# Whoever goes on is hung up on: ten gigabytes are not fetched for two kilobytes. A little more is read, so that a
# usual answer ends by itself and the connection is good for the next.
_READ_BYTES = 16 * 1024
_LOOK_EVERY_SECONDS = 0.25
_LONGEST_RETRY_AFTER = timedelta(hours=1)
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class WebhookRequest:
    """One try of a delivery, as it leaves."""

    url: str
    body: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class AttemptResult:
    """What came of it: the status and the beginning of the answer, or what the trouble was."""

    at: datetime
    milliseconds: int
    status: int | None = None
    answer: str | None = None
    trouble: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether it has been taken: by 2xx and nothing else, a redirect least of all."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 (HTTP's own numbers)

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint says that it wants no more, ever."""
        return self.status == http.client.GONE

    @property
    def wants_rest(self) -> bool:
        """Whether the endpoint asks for less, for a while."""
        return self.status in (http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE)

    @property
    def is_outage(self) -> bool:
        """Whether it says of the endpoint, and not of this delivery, that it does not work."""
        return self.status is None or self.status >= http.client.INTERNAL_SERVER_ERROR


class Sender:
    """Calls endpoints for a batch, and keeps their connections for it. Safe to share between threads."""

    def __init__(self, *, anywhere: bool, patience: Patience | None = None) -> None:
        """`anywhere` lets private addresses be called, as in development."""
        self._anywhere = anywhere
        self._patience = patience or Patience()
        self._idle: dict[tuple[str, str], list[Connection]] = defaultdict(list)
        self._deadlines = _Deadlines()

    def __enter__(self) -> Self:
        """Begin to watch that no call takes longer than all of it may."""
        self._deadlines.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._deadlines.stop()
        for kept in self._idle.values():
            for connection in kept:
                connection.close()

    def post(self, request: WebhookRequest) -> AttemptResult:
        """Make one try. It raises nothing: whatever goes wrong with an endpoint is what came of the try."""
        at, began = datetime.now(UTC), time.monotonic()
        parts = urlsplit(request.url)
        place = (parts.scheme, parts.netloc)
        connection = self._taken(place)
        ends = began + self._patience.in_all.total_seconds()
        answer, kept = None, b""
        trouble: str | None = None
        try:
            with self._deadlines.kept(connection, ends):
                path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
                connection.request("POST", path, body=request.body.encode(), headers={**_HEADERS, **request.headers})
                answer = connection.getresponse()
                kept = _beginning(answer)
        except (OSError, AddressRefused, http.client.HTTPException, ValueError) as error:
            trouble = _said(error, late=time.monotonic() >= ends)
        if answer is not None and trouble is None and answer.isclosed() and not answer.will_close:
            self._idle[place].append(connection)
        else:
            connection.close()
        milliseconds = int((time.monotonic() - began) * 1000)
        if answer is None:
            return AttemptResult(at=at, milliseconds=milliseconds, trouble=trouble)
        return AttemptResult(
            at=at,
            milliseconds=milliseconds,
            status=answer.status,
            answer=kept[:_KEPT_BYTES].decode(errors="replace").replace("\0", ""),
            trouble=trouble,
            retry_after=_retry_after(answer.getheader("retry-after"), now=at),
        )

    def _taken(self, place: tuple[str, str]) -> Connection:
        with suppress(IndexError):
            # Another thread may have taken the last one since it was seen.
            while True:
                connection = self._idle[place].pop()
                if connection.is_quiet():
                    return connection
                connection.close()
        return Connection(*place, anywhere=self._anywhere, patience=self._patience)


_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"payproc/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


class _Deadlines:
    """Cuts what takes longer than all of it may; each of a call's time-outs counts from the last byte."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Connection, float] = {}
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, name="webhook-deadlines", daemon=True)

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._ended.set()
        self._watch.join()

    def kept(self, connection: Connection, ends: float) -> "_Kept":
        return _Kept(self, connection, ends)

    def add(self, connection: Connection, ends: float) -> None:
        with self._lock:
            self._running[connection] = ends

    def remove(self, connection: Connection) -> None:
        with self._lock:
            del self._running[connection]

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_SECONDS):
            now = time.monotonic()
            # Under the lock: a connection that has ended in time is not cut in its next call.
            with self._lock:
                for connection, ends in self._running.items():
                    if now >= ends:
                        connection.cut()


@dataclass(frozen=True)
class _Kept:
    deadlines: _Deadlines
    connection: Connection
    ends: float

    def __enter__(self) -> None:
        self.deadlines.add(self.connection, self.ends)

    def __exit__(self, *_: object) -> None:
        self.deadlines.remove(self.connection)


def _beginning(answer: http.client.HTTPResponse) -> bytes:
    """Read an answer's body, or as much of it as is read of anybody's; what it says is kept where it breaks off."""
    found = b""
    try:
        while len(found) < _READ_BYTES and not answer.isclosed():
            piece = answer.read1(_READ_BYTES - len(found))
            if not piece:
                break
            found += piece
        if answer.length == 0:
            # All of it is read, which the library notices by one more read, of nothing.
            answer.close()
    except (OSError, http.client.HTTPException):
        # The status was said, and that is what counts.
        answer.close()
        answer.will_close = True
    return found


# In our words: a library's may quote what was sent. Of two that fit the first is said.
_TROUBLES: Sequence[tuple[tuple[type[Exception], ...], str]] = (
    ((TimeoutError,), "no answer in time"),
    ((socket.gaierror,), "its name leads nowhere"),
    ((ssl.SSLCertVerificationError,), "its certificate is not good"),
    ((ssl.SSLError,), "no TLS could be agreed upon"),
    ((ConnectionRefusedError,), "it takes no connections"),
    ((http.client.RemoteDisconnected, ConnectionError), "it hung up before it answered"),
    ((http.client.IncompleteRead,), "it hung up within its answer"),
    ((http.client.HTTPException, ValueError), "it answered what is no HTTP"),
)


def _said(error: Exception, *, late: bool) -> str:
    if late:
        return "no whole answer in time"
    if isinstance(error, AddressRefused):
        return error.message
    found = (words for kinds, words in _TROUBLES if isinstance(error, kinds))
    return next(found, f"it cannot be reached ({type(error).__name__})")


def _retry_after(written: str | None, *, now: datetime) -> timedelta | None:
    """Read `Retry-After`, seconds or a date; None where there is none that can be read, an hour where it is more."""
    if written is None:
        return None
    if _SECONDS.fullmatch(written.strip()):
        wanted = timedelta(seconds=int(written))
    else:
        try:
            named = parsedate_to_datetime(written)
        except ValueError:
            return None
        wanted = named.replace(tzinfo=named.tzinfo or UTC) - now
    return max(timedelta(0), min(wanted, _LONGEST_RETRY_AFTER))
