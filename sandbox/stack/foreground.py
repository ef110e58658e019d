"""A stack under honcho in a terminal: every line goes to a log, and problems come to the screen, too."""

import re
import shlex
import sys
import threading
from collections.abc import Callable, Collection
from typing import Any, BinaryIO

from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from rich.console import Console

from sandbox.stack.children import Children, Starting, died, log_size, wait_until_up
from sandbox.stack.errors import StackFailed
from sandbox.stack.processes import processes
from sandbox.stack.seeds import ROOT
from sandbox.stack.site import Site

OnceUp = Callable[[Site, Console], None]

_LOOK_EVERY_SECONDS = 0.5
# How structlog, Celery, gunicorn and Flower mark a line that somebody should read.
_PROBLEM = re.compile(r"\[(warning|error|critical) *\]|: (WARNING|ERROR|CRITICAL)/|\[(WARNING|ERROR|CRITICAL)\]")
# Celery passes what our own log prints on as a warning of its own.
_NO_PROBLEM = re.compile(r"\[(debug|info) *\]")
_STOPPED = re.compile(r"(\S+) stopped \(rc=(-?[0-9]+)\)")


class Screen:
    """What honcho takes for its printer: its own words are its only news of who ended and how."""

    def __init__(self, site: Site, *, when_started: Callable[[], None]) -> None:
        self.width = 0  # honcho sets it
        self.exit_codes: dict[str, int] = {}
        self.asked_to_stop = False
        self._site = site
        self._when_started = when_started
        self._logs: dict[str, BinaryIO] = {}
        self._begun = False

    def write(self, message: Any) -> None:  # noqa: ANN401 (honcho's message, which has no type)
        """Take one line of a process, or of honcho itself."""
        if not self._begun:
            # Honcho forks them all before its first word: no thread of ours is copied half-way through something.
            self._begun = True
            self._when_started()
        if message.name == SYSTEM_PRINTER_NAME:
            self._hear(message.data)
        else:
            self._keep(message.name, message.data)

    def _hear(self, text: str) -> None:
        if " received" in text:
            self.asked_to_stop = True
        stopped = _STOPPED.match(text)
        if stopped:
            self.exit_codes[stopped[1]] = int(stopped[2])

    def _keep(self, name: str, line: bytes) -> None:
        if name not in self._logs:
            self._logs[name] = self._site.log(name).open("ab", buffering=0)
        self._logs[name].write(line)
        text = line.decode(errors="replace").rstrip()
        if _PROBLEM.search(text) and not _NO_PROBLEM.search(text) and not self.asked_to_stop:
            print(f"{name}: {text}", file=sys.stderr, flush=True)  # noqa: T201 (a terminal is what this is for)

    def close(self) -> None:
        """Close the logs."""
        for log in self._logs.values():
            log.close()


class Run:
    """One run in the foreground, from the start of its processes to the end of the last."""

    def __init__(self, site: Site, children: Children, console: Console, *, once_up: Collection[OnceUp]) -> None:
        self._site = site
        self._servers = children
        self._once_up = once_up
        self._console = console
        self._over = threading.Event()
        self._failure: StackFailed | None = None
        self._starting = [Starting(process=each, seen=log_size(site, each)) for each in processes(site)]
        self._watch = threading.Thread(target=self._watch_over, name="watch", daemon=True)
        self._screen = Screen(site, when_started=self._watch.start)
        self._manager = Manager(printer=self._screen)

    def __call__(self) -> None:
        """Start everything, do what is to be done once it is up, and return when somebody pressed Ctrl-C.

        Raises StackFailed when a process ends by itself or does not come up.
        """
        for each in self._starting:
            command = f"exec {shlex.join(each.process.command)}"
            self._manager.add_process(each.process.name, command, env=self._site.environment(), cwd=ROOT)
        self._manager.loop()
        self._over.set()
        self._watch.join()
        self._screen.close()
        if self._screen.asked_to_stop:
            self._console.print("stopped; the next start goes on from here")
        elif self._failure is not None:
            raise self._failure
        else:
            name, code = next(iter(self._screen.exit_codes.items()))
            raise died(self._site, name, code)

    def _watch_over(self) -> None:
        try:
            with self._console.status("starting…"):
                wait_until_up(self._site, self._starting, ended=self._ended, tell=self._console.print)
            for act in self._once_up:
                act(self._site, self._console)
            while not self._over.wait(_LOOK_EVERY_SECONDS):
                self._check_redis()
        except StackFailed as failed:
            self._failure = failed
            self._manager.terminate()

    def _ended(self, name: str) -> int | None:
        return self._screen.exit_codes.get(name)

    def _check_redis(self) -> None:
        # Honcho looks after all the others.
        code = self._servers.ended("redis")
        if code is not None:
            raise died(self._site, "redis", code)


def run(site: Site, children: Children, console: Console, *, once_up: Collection[OnceUp]) -> None:
    """Run the processes above PostgreSQL and Redis until Ctrl-C or SIGTERM; `once_up` is done in order when all are up.

    Raises StackFailed when a process ends by itself or does not come up.
    """
    Run(site, children, console, once_up=once_up)()


def print_failure(failed: StackFailed) -> None:
    """Say in one line what went wrong, below the last words of whoever failed."""
    if failed.log:
        print(failed.log, file=sys.stderr)  # noqa: T201 (a terminal is what this is for)
    print(f"make up: {failed}", file=sys.stderr)  # noqa: T201 (the same)
