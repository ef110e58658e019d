"""What a process has open, and the loop that waits for all of it at once."""

import select
from collections import deque
from contextlib import suppress
from typing import Any

from waitress import wasyncore

_READ = select.EPOLLIN | select.EPOLLPRI
_WRITE = select.EPOLLOUT
_GONE = select.EPOLLERR | select.EPOLLHUP


class Connections(dict[int, Any]):
    """Everything that is open, by descriptor: waitress' map, over epoll.

    waitress' own loop asks each connection in each turn what it waits for: with four thousand silent ones that is all
    a core does. Here the kernel remembers what it was told, and it is told little: a connection whose request is with
    a thread stays armed, and rests only if its peer goes on sending.
    """

    def __init__(self) -> None:
        super().__init__()
        self._epoll = select.epoll()
        self._armed: dict[int, int] = {}
        self._resting: set[int] = set()
        # What threads have changed. A deque takes from any thread.
        self._changed: deque[int] = deque()

    def __setitem__(self, descriptor: int, opened: Any) -> None:  # noqa: ANN401 (waitress' objects, which have no types)
        super().__setitem__(descriptor, opened)
        self._armed[descriptor] = _READ
        self._epoll.register(descriptor, _READ)

    def __delitem__(self, descriptor: int) -> None:
        super().__delitem__(descriptor)
        del self._armed[descriptor]
        self._resting.discard(descriptor)
        with suppress(OSError):
            self._epoll.unregister(descriptor)

    def rests(self, descriptor: int) -> bool:
        """Tell whether nothing that happens to this one is heard, until it is said that a thread has changed it."""
        return descriptor in self._resting

    def changed(self, descriptor: int) -> None:
        """Ask this one in the next turn what it waits for; for threads, who then wake the loop."""
        self._changed.append(descriptor)

    def turn(self, seconds: float) -> None:
        """Wait until something happens, at most so long, and let each connection see to what happened to it."""
        # Those that rest are asked in every turn: a thread that was done just before told nobody.
        self._changed.extend(self._resting)
        while self._changed:
            descriptor = self._changed.popleft()
            if descriptor in self:
                self._arm(descriptor, _wanted(self[descriptor]))
        for descriptor, happened in self._epoll.poll(seconds):
            if descriptor in self:
                self._see_to(descriptor, self[descriptor], happened)

    def _see_to(self, descriptor: int, opened: Any, happened: int) -> None:  # noqa: ANN401 (waitress' objects)
        due = happened & (_wanted(opened) | _GONE)
        if due:
            wasyncore.readwrite(opened, due)
        if self.get(descriptor) is not opened:
            return
        wanted = _wanted(opened)
        if due and not wanted:
            # Its request has come whole. What follows is seldom there before the answer: the kernel need not be told.
            return
        self._arm(descriptor, wanted)

    def _arm(self, descriptor: int, wanted: int) -> None:
        if wanted != self._armed[descriptor]:
            self._armed[descriptor] = wanted
            self._epoll.modify(descriptor, wanted)
        if wanted:
            self._resting.discard(descriptor)
        else:
            self._resting.add(descriptor)


def _wanted(opened: Any) -> int:  # noqa: ANN401 (waitress' objects)
    return (_READ if opened.readable() else 0) | (_WRITE if opened.writable() else 0)
