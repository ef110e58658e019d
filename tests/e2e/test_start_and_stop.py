"""A stack started as `make up` starts it: it stops whole, says what is wrong in a line, and goes on where it was."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from payproc.domain.states import PaymentStatus
from sandbox.stack.ports import Ports
from sandbox.stack.running import running_stack
from sandbox.stack.site import MARK
from tests.e2e.shop import Shop
from tests.support.databases import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes


def free_base() -> int:
    return next(base for base in range(11_000, 31_000, 100) if not Ports.from_base(base).taken())


@contextmanager
def up(directory: Path, base: int, *more: str, **shell: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run `python -m sandbox.stack` until the block ends; yield it and the file its words go to."""
    words = directory.parent / "words"
    command = [sys.executable, "-m", "sandbox.stack", "--directory", str(directory), "--base-port", str(base), *more]
    environment = dict(os.environ) | shell
    with words.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process, words
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def is_up(process: subprocess.Popen[bytes], words: Path) -> bool:
    assert process.poll() is None, words.read_text()
    return "Ctrl-C stops everything" in words.read_text()


def start_of(directory: Path, base: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.stack", "--directory", str(directory), "--base-port", str(base)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def left_over(directory: Path) -> list[str]:
    """Return the commands of processes that still serve a stack in this directory."""
    found = []
    for process in psutil.process_iter():
        try:
            stack = process.environ().get(MARK, process.cwd())
            if stack.startswith(str(directory)):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_ctrl_c_ends_every_process_and_is_no_failure(yard: Path) -> None:
    directory = yard / "var"
    with up(directory, free_base()) as (process, words):
        wait_until(lambda: is_up(process, words), seconds=90)
        shown = words.read_text()
        assert left_over(directory) != []
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0, words.read_text()
    for key in json.loads((directory / "stack.json").read_text())["api_keys"].values():
        assert key in shown
    assert "curl -sS http://127.0.0.1:" in shown
    assert (directory / "stack.json").stat().st_mode & 0o077 == 0
    assert left_over(directory) == []


def test_a_stack_is_told_its_settings_and_a_second_shell_reads_its_history(yard: Path) -> None:
    directory = yard / "var"
    told = {"JAZZ_CASH_DIALECT": "hosted-2.0", "LOG_LEVEL": "ERROR", "STRIPE_SECRET_KEY": "sk_live_somebodys"}
    with up(directory, free_base(), "--seed", **told) as (process, words):
        wait_until(lambda: is_up(process, words), seconds=120)
        listed = subprocess.run(
            ["/bin/sh", "-c", f". {directory}/env && python -m payproc payment list --limit 100 --json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    payments = json.loads(listed.stdout)["payments"]
    assert {payment["status"] for payment in payments} == {status.value for status in PaymentStatus}
    assert {payment["payment_method"] for payment in payments} == {"stripe", "jazz_cash", "easy_paisa"}
    said = words.read_text()
    assert "from your shell: " in said
    assert "JAZZ_CASH_DIALECT=hosted-2.0" in said
    assert "not from your shell, a stack has its own or does without: LOG_LEVEL, STRIPE_SECRET_KEY" in said
    assert "sk_live_somebodys" not in said + (directory / "env").read_text()


def test_a_setting_that_is_none_is_told_in_a_line(yard: Path) -> None:
    with up(yard / "var", free_base(), JAZZ_CASH_DIALECT="mwallet-9") as (process, words):
        assert process.wait(timeout=60) == 1
    [*_, last] = words.read_text().splitlines()
    assert last.startswith("make up: JAZZ_CASH_DIALECT: Input should be")


def test_a_process_that_dies_is_named_and_ends_the_others(yard: Path) -> None:
    directory = yard / "var"
    with up(directory, free_base()) as (process, words):
        wait_until(lambda: is_up(process, words), seconds=90)
        second = start_of(directory, free_base())
        (gateway,) = [p for p in psutil.process_iter() if gateway_of(directory, p)]
        gateway.kill()
        assert process.wait(timeout=30) == 1
    assert second.returncode == 1
    assert second.stderr == f"make up: {directory} has a running stack already (process {process.pid}); stop it first\n"
    *_, last = words.read_text().splitlines()
    assert last == f"make up: gateway was ended by SIGKILL; its log is {directory}/logs/gateway.log"
    assert left_over(directory) == []


def gateway_of(directory: Path, process: psutil.Process) -> bool:
    try:
        return process.environ().get(MARK) == str(directory) and "sandbox.gateway" in process.cmdline()
    except psutil.Error:
        return False


def test_a_start_after_a_kill_ends_what_was_left_and_has_the_same_payments_and_keys(yard: Path) -> None:
    directory, base = yard / "var", free_base()
    with up(directory, base) as (process, words):
        wait_until(lambda: is_up(process, words), seconds=90)
        keys = json.loads((directory / "stack.json").read_text())["api_keys"]
        with Shop(f"http://127.0.0.1:{base}", key=keys["customer"]) as shop:
            started = shop.check_out()
        process.kill()
        process.wait()
    with (
        running_stack(directory, base_port=base, without=("beat", "flower")) as stack,
        Shop(stack.web_url, key=keys["customer"]) as shop,
    ):
        assert dict(stack.keys) == keys
        shop.press("pay", started["url"])
        shop.completed(started["payment_id"])
    assert left_over(directory) == []


def test_children_end_with_their_parent_however_it_dies(yard: Path) -> None:
    directory = yard / "var"
    with up(directory, free_base()) as (process, words):
        wait_until(lambda: is_up(process, words), seconds=90)
        assert left_over(directory) != []
        process.kill()
        process.wait()
        wait_until(lambda: left_over(directory) == [], what="the end of every child")


@pytest.mark.parametrize(("offset", "name"), [(0, "web"), (79, "redis")])
def test_a_taken_port_is_one_line(yard: Path, offset: int, name: str) -> None:
    base = free_base()
    with socket.create_server(("127.0.0.1", base + offset)):
        refused = start_of(yard / "var", base)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"make up: port {base + offset} ({name}) is taken; stop what listens there,"
        f" or choose another base: PORT={base + 1000} make up\n"
    )
    assert [path.name for path in (yard / "var").iterdir()] == ["stack.lock"]
