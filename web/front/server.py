"""Who comes in: connections are bounded in all and for each address, and the slowest give way."""

import heapq
import socket
import struct
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer

from web.front.channel import Channel
from web.front.connections import Connections
from web.front.lanes import Crew, Lane
from web.front.limits import Limits

log = structlog.get_logger()

# How many give way at once: to find them means to look at all.
_GIVE_WAY = 64
# An answer of ours stays below it, a list of payments as CSV too: a thread never waits for its reader.
_ANSWER = 64 * 1024 * 1024
# What the kernel keeps unsent for a reader who does not read; the rest stays ours, where it is counted.
_UNSENT = 128 * 1024
_RESET = struct.pack("ii", 1, 0)


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """One listening socket of a process, and the connections that came through it."""

    channel_class = Channel

    def __init__(
        self,
        application: Any,  # noqa: ANN401 (any WSGI application)
        connections: Connections,
        *,
        listener: socket.socket,
        limits: Limits,
        crews: Mapping[Lane, Crew],
    ) -> None:
        self.limits = limits
        self.is_stopping = False
        self._crews = crews
        self._of_an_address: Counter[str] = Counter()
        self._turned_away = 0
        address = (listener.family, listener.type, listener.proto, listener.getsockname())
        # Its own dispatcher would start threads; the crews are ours.
        super().__init__(
            application, connections, _sock=listener, dispatcher=crews[Lane.REQUESTS], bind_socket=False,
            sockinfo=address, adj=_adjustments(listener, limits),
        )  # fmt: skip

    def readable(self) -> bool:
        """Tell whether connections are accepted. What waitress does here besides, `sweep` does."""
        return bool(self.accepting)

    def add_task(self, channel: Channel) -> None:
        """Let a request that has come whole be carried out."""
        self._crews[channel.lane].add_task(channel)

    def handle_accept(self) -> None:
        """Take in the next who waits at the door: one in a turn, so that the processes share a crowd."""
        try:
            accepted, address = self.socket.accept()
        except OSError:
            # The other process was faster, or the peer has gone again.
            return
        try:
            self._take_in(accepted, address[0], address)
        except OSError:
            accepted.close()

    def _take_in(self, accepted: socket.socket, host: str, address: tuple[Any, ...]) -> None:
        if len(self.active_channels) >= self.limits.connections:
            self._make_room()
        if self.limits.of_an_address is not None and self._of_an_address[host] >= self.limits.of_an_address:
            self._turned_away += 1
            _reset(accepted)
            accepted.close()
            return
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        self.channel_class(self, accepted, address, self.adj, map=self._map)
        self._of_an_address[host] += 1

    def left(self, channel: Channel) -> None:
        """Count a connection no more."""
        address = channel.addr[0]
        self._of_an_address[address] -= 1
        if not self._of_an_address[address]:
            del self._of_an_address[address]

    def sweep(self, now: float) -> None:
        """End what takes longer than it may; once a second is often enough."""
        overdue = [channel for channel in self.active_channels.values() if channel.is_overdue(now)]
        for channel in overdue:
            _end(channel)
        self._let_go_of_buffered()
        if overdue or self._turned_away:
            log.info("front", too_slow=len(overdue), turned_away=self._turned_away, open=len(self.active_channels))
            self._turned_away = 0

    def _let_go_of_buffered(self) -> None:
        held = {channel: size for channel in self.active_channels.values() if (size := channel.holds)}
        excess = sum(held.values()) - self.limits.buffered
        for channel in sorted(held, key=_waits_longest):
            if excess <= 0:
                return
            excess -= held[channel]
            _end(channel)

    def _make_room(self) -> None:
        for channel in heapq.nsmallest(_GIVE_WAY, self.active_channels.values(), key=_waits_longest):
            if channel.waits_since is not None:
                _end(channel)

    def stop_accepting(self) -> None:
        """Take nobody in any more; who is here may finish."""
        self.is_stopping = True
        self.del_channel()
        self.accepting = False
        self.socket.close()

    def end_idle(self) -> int:
        """End the connections on which nothing is under way, and return how many others there are."""
        for channel in list(self.active_channels.values()):
            if channel.is_idle:
                _end(channel)
        return len(self.active_channels)


def _adjustments(listener: socket.socket, limits: Limits) -> Adjustments:
    return Adjustments(
        sockets=[listener],
        # The application reads X-Forwarded-For itself, where there are proxies (FORWARDED_HOPS).
        clear_untrusted_proxy_headers=False,
        ident=None,
        log_socket_errors=False,
        max_request_header_size=limits.head,
        # waitress refuses what is as large as this; the application's own limit is the body's.
        max_request_body_size=limits.body + 1,
        outbuf_high_watermark=_ANSWER,
    )


def _waits_longest(channel: Channel) -> float:
    since: float | None = channel.waits_since
    return time.monotonic() if since is None else since


def _end(channel: Channel) -> None:
    # Reset, not closed: the kernel would go on keeping what the peer does not take.
    with suppress(OSError):
        _reset(channel.socket)
    channel.handle_close()


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
