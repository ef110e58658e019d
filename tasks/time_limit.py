"""A task's soft time limit, as something that nobody but the runner catches."""

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_STDERR = 2


class TimeLimitReached(BaseException):
    """This task has had its time.

    Not an Exception, as Celery's own is: a library that catches all of those makes it its peer's failure (Stripe's SDK
    a lost connection), and the job is tried again for ever, without progress and without anybody being told.
    """


def raise_as_ours() -> None:
    """Have the limit of the task that begins raise TimeLimitReached. Threads have no limit, and are left alone."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGUSR1, _interrupt)


@contextmanager
def limited(*, soft: float, hard: float) -> Iterator[None]:
    """Interrupt what runs in the main thread after `soft` seconds, and end the process after `hard` ones.

    The end needs nothing of what runs: a thread of C's own brings it about, also where no Python code gets its turn. It
    says where every thread was.
    """
    signal.signal(signal.SIGALRM, _interrupt)
    # sys.stderr may be Celery's, which is no file.
    faulthandler.dump_traceback_later(hard, exit=True, file=_STDERR)
    signal.setitimer(signal.ITIMER_REAL, soft)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TimeLimitReached
