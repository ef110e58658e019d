"""Waiting for what other threads and processes do."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_LOOK_EVERY_SECONDS = 0.02


def wait_until(condition: Callable[[], Found | None], *, seconds: float = 40, what: str = "the condition") -> Found:
    """Return the condition's first true value; fail after so many seconds."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} never came true"
        pause.wait(_LOOK_EVERY_SECONDS)
    return value
