"""A process of the front: gunicorn's master starts it, watches it, replaces it when it dies, and asks it to stop."""

import os
import time
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn.errors import AppImportError
from gunicorn.workers.base import Worker

from web.front.connections import Connections
from web.front.lanes import Crew, Lane, Servable
from web.front.limits import Limits, raise_descriptors
from web.front.server import Server

if TYPE_CHECKING:
    from payproc.application import Application
    from web.api.intake import Intake

# Beside those of Lane.REQUESTS (config.py). Two of the three may wait (web/request/idempotent.py); the third says "202"
# to all others who would like to. While the notices of one thread are being stored, the other takes those that come.
_THREADS = {Lane.NOTICES: 2, Lane.LIVENESS: 1, Lane.FILES: 1, Lane.WAITS: 3}
_ONE_BY_ONE: frozenset[Lane] = frozenset(Lane) - {Lane.NOTICES}
_SWEEP_SECONDS = 1.0
# While it stops, requests end at any moment.
_LAST_TURNS_SECONDS = 0.05


class FrontWorker(Worker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's process, waitress' way with connections."""

    def __init__(self, *rest: Any, **named: Any) -> None:  # noqa: ANN401 (gunicorn's own)
        super().__init__(*rest, **named)
        self._servers: list[Server] = []

    def load_wsgi(self) -> None:
        """Load the application.

        Raises AppImportError where it refuses to start: gunicorn ends with it, instead of starting it for ever.
        """
        try:
            super().load_wsgi()
        except SystemExit as refused:
            raise AppImportError(str(refused)) from None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop, at once."""
        super().handle_exit(sig, frame)
        for server in self._servers:
            server.pull_trigger()

    def run(self) -> None:
        """Serve until the master says otherwise or is gone; then finish what is under way."""
        connections = Connections()
        limits, crews = self._limits(), self._crews()
        self._servers = [
            Server(self.wsgi, connections, listener=listener.sock, limits=limits, crews=crews)
            for listener in self.sockets
        ]
        swept = time.monotonic()
        while self.alive and os.getppid() == self.ppid:
            connections.turn(_SWEEP_SECONDS)
            if time.monotonic() - swept >= _SWEEP_SECONDS:
                swept = time.monotonic()
                self._sweep(swept)
        self._finish(connections)

    def _limits(self) -> Limits:
        settings = _settings_of(self.wsgi)
        return Limits(
            connections=min(Limits.connections, raise_descriptors()),
            of_an_address=None if settings.forwarded_hops else settings.connections_per_address,
        )

    def _crews(self) -> dict[Lane, Crew]:
        crews = {lane: Crew(lane, threads=_THREADS.get(lane, self.cfg.threads)) for lane in _ONE_BY_ONE}
        return crews | {Lane.NOTICES: self._notices()}

    def _notices(self) -> Crew:
        # What waits is kept together, where the application knows how.
        intake: Intake | None = self.wsgi.extensions.get("intake")
        threads = _THREADS[Lane.NOTICES]
        if intake is None:
            return Crew(Lane.NOTICES, threads=threads)
        return Crew(Lane.NOTICES, threads=threads, most=intake.most, prepare=partial(_take, intake))

    def _sweep(self, now: float) -> None:
        self.notify()
        for server in self._servers:
            server.sweep(now)

    def _finish(self, connections: Connections) -> None:
        for server in self._servers:
            server.stop_accepting()
        end = time.monotonic() + self.cfg.graceful_timeout
        while sum(server.end_idle() for server in self._servers) and time.monotonic() < end:
            connections.turn(_LAST_TURNS_SECONDS)
            self._sweep(time.monotonic())


def _settings_of(app: Any) -> Any:  # noqa: ANN401 (whatever the command named)
    core: Application = app.extensions["payproc"]
    return core.settings


def _take(intake: "Intake", channels: Sequence[Servable]) -> None:
    intake.take([channel.request_environ() for channel in channels])
