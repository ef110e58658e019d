"""`make bench`: payproc beside the least that its work can be, and beside what the frameworks' documents show.

All three are served by the same front over the same PostgreSQL (fsync on) and the same Redis, in turn, and sent the
same bytes by wrk. `--only accept,get` measures some sections, and leaves docs/performance.md as it is. `--growth
1000,1000000` measures what so many payments change; off unless asked for, as it takes minutes to seed a million. With
`--only growth` it measures nothing else.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from sandbox.stack.errors import StackFailed
from sandbox.stack.ports import Ports
from sandbox.stack.running import interrupt, prepared
from tests.bench import contenders
from tests.bench.client import load
from tests.bench.client.load import CannotRun
from tests.bench.client.mail_sink import MailSink
from tests.bench.client.work import Crossing
from tests.bench.results import Results, circumstances, table, write_down
from tests.bench.sections import GROWING, HISTORY, ROWS, SECTIONS, Bench, Section, Services, growth_rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"some of {', '.join(_NAMES)}")
    parser.add_argument("--growth", default="", help="sizes to grow to, such as 1000,1000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--webhooks", type=int, default=4000, help="how many become receipts in each round")
    arguments = parser.parse_args()
    arguments.growth = [int(each) for each in arguments.growth.split(",") if each]
    arguments.only = [name for name in arguments.only.split(",") if name]
    unknown = set(arguments.only) - {*_NAMES}
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    if GROWING.name in arguments.only and not arguments.growth:
        parser.error("growth needs the sizes to grow to")
    return arguments


# Growing by itself is `--only growth --growth 1000,1000000`.
_NAMES = [each.name for each in (*SECTIONS, GROWING)]


def _chosen(arguments: argparse.Namespace) -> Iterator[list[Section]]:
    """Yield the sections that share their services."""
    if some := [each for each in SECTIONS if each.name in arguments.only or not arguments.only]:
        yield some
    if arguments.growth:
        yield [GROWING]


@contextmanager
def _services(directory: Path) -> Iterator[Services]:
    ports = Ports.free()
    with prepared(directory, ports, overrides=contenders.HABITS, tell=lambda _: None) as (site, children):
        sink = MailSink(ports.smtp)
        sink.start()
        every = [contenders.limit(site), contenders.plain(site), contenders.payproc(site, children)]
        try:
            for each in every:
                each.children.start([each.web], tell=lambda _: None)
                contenders.seed_history(each, HISTORY)
            crossing = Crossing(sink=sink, directory=directory, secret=site.secrets.stripe_webhook_secret)
            yield Services(every=every, crossing=crossing, key=site.secrets.api_keys["customer"])
        finally:
            for each in every:
                each.children.stop([name for name in each.children.names if name != "redis"])


def _measure(arguments: argparse.Namespace, console: Console, results: Results) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for sections in _chosen(arguments):
            bar = progress.add_task("starting", total=None)
            with tempfile.TemporaryDirectory(prefix="payproc-bench-") as directory, _services(Path(directory)) as found:
                bench = Bench(
                    services=found,
                    directory=Path(directory),
                    rounds=arguments.rounds,
                    webhooks=arguments.webhooks,
                    growth=arguments.growth,
                    results=results,
                    tell=partial(_tell, progress, bar),
                )
                progress.update(bar, total=sum(each.measurements(bench) for each in sections))
                for section in sections:
                    section.run(bench)


def _tell(progress: Progress, bar: TaskID, what: str) -> None:
    progress.update(bar, description=what, advance=1)


def main() -> int:
    """Measure, print the table, and write it down where nothing was left out."""
    arguments, console = _arguments(), Console(highlight=False)
    signal.signal(signal.SIGTERM, interrupt)
    began, load_before, results = time.monotonic(), os.getloadavg()[0], Results()
    failed = _attempt(arguments, console, results)
    if results.figures:
        took = time.monotonic() - began
        said = circumstances(rounds=arguments.rounds, load_before=load_before, took_seconds=took)
        text = f"{said}\n\n{table([*results.lines([*ROWS, *growth_rows(arguments.growth)])])}"
        console.print(text, soft_wrap=True, markup=False)
        if not failed and not arguments.only:
            write_down(text)
    if failed:
        console.print(failed, style="red", markup=False, soft_wrap=True)
    return 1 if failed else 0


def _attempt(arguments: argparse.Namespace, console: Console, results: Results) -> str | None:
    """Measure, or say in a line why the rest cannot be."""
    try:
        load.check_installed()
        _measure(arguments, console, results)
    except (CannotRun, StackFailed) as reason:
        return f"bench cannot go on: {reason}"
    except KeyboardInterrupt:
        return "bench was ended"
    return None


if __name__ == "__main__":
    sys.exit(main())
