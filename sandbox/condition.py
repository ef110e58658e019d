"""How threads that have nothing to do are told that there may be something."""

import threading


class CountingCondition:
    """A condition that counts. Who waits says which count was seen, so that nothing between look and wait is missed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._stopped = False

    @property
    def count(self) -> int:
        """How often it was notified so far."""
        return self._count

    @property
    def stopped(self) -> bool:
        """Whether everybody shall go home."""
        return self._stopped

    def notify(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake everybody for the last time."""
        self._stopped = True
        self.notify()

    def wait(self, seen: int, seconds: float | None) -> None:
        """Return once the count is past the one that was `seen`, or when the seconds are over."""
        # The store is never touched while the condition is held: callers notify it inside transactions, and two
        # locks taken in two orders is a deadlock.
        with self._changed:
            if self._count == seen and not self._stopped:
                self._changed.wait(seconds)
