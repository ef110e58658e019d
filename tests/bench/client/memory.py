"""`python -m tests.bench.client.memory var`: what the processes of a running stack hold.

Proportional set size: a page that five share counts a fifth for each, so the sum is what would be free again.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from rich.console import Console

from sandbox.stack.site import MARK

_MEBIBYTE = 1024 * 1024
# Not payproc's: what it is given beside a provider's keys, and what stands for the providers themselves.
_SERVERS = frozenset({"postgres", "redis"})
_SIMULATED = frozenset({"gateway", "make up"})


def stack_memory(pids: Iterable[int]) -> dict[str, int]:
    """Return the bytes that these processes and all their children hold, by the name of what they are."""
    held: Counter[str] = Counter()
    for process in with_children(pids):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            held[name_of(process)] += _proportional(process.pid)
    return dict(held)


def pids_in(directory: Path) -> Iterator[int]:
    """Return whoever belongs to the stack that runs in a directory."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            marked = process.environ().get(MARK) == str(directory)
            if marked or Path(process.cwd()).is_relative_to(directory):
                yield process.pid


def with_children(pids: Iterable[int]) -> Iterator[psutil.Process]:
    """Return these processes and all below them, each once."""
    seen: set[int] = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            for process in (parent, *parent.children(recursive=True)):
                if process.pid not in seen:
                    seen.add(process.pid)
                    yield process


def _proportional(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024


def name_of(process: psutil.Process) -> str:
    """Return what a process of a stack is, such as `worker mail`."""
    if process.name().startswith("valkey"):
        return "redis"
    if process.name() == "postgres":
        return "postgres"
    words = process.cmdline()
    if "tasks.together" in words:
        return str(process.name())
    if "worker" in words:
        return f"worker {words[words.index('-n') + 1].partition('@')[0]}" if "-n" in words else "worker"
    known = {
        "gunicorn": "web",
        "tasks.relay": "relay",
        "beat": "beat",
        "flower": "flower",
        "sandbox.gateway": "gateway",
        "sandbox.stack": "make up",
        "sandbox.stack.stale_processes": "make up",
    }
    return next((name for word, name in known.items() if word in words), process.name())


def main() -> None:
    """Print a line for each process, PostgreSQL and Redis apart, and the sums."""
    console = Console(highlight=False)
    held = stack_memory(pids_in(Path(sys.argv[1]).resolve()))
    for name, size in sorted(held.items(), key=lambda each: -each[1]):
        console.print(f"{name:24}{size / _MEBIBYTE:8.1f} MiB")
    ours = sum(size for name, size in held.items() if name not in _SERVERS | _SIMULATED)
    servers = sum(size for name, size in held.items() if name in _SERVERS)
    console.print(f"{'payproc':24}{ours / _MEBIBYTE:8.1f} MiB")
    console.print(f"{'PostgreSQL and Redis':24}{servers / _MEBIBYTE:8.1f} MiB")
    console.print(f"{'together':24}{(ours + servers) / _MEBIBYTE:8.1f} MiB")


if __name__ == "__main__":
    main()
