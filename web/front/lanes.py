"""Which threads carry out a request. What is jammed in one lane holds up no other."""

import queue
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import structlog

from payproc.operations import logs
from web.api.locations import PAYMENTS

log = structlog.get_logger()


class Lane(StrEnum):
    """A kind of request, by what it may have to wait for."""

    # What providers tell us: each is one statement, and none waits behind a customer.
    NOTICES = "notices"
    # Whether this process lives: nobody else is asked, and nobody is waited for.
    LIVENESS = "liveness"
    # The same for everybody, and many at once may want them.
    FILES = "files"
    # Whoever asked to wait for the provider (Prefer: wait) holds a thread for as long as half a minute.
    WAITS = "waits"
    REQUESTS = "requests"


_NOTICES = re.compile(rf"{PAYMENTS}/(webhook/stripe|[^/]+/notify)/?")
_LIVENESS = re.compile(r"/healthz/?")
_FILES = re.compile(r"/(openapi\.json|docs(/.*)?|(pay|console)/assets/.+)/?")


def lane_of(path: str, *, prefer: str = "") -> Lane:
    """Say in which lane a request travels, by its path and its header Prefer."""
    if _NOTICES.fullmatch(path):
        return Lane.NOTICES
    if _LIVENESS.fullmatch(path):
        return Lane.LIVENESS
    if _FILES.fullmatch(path):
        return Lane.FILES
    return Lane.WAITS if "wait" in prefer.lower() else Lane.REQUESTS


class Servable(Protocol):
    """A connection whose request has come whole."""

    def request_environ(self) -> dict[str, Any]:
        """Return the request as WSGI has it."""

    def service(self) -> None:
        """Carry the request out and answer it."""


class Crew:
    """The threads of a lane, and what waits for them."""

    def __init__(
        self, lane: Lane, *, threads: int, most: int = 1, prepare: Callable[[Sequence[Servable]], None] | None = None
    ) -> None:
        """Start the threads; each takes as many as wait, at most so many, has them prepared and carries them out."""
        self._waiting: queue.SimpleQueue[Servable] = queue.SimpleQueue()
        self._most, self._prepare = most, prepare
        for number in range(threads):
            # They end with the process, which first waits for the requests: nothing of a request is lost.
            threading.Thread(target=self._work, name=f"{lane}-{number}", daemon=True).start()

    def add_task(self, servable: Servable) -> None:
        """Let the next free thread carry this request out."""
        self._waiting.put(servable)

    def _work(self) -> None:
        while True:
            taken = self._next()
            if self._prepare is not None:
                _guarded(partial(self._prepare, taken))
            for servable in taken:
                _guarded(servable.service)

    def _next(self) -> list[Servable]:
        taken = [self._waiting.get()]
        with suppress(queue.Empty):
            while len(taken) < self._most:
                taken.append(self._waiting.get_nowait())
        return taken


def _guarded(step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as defect:
        log.exception("a defect in the front", **logs.described(defect))
