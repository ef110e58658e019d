"""The client: Debian's wrk, the same for everyone, on the same two cores."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

_SCRIPT = Path(__file__).with_name("requests.lua")
_LONGEST_SECONDS = 600


class CannotRun(Exception):
    """A part of the benchmark cannot be run here; the message is one line that says why."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What wrk counted: requests a second, milliseconds, and answers that were none or no 2xx."""

    rate: float
    p50: float
    p99: float
    errors: int


def check_installed() -> None:
    if not shutil.which("wrk"):
        raise CannotRun("wrk is not installed (Debian: apt-get install wrk)")


def run(url: str, requests: Path, *, connections: int, seconds: int) -> Load:
    """Send the requests of a file over and over."""
    with _wrk(url, requests, connections=connections, seconds=seconds, once=0) as client:
        output, errors = client.communicate()
    *_, last = (errors or output).strip().splitlines() or ["it said nothing"]
    if client.returncode != 0 or len(last.split()) != len(fields(Load)):
        raise CannotRun(f"wrk: {last}")
    rate, p50, p99, failed = last.split()
    return Load(rate=float(rate), p50=float(p50), p99=float(p99), errors=int(failed))


@contextmanager
def sent_once(url: str, requests: Path, *, connections: int) -> Iterator[None]:
    """Send each request of a file once, as fast as they are answered, while the block waits for what comes of it."""
    with _wrk(url, requests, connections=connections, seconds=_LONGEST_SECONDS, once=1) as client:
        try:
            yield
        finally:
            # Its threads have stopped by now, and it sleeps for as long as it was told.
            client.kill()


def _wrk(url: str, requests: Path, *, connections: int, seconds: int, once: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=10s", "-s", str(_SCRIPT), url],  # noqa: S607 (where Debian put it)
        env=dict(os.environ) | {"BENCH_REQUESTS": str(requests), "BENCH_ONCE": str(once)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
