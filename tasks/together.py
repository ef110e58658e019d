"""`python -m tasks.together relay "worker -n notices@%h -Q notices --pool alone" …`: processes forked from one.

Each argument is the relay, or what `celery -A tasks.tasks` would be told. What all of them import is read once and
shared, which is most of what each holds. Each is a process of its own all the same: it dies alone and is started again.
"""

import gc
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import structlog
from celery.concurrency import ALIASES
from celery.signals import worker_init
from sqlalchemy.orm import configure_mappers

from payproc.bootstrap import application_from, load_settings
from payproc.operations import logs
from payproc.settings.connections import worker_pools
from tasks import relay
from tasks.process import check
from tasks.tasks import app

log = structlog.get_logger()

# Whatever fails at once does so again.
_PAUSE_SECONDS = 1.0
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
# What Celery's workers import as they begin.
_LATE = (
    *("celery.app.amqp", "celery.app.control", "celery.app.events", "celery.app.log", "celery.apps.worker"),
    *("celery.bin.celery", "billiard.pool", "celery.concurrency.thread", "celery.worker.autoscale", "tasks.alone"),
    *("celery.worker.components", "celery.worker.consumer", "celery.worker.consumer.delayed_delivery"),
    *("celery.worker.loops", "celery.worker.pidbox", "celery.worker.strategy", "kombu.transport.redis"),
)


class Together:
    """One process is forked for each of `commands`, and another where it has ended."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._running: dict[int, str] = {}
        self._stopping = False

    def run(self) -> None:
        """Return when all have been told to stop, and have."""
        for number in _STOPS:
            signal.signal(number, self._pass_on)
        for command in self._commands:
            self._start(command)
        while self._running:
            pid, status = os.wait()
            command, code = self._running.pop(pid), os.waitstatus_to_exitcode(status)
            if not self._stopping:
                # Without an error it has done as many tasks as one process does.
                if code:
                    log.warning("ended; it is started again", command=command, code=code)
                    time.sleep(_PAUSE_SECONDS)
                self._start(command)

    def _start(self, command: str) -> None:
        # Whoever is told to stop between its fork and its own handlers ends as the signal says.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        if not self._stopping:
            pid = os.fork()
            if pid == 0:
                _become(command)
            self._running[pid] = command
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

    def _pass_on(self, number: int, _frame: object) -> None:
        self._stopping = True
        for pid in self._running:
            os.kill(pid, number)


def _become(command: str) -> NoReturn:
    with suppress(OSError):
        # All have the same command line; so ps and top tell them apart.
        Path("/proc/self/comm").write_text(_title(command))
    for number in _STOPS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    if command == "relay":
        relay.main()
        sys.exit()
    app.start(shlex.split(command))
    sys.exit()


def _title(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("-n") + 1].partition("@")[0] if "-n" in words else words[0]


def _prepare() -> None:
    """Have in memory what each will need, in pages that stay as they are."""
    # Before Celery's command line reads which pools there are.
    ALIASES["alone"] = "tasks.alone:TaskPool"
    for name in _LATE:
        import_module(name)
    settings = load_settings()
    logs.configure(settings)
    # Nobody's: what it imports and puts together for good is there for those that each process makes for itself.
    application_from(settings, pools=worker_pools(settings))
    configure_mappers()
    app.finalize()
    # A collection writes into every object that it looks at, and a page that is written is shared no more.
    gc.collect()
    gc.freeze()


def main() -> None:
    """Run until SIGTERM, SIGINT or SIGQUIT, which go on to each process."""
    check()
    worker_init.disconnect(check)
    _prepare()
    Together(sys.argv[1:]).run()


if __name__ == "__main__":
    main()
