"""Child processes that may be killed and started again one by one, and the wait until processes are up."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from sandbox.stack.errors import StackFailed
from sandbox.stack.processes import Process, is_up
from sandbox.stack.seeds import ROOT
from sandbox.stack.site import Site

_LOOK_EVERY_SECONDS = 0.05
# The slowest, on two cores that have other things to do, takes ten.
_UP_WITHIN_SECONDS = 60.0
# Longer than a worker needs to finish a call that goes well.
_DOWN_WITHIN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Starting:
    """A process on its way up, and how much of its log is older than this start."""

    process: Process
    seen: int


def log_size(site: Site, process: Process) -> int:
    """Return how much a process had written before."""
    log = site.log(process.name)
    return log.stat().st_size if log.exists() else 0


def wait_until_up(
    site: Site,
    starting: Iterable[Starting],
    *,
    ended: Callable[[str], int | None],
    tell: Callable[[str], None],
) -> None:
    """Return when every process shows its sign; `tell` hears of each, `ended` knows exit codes.

    Raises StackFailed when one ends first or takes too long.
    """
    waiting = {each.process.name: each for each in starting}
    began = time.monotonic()
    pause = threading.Event()
    while waiting:
        for name, each in list(waiting.items()):
            code = ended(name)
            if code is not None:
                raise died(site, name, code)
            if is_up(each.process, _written(site, each)):
                tell(f"{name} is up after {time.monotonic() - began:.1f} s")
                del waiting[name]
        if waiting and time.monotonic() - began > _UP_WITHIN_SECONDS:
            raise _late(site, next(iter(waiting)))
        pause.wait(_LOOK_EVERY_SECONDS)


def _written(site: Site, each: Starting) -> str:
    log = site.log(each.process.name)
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(each.seen)
        return file.read().decode(errors="replace")


def died(site: Site, name: str, code: int) -> StackFailed:
    """Say that a process ended by itself."""
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return StackFailed(f"{name} {how}; its log is {site.log(name)}", log=last_lines(site, name))


def _late(site: Site, name: str) -> StackFailed:
    message = f"{name} is not up after {_UP_WITHIN_SECONDS:.0f} s; its log is {site.log(name)}"
    return StackFailed(message, log=last_lines(site, name))


def last_lines(site: Site, name: str, *, count: int = 12) -> str:
    """Return the end of a process's log."""
    log = site.log(name)
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:]) if log.exists() else ""


class Children:
    """Processes of one site, each in a group of its own, where our terminal's Ctrl-C does not reach it."""

    def __init__(self, site: Site, *, down_within_seconds: float = _DOWN_WITHIN_SECONDS) -> None:
        self._site = site
        self._down_within_seconds = down_within_seconds
        self._environment = site.environment()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def retell(self, site: Site) -> None:
        """Give whatever is started from now on the settings of `site`."""
        self._site = site
        self._environment = site.environment()

    def start(self, processes: Iterable[Process], *, tell: Callable[[str], None]) -> None:
        """Start processes and wait until they are up.

        Raises StackFailed.
        """
        starting = [self._begin(process) for process in processes]
        wait_until_up(self._site, starting, ended=self.ended, tell=tell)

    def _begin(self, process: Process) -> Starting:
        starting = Starting(process=process, seen=log_size(self._site, process))
        log = self._site.log(process.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._running[process.name] = subprocess.Popen(  # noqa: S603 (a command of our own table)
                process.command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return starting

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that was started."""
        return tuple(self._running)

    def pid(self, name: str) -> int:
        """Return the id of a process, which is its group's id, too."""
        return self._running[name].pid

    def ended(self, name: str) -> int | None:
        """Return a process's exit code, or None while it runs."""
        return self._running[name].poll()

    def kill(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children; what ends them is waited for."""
        _signal_group(self._running[name], number)
        if number is signal.SIGKILL:
            self._running[name].wait()

    def resume(self) -> list[str]:
        """Let whatever was stopped go on, and name what has ended."""
        for child in self._running.values():
            if child.poll() is None:
                _signal_group(child, signal.SIGCONT)
        return [name for name in self._running if self.ended(name) is not None]

    def stop(self, names: Iterable[str] | None = None) -> None:
        """End processes, all unless named: politely first, and after ten seconds not politely."""
        ending = [self._running[name] for name in (self._running if names is None else names)]
        for child in ending:
            # Only the process itself: it knows best in which order its own children end.
            child.terminate()
        end = time.monotonic() + self._down_within_seconds
        for child in ending:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, end - time.monotonic()))
            _signal_group(child, signal.SIGKILL)
            child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
