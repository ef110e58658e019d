import json
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from payproc import jobs
from payproc.providers.registry import PROVIDERS
from sandbox.stack.children import Children
from sandbox.stack.errors import StackFailed
from sandbox.stack.generated_secrets import GeneratedSecrets, keep, recall
from sandbox.stack.ports import Ports
from sandbox.stack.processes import Process, Says, processes_apart
from sandbox.stack.shell import env_file, source_line, wishes, write
from sandbox.stack.site import MARK, Site
from sandbox.stack.stale_processes import end_stale_processes, only_stack_in
from sandbox.stack.welcome import curl
from tests.support.waiting import wait_until


@pytest.fixture
def site(tmp_path: Path) -> Site:
    ports = Ports.from_base(20_000)
    return Site(
        directory=tmp_path,
        ports=ports,
        secrets=GeneratedSecrets(),
        database_url="postgresql+psycopg://postgres@/payproc",
    )


def program(name: str, text: str, *, sign: str = "here I am") -> Process:
    return Process(name=name, command=(sys.executable, "-c", text), up=Says(sign))


def never_told(_: str) -> None:
    pass


def test_ports_follow_from_a_base() -> None:
    assert Ports.from_base(8400) == Ports(web=8400, flower=8404, gateway=8420, smtp=8425, redis=8479)


def test_a_port_that_somebody_listens_on_is_taken() -> None:
    ports = Ports.free()
    assert ports.taken() == []
    with socket.create_server(("127.0.0.1", ports.smtp)):
        assert ports.taken() == [("smtp", ports.smtp)]


def test_free_ports_differ() -> None:
    ports = Ports.free()
    assert len({ports.web, ports.flower, ports.gateway, ports.smtp, ports.redis}) == 5


def test_secrets_are_made_once_and_kept_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    made = recall(path)
    assert recall(path) == made
    assert path.stat().st_mode & 0o777 == 0o600
    assert made != GeneratedSecrets()


def test_keeping_again_replaces_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    made = replace(recall(path), api_keys={"customer": "pp_1"})
    keep(path, made)
    assert recall(path) == made
    assert [found.name for found in tmp_path.iterdir()] == ["stack.json"]


def test_what_the_shell_exports_for_payproc_does_not_leak_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/payproc")
    monkeypatch.setenv("JWT_SECRET", "somebody's")
    environment = site.environment()
    assert environment["DATABASE_URL"] == site.database_url
    assert "JWT_SECRET" not in environment


def test_what_a_shell_may_say_is_taken_and_what_leads_away_is_named() -> None:
    told = wishes(
        {
            "JAZZ_CASH_DIALECT": "hosted-2.0",
            "EASY_PAISA_PAYMENT_TYPE": "OTC",
            "DEFAULT_CURRENCY": "pkr",
            "POLL_SCHEDULE_JAZZ_CASH": "1s",
            "OPERATOR_MAIL": "",
            "LOG_LEVEL": "ERROR",
            "HOME": "/",
            "DATABASE_URL": "postgresql://production/payproc",
            "JAZZ_CASH_HOSTED_URL": "https://production.jazzcash.com.pk/",
            "EASY_PAISA_RETURN_URL": "https://shop.pk/",
            "ENVIRONMENT": "production",
            "JWT_SECRET": "somebody's",
            "STRIPE_SECRET_KEY": "sk_live_somebodys",
        }
    )
    assert dict(told.taken) == {
        "JAZZ_CASH_DIALECT": "hosted-2.0",
        "EASY_PAISA_PAYMENT_TYPE": "OTC",
        "DEFAULT_CURRENCY": "pkr",
        "POLL_SCHEDULE_JAZZ_CASH": "1s",
    }
    assert told.dropped == (
        *("DATABASE_URL", "EASY_PAISA_RETURN_URL", "ENVIRONMENT", "JAZZ_CASH_HOSTED_URL", "JWT_SECRET"),
        *("LOG_LEVEL", "STRIPE_SECRET_KEY"),
    )


def test_no_setting_that_a_stack_gives_itself_is_taken_but_its_habits(site: Site) -> None:
    exported = dict.fromkeys(site.settings(), "another")
    assert set(wishes(exported).taken) == {
        *("JAZZ_CASH_DIALECT", "EASY_PAISA_DIALECT", "POLL_SCHEDULE_JAZZ_CASH", "POLL_SCHEDULE_EASY_PAISA"),
        *("MAIL_FROM", "OPERATOR_MAIL", "RETRY_BASE", "RING_LEASE"),
        *("PUSHES_PER_PHONE", "PUSHES_PER_USER", "PUSHES_PER_ADDRESS"),
        *("REQUESTS_PER_USER", "REQUESTS_PER_ADDRESS"),
    }


def test_a_second_shell_is_pointed_at_the_stack_and_nobody_else_reads_how(site: Site) -> None:
    write(site)
    file = env_file(site)
    assert file.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["/bin/sh", "-c", f'{source_line(site)} && command -v python && printf "%s" "$EASY_PAISA_PRIVATE_KEY"'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    python, _, key = shown.partition("\n")
    assert python == str(Path(sys.executable).parent / "python")
    assert key.strip() == site.secrets.merchant_keys["private"].strip()


def test_an_override_reaches_every_process(site: Site) -> None:
    assert replace(site, overrides={"RETRY_BASE": "3s"}).environment()["RETRY_BASE"] == "3s"


def test_the_curl_command_starts_a_payment_as_the_customer(site: Site) -> None:
    text = curl(replace(site, secrets=GeneratedSecrets(api_keys={"customer": "pp_amina"})))
    assert text.startswith("curl -sS http://127.0.0.1:20000/api/v1/payments/checkout ")
    assert "'Authorization: Bearer pp_amina'" in text
    assert json.loads(text.partition("-d '")[2].rstrip("'"))["amount"] == 19.99


def test_every_queue_has_a_worker(site: Site) -> None:
    commands = {each.name: " ".join(each.command) for each in processes_apart(site)}
    queues = [command.partition("-Q ")[2].split()[0] for name, command in commands.items() if "worker" in name]
    assert sorted(",".join(queues).split(",")) == sorted(
        [*jobs.Queue, *(name(method) for method in PROVIDERS for name in (jobs.provider_queue, jobs.push_queue))]
    )


def test_a_process_is_up_when_it_shows_its_sign(site: Site) -> None:
    told: list[str] = []
    children = Children(site)
    children.start([program("greeter", "import time; print('here I am'); time.sleep(60)")], tell=told.append)
    children.stop()
    assert [line.partition(" after")[0] for line in told] == ["greeter is up"]


def test_a_process_that_ends_first_is_named_with_its_log_and_last_words(site: Site) -> None:
    children = Children(site)
    with pytest.raises(StackFailed) as failed:
        children.start([program("broken", "print('no such table'); exit(3)")], tell=never_told)
    children.stop()
    assert str(failed.value) == f"broken ended with exit code 3; its log is {site.log('broken')}"
    assert failed.value.log == "no such table"


def test_a_sign_from_an_earlier_run_does_not_count(site: Site) -> None:
    site.log("greeter").parent.mkdir()
    site.log("greeter").write_text("here I am\n")
    children = Children(site)
    with pytest.raises(StackFailed):
        children.start([program("greeter", "exit(1)")], tell=never_told)


def test_one_that_does_not_listen_is_killed(site: Site) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here I am')\ntime.sleep(60)"
    children = Children(site, down_within_seconds=0.2)
    children.start([program("deaf", deaf)], tell=never_told)
    children.stop()
    assert children.ended("deaf") == -9


def test_a_directory_has_one_stack_at_a_time(tmp_path: Path) -> None:
    second = f"""
from pathlib import Path
from sandbox.stack.stale_processes import only_stack_in
with only_stack_in(Path({str(tmp_path)!r})):
    pass
"""
    with only_stack_in(tmp_path):
        refused = subprocess.run([sys.executable, "-c", second], capture_output=True, text=True, check=False)
    assert "has a running stack already" in refused.stderr
    assert subprocess.run([sys.executable, "-c", second], check=False).returncode == 0


def test_what_a_killed_stack_left_is_ended_and_nothing_else(tmp_path: Path) -> None:
    def sleeper(directory: Path) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={MARK: str(directory)})

    with sleeper(tmp_path / "mine") as mine, sleeper(tmp_path / "other") as other:
        wait_until(lambda: end_stale_processes(tmp_path / "mine") == 1)
        assert mine.poll() is not None
        assert other.poll() is None
        other.kill()
