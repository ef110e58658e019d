"""`make simulate`: replay one seed, go on for some minutes, or put faults in and see that they are found.

Run with PYTHONHASHSEED=0, as the Makefile does: some orders of ours are those of sets.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console

from sandbox.stack.servers import start_postgres, stop_postgres
from tests.simulation.actions.schedule import read
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.reports.report import Report, write_between
from tests.simulation.running import CleanDatabase, Outcome, in_silence, run, shortest, simulate

_LENGTH = 200
_CONSOLE = Console(highlight=False, markup=False, soft_wrap=True)
# So many minutes are two hundred seeds where nothing else runs, and the rarest cell comes up in one of twenty or so.
_REACHES_ALL = 10
# A mutant that is not found by so many seeds is not found.
_SEEDS_A_MUTANT = 40


@contextmanager
def database() -> Iterator[CleanDatabase]:
    """Give a database of a server of its own."""
    with tempfile.TemporaryDirectory() as directory:
        # The server is another user's.
        Path(directory).chmod(0o755)
        server = start_postgres(Path(directory) / "postgres")
        with psycopg.connect(host=server.socket_directory, user="postgres", autocommit=True) as connection:
            # Nobody pulls the plug on it.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        try:
            yield CleanDatabase(server)
        finally:
            stop_postgres(server)


def replay(kept: CleanDatabase, seed: int, *, length: int, steps: str | None) -> int:
    """Run one seed, or the steps of it that are given, and tell its story where it fails."""
    outcome = run(kept, read(steps), seed=seed) if steps else simulate(kept, seed, length=length)
    if not outcome.broken:
        _CONSOLE.print(f"seed {seed}: every promise holds after {outcome.steps} steps")
        return 0
    _tell(seed, outcome)
    if not steps:
        _CONSOLE.print("looking for the fewest steps that fail…")
        fewest = " ".join(map(str, shortest(kept, seed, length=length)))
        _CONSOLE.print(f'make simulate SEED={seed} STEPS="{fewest}"')
    return 1


def go_on(kept: CleanDatabase, first: int, *, length: int, minutes: float) -> int:
    """Run one seed after the other for so many minutes."""
    report, began = Report(), time.perf_counter()
    seed = first
    while (spent := time.perf_counter() - began) < 60 * minutes:
        outcome = simulate(kept, seed, length=length)
        report.add(seed, outcome)
        if outcome.broken:
            _tell(seed, outcome)
        _progress(
            f"{spent / 60:5.1f} min  {report.schedules} schedules  {report.deaths} deaths  {len(report.broken)} broken"
        )
        seed += 1
    lines = list(report.lines(minutes=minutes))
    _CONSOLE.print("\n" + "\n".join(lines))
    write_between("make simulate", lines)
    unreached = report.missing if minutes >= _REACHES_ALL else []
    if unreached:
        _CONSOLE.print(f"{len(unreached)} cells that can be reached were not, and so long a run must reach each")
    return 1 if report.broken or unreached else 0


def find_mutants(kept: CleanDatabase, *, length: int, only: str) -> int:
    """Put each fault in, and run seeds until one fails."""
    lines = ["| fault put in | found by seed | seconds | what was seen |", "|---|---:|---:|---|"]
    missed = 0
    for name, mutant in MUTANTS.items():
        if only not in name:
            continue
        began = time.perf_counter()
        seed, outcome = _found(kept, mutant, length=length)
        seconds = time.perf_counter() - began
        seen = outcome.broken[0] if outcome.broken else "**missed**"
        missed += not outcome.broken
        lines.append(f"| {name} | {seed} | {seconds:.0f} | {_short(seen)} |")
        _CONSOLE.print(lines[-1])
    if not only:
        write_between("make simulate MUTANTS", lines)
    return 1 if missed else 0


def _found(kept: CleanDatabase, mutant: Mutant, *, length: int) -> tuple[int, Outcome]:
    seed = 0
    while True:
        seed += 1
        with mutant():
            outcome = simulate(kept, seed, length=length)
        if outcome.broken or seed == _SEEDS_A_MUTANT:
            return seed, outcome


def _short(sentence: str) -> str:
    return sentence.replace("|", "/")[:160]


def _tell(seed: int, outcome: Outcome) -> None:
    _CONSOLE.print(f"\nseed {seed} breaks a promise: make simulate SEED={seed}")
    _CONSOLE.print("\n".join(outcome.broken))
    _CONSOLE.print(outcome.story)


def _progress(line: str) -> None:
    _CONSOLE.print(line, end="\r" if _CONSOLE.is_terminal else "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 1 where a promise is broken, a fault put in is not found, or a long run has left a cell unreached."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--steps", help="of that seed, run these steps alone, as they were printed")
    parser.add_argument("--minutes", type=float, default=1, help="go on so long, from seed --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--length", type=int, default=_LENGTH, help="steps of a schedule")
    parser.add_argument("--mutants", nargs="?", const="", help="put faults in, those whose name has this in it")
    chosen = parser.parse_args(arguments)
    if os.environ.get("PYTHONHASHSEED") != "0":
        parser.error("set PYTHONHASHSEED=0, or a seed does not run the same way twice")
    in_silence()
    with database() as kept:
        if chosen.mutants is not None:
            return find_mutants(kept, length=chosen.length, only=chosen.mutants)
        if chosen.seed is not None:
            return replay(kept, chosen.seed, length=chosen.length, steps=chosen.steps)
        return go_on(kept, chosen.first, length=chosen.length, minutes=chosen.minutes)


if __name__ == "__main__":
    sys.exit(main())
