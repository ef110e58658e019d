"""A task's soft time limit, as something that nobody but the runner catches."""

import signal
import threading
from types import FrameType
from typing import NoReturn


class TimeLimitReached(BaseException):
    """This task has had its time.

    Not an Exception, as Celery's own is: a library that catches all of those makes it its peer's failure (Stripe's SDK
    a lost connection), and the job is tried again for ever, without progress and without anybody being told.
    """


def raise_as_ours() -> None:
    """Have the limit of the task that begins raise TimeLimitReached. Threads have no limit, and are left alone."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGUSR1, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeLimitReached
