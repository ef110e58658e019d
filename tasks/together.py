"""`python -m tasks.together relay "worker -n notices@%h -Q notices --pool alone" …`: processes forked from one.

Each argument is the relay, or what `celery -A tasks.tasks` would be told. What all of them import is read once and
shared, which is most of what each holds. Each is a process of its own all the same: it dies alone and is started again.
"""

import gc
import os
import platform
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import structlog
from celery.bin.base import CLIContext
from celery.concurrency import ALIASES
from celery.signals import worker_init
from click import Context, Group
from sqlalchemy.orm import configure_mappers

from payproc.bootstrap import application_from, load_settings
from payproc.database.engine import PASSING_TROUBLE, Database
from payproc.operations import logs
from payproc.settings import Settings
from payproc.settings.connections import worker_pools
from tasks import relay
from tasks.process import bequeath, check
from tasks.tasks import app

log = structlog.get_logger()

Start = Callable[[], object]

# Whatever fails at once does so again.
_PAUSE_SECONDS = 1.0
_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
# What Celery's workers and beat import as they begin.
_LATE = (
    *("billiard.pool", "celery.app.amqp", "celery.app.control", "celery.app.events", "celery.app.log"),
    *("celery.apps.beat", "celery.apps.worker", "celery.concurrency.thread"),
    *("celery.worker.autoscale", "celery.worker.components", "celery.worker.consumer"),
    *("celery.worker.consumer.delayed_delivery", "celery.worker.loops", "celery.worker.pidbox"),
    *("celery.worker.strategy", "tasks.alone"),
)


# Celery's own command line would load every command there is, and a shell for them.
_COMMANDS = {"worker": "celery.bin.worker", "beat": "celery.bin.beat", "flower": "flower.command"}


class Together:
    """One process is forked for each of the commands, which `starts` names, and another where it has ended."""

    def __init__(self, starts: Mapping[str, Start]) -> None:
        self._starts = starts
        self._running: dict[int, str] = {}
        self._stopping = False

    def run(self) -> None:
        """Return when all have been told to stop, and have."""
        for number in _STOPS:
            signal.signal(number, self._pass_on)
        for command in self._starts:
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
                _become(command, self._starts[command])
            self._running[pid] = command
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)

    def _pass_on(self, number: int, _frame: object) -> None:
        self._stopping = True
        for pid in self._running:
            os.kill(pid, number)


def _become(command: str, start: Start) -> NoReturn:
    with suppress(OSError):
        # All have the same command line; so ps and top tell them apart.
        Path("/proc/self/comm").write_text(_title(command))
    for number in _STOPS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    start()
    sys.exit()


def _title(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("-n") + 1].partition("@")[0] if "-n" in words else words[0]


class _Told:
    """Stands where Celery's command line makes a worker, or beat, and starts it: it keeps what that is told."""

    exitcode = 0

    def __init__(self, kept: dict[str, Any], /, **told: Any) -> None:  # noqa: ANN401 (Celery's options)
        kept.update(told)

    def start(self) -> None:
        """Do nothing."""

    run = start


def _start_of(command: str, settings: Settings) -> Start:
    """Return what a command comes to: what is read and put together here, no process does for itself."""
    if command == "relay":
        made = relay.relay_of(settings)
        _connect_once(made.database)
        return partial(relay.serve, made)
    words = shlex.split(command)
    match words[0]:
        case "worker":
            return partial(_work, **_told("Worker", words))
        case "beat":
            return partial(_tick, **_told("Beat", words))
        case _:
            return partial(_run, words)


def _told(program: str, words: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    setattr(app, program, partial(_Told, kept))
    _run(words)
    delattr(app, program)
    return kept


def _run(words: list[str]) -> None:
    name, *options = words
    celery = Context(Group("celery"), obj=CLIContext(app=app, no_color=False, workdir=None))
    command = getattr(import_module(_COMMANDS[name]), name)
    command.main(options, prog_name=name, parent=celery, standalone_mode=False)


def _work(**told: Any) -> None:  # noqa: ANN401 (Celery's options)
    worker = app.Worker(**told)
    worker.start()
    sys.exit(worker.exitcode)


def _tick(**told: Any) -> None:  # noqa: ANN401 (Celery's options)
    app.Beat(**told).run()


def _connect_once(database: Database) -> None:
    """Have the driver and the dialect know their server. Whoever is forked opens connections of its own."""
    with suppress(*PASSING_TROUBLE):
        database.room()
    database.dispose()


def _prepared(commands: list[str]) -> dict[str, Start]:
    """Have in memory what each will need, in pages that stay as they are; return what each command comes to."""
    # Before Celery's command line reads which pools there are.
    ALIASES["alone"] = "tasks.alone:TaskPool"
    for name in _LATE:
        import_module(name)
    # And the transport's module, of the broker's kind.
    assert app.connection_for_write().transport_cls
    settings = load_settings()
    logs.configure(settings)
    made = application_from(settings, pools=worker_pools(settings))
    _connect_once(made.database)
    bequeath(made)
    configure_mappers()
    app.finalize()
    app.loader.init_worker()
    # Celery's banner asks for both.
    assert app.backend
    platform.platform()
    starts = {command: _start_of(command, settings) for command in commands}
    # A collection writes into every object that it looks at, and a page that is written is shared no more.
    gc.collect()
    gc.freeze()
    return starts


def main() -> None:
    """Run until SIGTERM, SIGINT or SIGQUIT, which go on to each process."""
    check()
    worker_init.disconnect(check)
    Together(_prepared(sys.argv[1:])).run()


if __name__ == "__main__":
    main()
