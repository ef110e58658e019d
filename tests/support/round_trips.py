"""tests/support/round_trips.py: what a request or a batch says to PostgreSQL, counted on the wire.

A Unix socket stands before the server's own, and all that a test's application sends passes through it. Nothing that
runs in the client can say as much: SQLAlchemy's events never see BEGIN, COMMIT or a pool's ping, psycopg's cursors not
what its pipeline sends together, and a wrapped connection misses whoever opens one by another way.

Have the whole application go through it, by a fixture of the test's module, and count once it is warm: psycopg prepares
a statement at its sixth use, which is a round trip of its own.

    @pytest.fixture
    def settings(wire: Wire) -> Settings:
        return settings_of_a_test(wire.url)

    with wire.counted() as counted:
        world.drain_once()
    assert len(counted.round_trips) <= 7, counted
"""

import selectors
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url

_SOCKET = ".s.PGSQL.5432"
_CHUNK = 65536
_PROTOCOL_3 = 196608
_TERMINATE = b"X\x00\x00\x00\x04"


@dataclass
class Counted:
    """What was said meanwhile: a list of statements for each time that the client spoke and awaited the answer.

    BEGIN, COMMIT and a ping are statements like all others; several in one round trip came through a pipeline. One
    without a statement prepares one, or opens a session.
    """

    round_trips: list[list[str]] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        return [statement for trip in self.round_trips for statement in trip]

    def __str__(self) -> str:
        """A line for each round trip, for a test that fails."""
        shown = ("; ".join(" ".join(statement.split())[:110] for statement in trip) for trip in self.round_trips)
        return "\n".join(f"{number:3} {line or '-'}" for number, line in enumerate(shown, start=1))


class _Session:
    """One connection's two ends, and how far its client has been understood."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.client_spoke_last = False
        self.trip: list[str] = []
        self._began = False
        self._unread = b""
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def statements(self, data: bytes) -> Iterator[str]:
        """Read the client's messages: which statements does this run?"""
        self._unread += data
        while (message := self._next_message()) is not None:
            kind, body = message
            match kind:
                case b"Q":
                    yield body.rstrip(b"\0").decode()
                case b"P":
                    name, text, _ = body.split(b"\0", 2)
                    self._prepared[name] = text.decode()
                case b"B":
                    portal, name, _ = body.split(b"\0", 2)
                    self._portals[portal] = self._prepared[name]
                case b"E":
                    yield self._portals[body.partition(b"\0")[0]]

    def _next_message(self) -> tuple[bytes, bytes] | None:
        kind_length = 1 if self._began else 0
        head = kind_length + 4
        if len(self._unread) < head:
            return None
        end = kind_length + int.from_bytes(self._unread[kind_length:head])
        if len(self._unread) < end:
            return None
        kind, body, self._unread = self._unread[:kind_length], self._unread[head:end], self._unread[end:]
        # Before the first message of version 3 there may be questions about encryption.
        self._began = self._began or int.from_bytes(body[:4]) == _PROTOCOL_3
        return kind, body


class Wire:
    """A socket before PostgreSQL's own that counts what passes; `url` names the test's database behind it."""

    def __init__(self, url: str, directory: Path) -> None:
        parsed = make_url(url)
        self._behind = f"{parsed.query['host']}/{_SOCKET}"
        self.url = parsed.set(query={"host": str(directory)}).render_as_string(hide_password=False)
        self._counted = Counted()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen()
        self._bell, self._rung = socket.socketpair()
        for waited_for in (self._listener, self._rung):
            self._selector.register(waited_for, selectors.EVENT_READ)
        # One thread hears both sides of every session, so what it counts is in the order in which it happened; and a
        # client has its answer only after what it asked was counted.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @contextmanager
    def counted(self) -> Iterator[Counted]:
        """Count what is said meanwhile, by every session."""
        counted, before = Counted(), self._counted
        self._counted = counted
        try:
            yield counted
        finally:
            self._counted = before

    def stop(self) -> None:
        self._bell.send(b"x")
        self._thread.join()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._rung:
                    self._close()
                    return
                if key.fileobj is self._listener:
                    self._take_in()
                elif self._is_open(key):
                    self._pass_on(key.data, from_client=key.fileobj is key.data.client)

    def _is_open(self, key: selectors.SelectorKey) -> bool:
        # Its session may have ended since, and its number may be that of one that has begun.
        there = self._selector.get_map().get(key.fd)
        return there is not None and there.fileobj is key.fileobj

    def _take_in(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._behind)
        session = _Session(client, server)
        for end in (client, server):
            self._selector.register(end, selectors.EVENT_READ, session)

    def _pass_on(self, session: _Session, *, from_client: bool) -> None:
        source, target = (session.client, session.server)[:: 1 if from_client else -1]
        try:
            data = source.recv(_CHUNK)
            if from_client:
                self._count(session, data)
            session.client_spoke_last = from_client
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for end in (session.client, session.server):
                self._selector.unregister(end)
                end.close()

    def _count(self, session: _Session, data: bytes) -> None:
        if data in (b"", _TERMINATE):
            return
        if not session.client_spoke_last:
            session.trip = []
            self._counted.round_trips.append(session.trip)
        session.trip.extend(session.statements(data))

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # only sockets are waited for
        self._selector.close()
        self._bell.close()


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    """The way to a clean database of this test's own, counted."""
    # Not below the test's own directory: the name of a socket has an end after some hundred characters.
    with tempfile.TemporaryDirectory() as directory:
        made = Wire(database_url, Path(directory))
        yield made
        made.stop()
