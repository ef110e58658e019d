"""How threads that have nothing to do are told that there may be something."""

import threading


class Bell:
    """A counter to wait on. Who waits says what was heard last, so that no ring between look and wait is missed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0
        self._stopped = False

    @property
    def heard(self) -> int:
        """How often it rang so far."""
        return self._rings

    @property
    def stopped(self) -> bool:
        """Whether everybody shall go home."""
        return self._stopped

    def ring(self) -> None:
        """Wake everybody who waits."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Wake everybody for the last time."""
        self._stopped = True
        self.ring()

    def wait(self, heard: int, seconds: float | None) -> None:
        """Return at the next ring after the `heard` one, or when the seconds are over."""
        # The store is never touched while the bell is held: callers ring it inside transactions, and two
        # locks taken in two orders is a deadlock.
        with self._changed:
            if self._rings == heard and not self._stopped:
                self._changed.wait(seconds)
