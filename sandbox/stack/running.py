"""All of payproc on one machine: `python -m sandbox.stack`, or `running_stack` from a test."""

import argparse
import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.console import Console

from sandbox.demo import history
from sandbox.stack import accounts, foreground, generated_secrets, seeds, servers, shell
from sandbox.stack.children import Children
from sandbox.stack.errors import StackFailed
from sandbox.stack.ports import Ports
from sandbox.stack.processes import processes_apart, redis
from sandbox.stack.site import Site
from sandbox.stack.stale_processes import end_stale_processes, only_stack_in, watched
from sandbox.stack.welcome import welcome

DEFAULT_PORT = 8400
_HIGHEST_BASE = 65_400


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that runs as children of this process, each of which can be killed and started again."""

    site: Site
    _children: Children

    @property
    def web_url(self) -> str:
        """Where payproc answers."""
        return self.site.web_url

    @property
    def gateway_url(self) -> str:
        """Where the simulator answers, and the mail page."""
        return self.site.gateway_url

    @property
    def flower_url(self) -> str:
        """Where Flower answers."""
        return self.site.flower_url

    @property
    def flower_login(self) -> tuple[str, str]:
        """User and password of Flower."""
        return self.site.flower_login

    @property
    def database_url(self) -> str:
        """Where the record is."""
        return self.site.database_url

    @property
    def broker_url(self) -> str:
        """Where Celery's messages go."""
        return self.site.broker_url

    @property
    def keys(self) -> Mapping[str, str]:
        """The seeded API keys: customer, shop, operator, admin."""
        return self.site.secrets.api_keys

    def log(self, name: str) -> str:
        """Return everything a process has written."""
        return self.site.log(name).read_text(errors="replace")

    def process(self, name: str) -> int:
        """Return a process's id. Names are those of sandbox/stack/processes.py, and redis."""
        return self._children.pid(name)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a process and its own children a signal, as when a machine or a container is taken away."""
        self._children.kill(name, number)

    def restart(self, *names: str) -> None:
        """Start processes again, ending them first where they still run, and wait until they are up.

        Raises StackFailed.
        """
        self._children.stop(names)
        every = (redis(self.site), *processes_apart(self.site))
        self._children.start([process for process in every if process.name in names], tell=_silent)

    def recover(self) -> None:
        """Have every process run: those that were stopped go on, those that ended are started again.

        Raises StackFailed.
        """
        self.restart(*self._children.resume())

    def start_another(self, name: str) -> str:
        """Start a second process of the same, beside the first, and return its name, by which it can be killed.

        Raises StackFailed.
        """
        process = next(each for each in processes_apart(self.site) if each.name == name)
        # Beat keeps its own schedule in a file.
        command = [f"{word}-another" if word.endswith("beat-schedule") else word for word in process.command]
        another = replace(process, name=f"another-{name}", command=tuple(command))
        self._children.start([another], tell=_silent)
        return another.name

    def reconfigured(self, overrides: Mapping[str, str], *, only: Collection[str]) -> "Stack":
        """Return this stack under other settings: the processes `only` named are started again, if anything changes.

        Raises StackFailed.
        """
        site = replace(self.site, overrides={**self.site.overrides, **overrides})
        if site == self.site:
            return self
        again = [each for each in processes_apart(site) if each.name in only]
        self._children.stop([each.name for each in again])
        self._children.retell(site)
        self._children.start(again, tell=_silent)
        return replace(self, site=site)


@contextmanager
def running_stack(
    directory: Path,
    *,
    base_port: int | None = None,
    overrides: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    beside: Callable[[Site], Mapping[str, str]] | None = None,
    tell: Callable[[str], None] = _silent,
) -> Iterator[Stack]:
    """Run a stack over `directory` and stop it afterwards; its files stay.

    Each process can be killed by itself: none is forked from another, as `make up` has them. On free ports unless
    `base_port` is given; `overrides` are environment variables, and so is what `beside` returns of the site, once its
    servers run; `without` names processes that are not needed; `tell` hears of each step. Raises StackFailed.
    """
    ports = Ports.free() if base_port is None else Ports.from_base(base_port)
    with prepared(directory, ports, overrides=overrides or {}, tell=tell) as (found, children):
        site = replace(found, overrides={**found.overrides, **(beside(found) if beside else {})})
        children.retell(site)
        children.start([each for each in processes_apart(site) if each.name not in without], tell=tell)
        yield Stack(site=site, _children=children)


@contextmanager
def prepared(
    directory: Path, ports: Ports, *, overrides: Mapping[str, str], tell: Callable[[str], None]
) -> Iterator[tuple[Site, Children]]:
    """Hold the directory, run PostgreSQL and Redis, and have tables and users in place.

    Raises StackFailed.
    """
    directory = directory.resolve()
    with only_stack_in(directory), watched(directory):
        if end_stale_processes(directory):
            tell("ended what a killed stack had left running")
        _check_ports(ports)
        with _servers(directory, ports, overrides) as (site, children):
            tell("PostgreSQL and Redis are up, tables and users are in place")
            yield site, children


def _check_ports(ports: Ports) -> None:
    taken = ports.taken()
    if taken:
        named = " and ".join(f"port {number} ({name})" for name, number in taken)
        verb = "is" if len(taken) == 1 else "are"
        raise StackFailed(
            f"{named} {verb} taken; stop what listens there, or choose another base: PORT={ports.web + 1000} make up"
        )


@contextmanager
def _servers(directory: Path, ports: Ports, overrides: Mapping[str, str]) -> Iterator[tuple[Site, Children]]:
    remembered = directory / "stack.json"
    postgres = servers.start_postgres(directory / "postgres")
    try:
        site = Site(
            directory=directory,
            ports=ports,
            secrets=generated_secrets.recall(remembered),
            database_url=seeds.prepare_database(postgres),
            overrides=overrides,
        )
        site = replace(site, secrets=seeds.seed(site))
        generated_secrets.keep(remembered, site.secrets)
        accounts.write(site)
        shell.write(site)
        with _redis(site) as children:
            yield site, children
    finally:
        servers.stop_postgres(postgres)


@contextmanager
def _redis(site: Site) -> Iterator[Children]:
    children = Children(site)
    try:
        children.start([redis(site)], tell=_silent)
        yield children
    finally:
        # The others first: they lose their broker no sooner than they must.
        children.stop([name for name in children.names if name != "redis"])
        children.stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.stack", description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path("var"), help="where data, logs and secrets stay")
    parser.add_argument("--base-port", type=int, default=DEFAULT_PORT, help="web's port; the others follow from it")
    parser.add_argument("--seed", action="store_true", help="make a little history once all is up")
    parser.add_argument("--quiet", action="store_true", help="print only problems")
    arguments = parser.parse_args()
    if not 0 < arguments.base_port <= _HIGHEST_BASE:
        parser.error(f"--base-port must be between 1 and {_HIGHEST_BASE}")
    return arguments


def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """Let SIGTERM end us as Ctrl-C does: through every `finally`."""
    raise KeyboardInterrupt


def _told_by_the_shell(console: Console) -> Mapping[str, str]:
    told = shell.wishes(os.environ)
    for name in told.dropped:
        # Nor for this process, which reads settings as well.
        del os.environ[name]
    if told.taken:
        taken = ", ".join(f"{name}={value}" for name, value in told.taken.items())
        console.print(f"from your shell: {taken}", soft_wrap=True, markup=False)
    if told.dropped:
        console.print(
            f"not from your shell, a stack has its own or does without: {', '.join(told.dropped)}", soft_wrap=True
        )
    return told.taken


def main() -> int:
    """Run until Ctrl-C or SIGTERM, which is success, or until a process fails."""
    arguments = _arguments()
    console = Console(quiet=arguments.quiet, highlight=False)
    signal.signal(signal.SIGTERM, interrupt)
    ports = Ports.from_base(arguments.base_port)
    once_up = (history.make, welcome) if arguments.seed else (welcome,)
    taken = _told_by_the_shell(console)
    try:
        with prepared(arguments.directory, ports, overrides=taken, tell=console.print) as (site, children):
            foreground.run(site, children, console, once_up=once_up)
    except KeyboardInterrupt:
        return 0
    except StackFailed as failed:
        foreground.print_failure(failed)
        return 1
    return 0
