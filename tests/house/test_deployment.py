"""What the containers run, read and are told exists in the code, and everything the code needs is there."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any, get_type_hints

import pytest
import yaml

import celeryconfig
from payproc.application import Application
from payproc.bootstrap import load_settings, settings_type
from payproc.errors import SettingsInvalid
from payproc.jobs import Claimed, Kind, Queue, provider_queue, push_queue
from payproc.providers.registry import PROVIDERS
from payproc.settings import Broker
from payproc.settings.connections import ONE, room_problems, total, web_pools, worker_pools
from tasks import runner
from tests.support.databases import ROOT
from web.front.limits import Limits

BIN = Path(sys.executable).parent

# Read by docker-compose.yml itself, to make DATABASE_URL and BROKER_URL of.
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "OWNER_DATABASE_URL", "REDIS_PASSWORD"}
# What other people's images read.
FOREIGN = {
    "postgres": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"},
    "redis": {"REDISCLI_AUTH"},
    "proxy": {"PUBLIC_BASE_URL"},
}
WORKERS = (
    "worker-notices",
    "worker-stripe",
    "worker-jazz-cash",
    "worker-easy-paisa",
    "worker-jazz-cash-push",
    "worker-easy-paisa-push",
    "worker-mail",
    "worker-webhooks",
    "worker-reconcile",
)
WALLETS = tuple(name for name in WORKERS if "jazz-cash" in name or "easy-paisa" in name)
# Read by `db grants` alone.
OF_THE_MIGRATION = {"APPLICATION_PASSWORD"}
SHARED = ("database_connections", "web_processes", "worker_processes")
OURS = ("migrate", "web", "relay", *WORKERS, "beat", "flower")
REQUIRED = {
    "DATABASE_URL": "postgresql://payproc@localhost/payproc",
    "SECRET_KEY": "0123456789abcdef",
    "STRIPE_SECRET_KEY": "sk_test_payproc",
    "STRIPE_WEBHOOK_SECRET": "whsec_payproc",
}


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(_text("docker-compose.yml"))
    return document


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def example() -> dict[str, str]:
    lines = [line for line in _text(".env.example").splitlines() if line and not line.startswith("#")]
    pairs = [(name, value) for name, _, value in (line.partition("=") for line in lines)]
    assert not [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
    return dict(pairs)


def flower_variables() -> set[str]:
    return set(re.findall(r'os\.environ(?:\.get\(|\[)"(FLOWER_[A-Z_]+)"', _text("tasks/flower_config.py")))


def read_by_the_code() -> set[str]:
    return {name.upper() for name in settings_type().model_fields} | flower_variables() | OF_THE_MIGRATION


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n(\s*#.*\n)*", " ", _text("Dockerfile"))
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def _program_problems(command: list[str]) -> Iterator[str]:
    if not (BIN / command[0]).exists():
        yield f"there is no program {command[0]}"
    for flag, value in pairwise(command):
        if flag == "-m" and not _module_exists(value):
            yield f"there is no module {value}"
        if flag == "-A" and not _assigns(value, "app"):
            yield f"{value} has no app"
    for word in command:
        module, colon, name = word.partition(":")
        if colon and module.startswith("web.") and not _assigns(module, name):
            yield f"there is no {word}"
        if word.startswith(("--conf=", "--config=")) and not (ROOT / word.partition("=")[2]).is_file():
            yield f"there is no file {word}"


def _module_exists(name: str) -> bool:
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return False
    if found is not None and found.submodule_search_locations:
        return importlib.util.find_spec(f"{name}.__main__") is not None
    return found is not None


def _assigns(module: str, name: str) -> bool:
    # Read, not imported: importing one of these reads the environment and makes an application.
    file = ROOT / (module.replace(".", "/") + ".py")
    if not file.is_file():
        return False
    targets = [t for node in ast.parse(file.read_text()).body if isinstance(node, ast.Assign) for t in node.targets]
    return name in {target.id for target in targets if isinstance(target, ast.Name)}


def _queues_of(name: str) -> list[str]:
    command: list[str] = service(name)["command"]
    return command[command.index("-Q") + 1].split(",")


@pytest.fixture(scope="module")
def registered() -> set[str]:
    """Names of the tasks a worker knows; in its own process, because tasks.tasks reads the environment at import."""
    lines = (
        "import json",
        "from tasks.tasks import app",
        "print(json.dumps(list(app.tasks)))",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        env=_environment(REQUIRED | {"BROKER_URL": "redis://127.0.0.1:9/0"}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def _environment(told: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name.lower() not in settings_type().model_fields
    } | dict(told)


# --- docker-compose.yml -----------------------------------------------------------------------------------------------


def test_compose_file_fits_the_compose_schema() -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def test_compose_runs_every_process_and_what_stands_around_them() -> None:
    assert set(compose()["services"]) == {*FOREIGN, *OURS}


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_compose_exists(name: str) -> None:
    assert list(_program_problems(service(name)["command"])) == []


@pytest.mark.parametrize(
    "command",
    [
        ["gunicron", "web.wsgi:app"],
        ["python", "-m", "tasks.relais"],
        ["python", "-m", "payproc.database.models"],
        ["celery", "-A", "tasks.runner", "worker"],
        ["gunicorn", "web.wsgi:application_"],
        ["gunicorn", "--config=web/front/configuration.py", "web.wsgi:app"],
        ["celery", "-A", "tasks.app", "flower", "--conf=tasks/flower.py"],
    ],
)
def test_a_command_that_does_not_exist_is_told(command: list[str]) -> None:
    assert list(_program_problems(command))


@pytest.mark.parametrize(
    ("command", "of"),
    [
        (["gunicorn"], ["web"]),
        (["celery", "-A", "tasks.tasks", "worker"], WORKERS),
        (["celery", "-A", "tasks.app", "beat"], ["beat"]),
    ],
)
def test_every_option_of_a_command_is_one_its_program_knows(command: list[str], of: list[str]) -> None:
    helped = subprocess.run(
        [BIN / command[0], *command[1:], "--help"],
        cwd=ROOT,
        env=_environment(REQUIRED | {"COLUMNS": "200"}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    used = {word.partition("=")[0] for name in of for word in service(name)["command"][1:] if word.startswith("--")}
    assert {option for option in used if not re.search(rf"{option}\b", helped)} == set()


def test_every_queue_is_consumed_by_exactly_one_worker() -> None:
    consumed = Counter(queue for name in WORKERS for queue in _queues_of(name))
    of_providers = (name(method) for method in PROVIDERS for name in (provider_queue, push_queue))
    queues = {*(queue.value for queue in Queue), *of_providers}
    assert consumed == Counter(dict.fromkeys(queues, 1))
    assert {queue.name for queue in celeryconfig.task_queues} == queues


def test_compose_tells_our_processes_nothing_that_the_code_does_not_read() -> None:
    told = {variable for name in OURS for variable, value in service(name)["environment"].items() if value}
    assert told - read_by_the_code() == set()


OF_THE_BROKER = {name.upper() for name in Broker.model_fields}

# What each is told by name, beside what speaks to providers and reads .env.
TOLD = {
    "migrate": {"DATABASE_URL", "APPLICATION_PASSWORD"},
    "relay": {"DATABASE_URL", *OF_THE_BROKER, "ENVIRONMENT", "LOG_LEVEL", "RING_LEASE"}
    | {name.upper() for name in SHARED},
    "beat": OF_THE_BROKER,
    "flower": {*OF_THE_BROKER, "FLOWER_BASIC_AUTH", "FLOWER_ADDRESS", "FLOWER_PORT", "FLOWER_DB"},
}


@pytest.mark.parametrize("name", TOLD)
def test_what_speaks_to_no_provider_is_told_no_more_than_it_needs(name: str) -> None:
    assert service(name)["env_file"] == []
    assert set(service(name)["environment"]) == TOLD[name]


@pytest.mark.parametrize("name", ["web", *WORKERS])
def test_what_reads_the_whole_file_is_not_told_the_secrets_of_others(name: str) -> None:
    told = service(name)["environment"]
    others = {*COMPOSE_ONLY, *OF_THE_MIGRATION, "FLOWER_BASIC_AUTH"}
    assert {variable: told[variable] for variable in others} == dict.fromkeys(others, "")


def test_web_is_not_told_the_broker() -> None:
    told = service("web")["environment"]
    assert (told["BROKER_URL"], told["BROKER_SENTINEL_PASSWORD"]) == ("", "")


def test_only_the_migration_is_the_tables_owner() -> None:
    users = {name: re.findall(r"postgresql://(\w+):", str(service(name)["environment"])) for name in OURS}
    assert users["migrate"] == ["payproc"]
    assert {user for name, found in users.items() if name != "migrate" for user in found} == {"payproc_app"}
    assert service("migrate")["command"][-2:] == ["--grant-to", "payproc_app"]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import tasks.app", {"BROKER_URL": "redis://127.0.0.1:9/0"}),
        ("import tasks.relay", {"BROKER_URL": "redis://127.0.0.1:9/0"}),
        ("from payproc import settings; settings.servers()", {"DATABASE_URL": "postgresql://u@h/d"}),
    ],
)
def test_beat_flower_and_the_relay_start_without_a_providers_keys(program: str, told: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=_environment(told),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_tells_foreign_images_only_what_they_read() -> None:
    assert {name: set(service(name)["environment"]) for name in FOREIGN} == FOREIGN


def test_compose_asks_env_only_for_what_stands_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", _text("docker-compose.yml")))
    assert asked - set(example()) == set()
    assert asked - read_by_the_code() == COMPOSE_ONLY


@pytest.mark.parametrize(
    "variable",
    [
        "POSTGRES_PASSWORD",
        "APPLICATION_PASSWORD",
        "REDIS_PASSWORD",
        "FLOWER_BASIC_AUTH",
        "PUBLIC_BASE_URL",
        "SMTP_URL",
        "MAIL_FROM",
    ],
)
def test_compose_refuses_to_start_without_what_nobody_can_guess(variable: str) -> None:
    # Flower takes an empty login for a login, and a container's loopback leads nowhere.
    assert f"${{{variable}:?" in _text("docker-compose.yml")


def test_flower_is_told_every_setting_of_its_own() -> None:
    assert flower_variables() <= set(service("flower")["environment"])


@pytest.mark.parametrize("name", OURS)
def test_our_processes_wait_for_the_tables(name: str) -> None:
    after = service(name)["depends_on"]
    if name == "migrate":
        assert after == {"postgres": {"condition": "service_healthy"}}
    else:
        assert after["migrate"] == {"condition": "service_completed_successfully"}


def test_web_starts_without_a_broker() -> None:
    assert "redis" not in service("web")["depends_on"]


@pytest.mark.parametrize("name", OURS)
def test_our_processes_run_without_privileges_and_write_nowhere(name: str) -> None:
    told = service(name)
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_every_process_but_the_migration_comes_back(name: str) -> None:
    assert service(name)["restart"] == ("no" if name == "migrate" else "unless-stopped")


def test_nothing_but_the_proxy_is_published_beyond_the_loopback() -> None:
    published = {name: told["ports"] for name, told in compose()["services"].items() if "ports" in told}
    assert published.pop("proxy") == ["80:80", "443:443"]
    assert published == {"web": ["127.0.0.1:8400:8400"], "flower": ["127.0.0.1:8404:8404"]}


def test_web_believes_the_proxy_that_stands_before_it_and_no_other() -> None:
    assert service("web")["environment"]["FORWARDED_HOPS"] == "1"


def test_the_proxy_gives_silent_connections_up_before_web_does() -> None:
    # Otherwise it would send a request into a connection that web is just closing.
    [kept] = re.findall(r"keepalive (\d+)s", _text("deploy/Caddyfile"))
    assert int(kept) < Limits().silence


def test_the_proxy_waits_longer_than_an_answer_may_be_waited_for() -> None:
    [waits] = re.findall(r"response_header_timeout (\d+)s", _text("deploy/Caddyfile"))
    assert int(waits) > 30


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_left_as_long_as_its_longest_task(name: str) -> None:
    # Only wallets keep a call waiting for the customer.
    limit = max(kind.policy.limits.hard for kind in Kind if name in WALLETS or kind is not Kind.PUSH_PAYMENT)
    assert service(name)["stop_grace_period"] == f"{limit}s"
    assert celeryconfig.task_time_limit <= 60


def test_redis_keeps_what_it_was_told_and_evicts_nothing() -> None:
    command = " ".join(service("redis")["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


# --- The database's connections ---------------------------------------------------------------------------------------


def _option(name: str, option: str) -> int:
    command: list[str] = service(name)["command"]
    [given] = [word.partition("=")[2] for word in command if word.startswith(f"{option}=")]
    # A setting's default, where compose passes a setting on.
    return int(given.rpartition(":-")[2].rstrip("}"))


def _processes(name: str) -> int:
    # A worker of threads is one process, however many threads.
    return 1 if "--pool=threads" in service(name)["command"] else _option(name, "--concurrency")


def _required(**changes: Any) -> Any:
    return load_settings(**{name.lower(): value for name, value in REQUIRED.items()}, **changes)


def test_all_that_compose_starts_opens_no_more_connections_than_the_server_takes() -> None:
    settings = _required()
    web, workers = _option("web", "--workers"), sum(map(_processes, WORKERS))
    assert (settings.web_processes, settings.worker_processes) == (web, workers)
    # The relay, and a command beside them.
    opened = web * web_pools(settings).total + workers * worker_pools(settings).total + 1 + ONE.total
    assert opened == total(settings) <= settings.database_connections
    assert list(room_problems(settings, room=100 - 3)) == []


def test_every_process_of_compose_is_told_the_same_shares() -> None:
    defaults = {name.upper(): getattr(_required(), name) for name in SHARED}
    for name in ("web", "relay", *WORKERS):
        told = service(name)["environment"]
        assert {each: told[each] for each in defaults} == {n: f"${{{n}:-{v}}}" for n, v in defaults.items()}


# --- .env.example -----------------------------------------------------------------------------------------------------


def test_the_example_names_every_variable_and_no_other() -> None:
    assert set(example()) == read_by_the_code() | COMPOSE_ONLY


def test_the_values_of_the_example_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert example()["ENVIRONMENT"] == "production"
    _export(monkeypatch, example() | REQUIRED | {"ENVIRONMENT": "development"})
    shown = load_settings()
    defaults = load_settings(**{name.lower(): value for name, value in REQUIRED.items()})
    assert shown == defaults


def test_the_example_explains_every_variable() -> None:
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", _text(".env.example"))]
    bare = [block[0] for block in blocks if "=" in block[-1] and not block[0].startswith("#")]
    assert bare == []


def test_the_example_gives_no_secret_away() -> None:
    secrets = {name for name in example() if re.search(r"SECRET|PASSWORD|_AUTH$", name)}
    assert {"SECRET_KEY", "STRIPE_SECRET_KEY", "FLOWER_BASIC_AUTH", "POSTGRES_PASSWORD"} <= secrets
    assert {name for name in secrets if example()[name]} == set()


def test_the_example_sends_nobody_to_the_loopback() -> None:
    # Flower's own is said by docker-compose.yml.
    loopback = {name for name, value in example().items() if re.search(r"127\.|localhost", value)}
    assert loopback == {"FLOWER_ADDRESS"}


def test_the_changelog_names_every_process_that_writes() -> None:
    [told] = re.findall(r"`docker compose stop ([^`]+)`", _text("CHANGELOG.md"))
    assert set(told.split()) == set(OURS) - {"migrate", "flower"}


@pytest.mark.parametrize("environment", ["development", "production"])
def test_the_example_as_it_is_starts_nothing(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    _export(monkeypatch, example() | {"ENVIRONMENT": environment})
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert set(refused.value.problems) == {f"{name} is not set" for name in REQUIRED}


def _export(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


# --- Dockerfile -------------------------------------------------------------------------------------------------------


def test_the_image_runs_as_a_fixed_user_who_is_not_root() -> None:
    users = [rest for word, rest in _instructions() if word == "USER"]
    assert users
    assert all(re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user) for user in users)


def _copied() -> list[str]:
    copies = [rest.split() for word, rest in _instructions() if word == "COPY" and not rest.startswith("--from")]
    return [source.rstrip("/") for words in copies for source in words[:-1]]


def test_the_image_copies_what_runs_and_nothing_else() -> None:
    run = {"alembic.ini", "celeryconfig.py", "migrations", "payproc", "tasks", "web"}
    assert set(_copied()) == run | {"requirements.txt"}
    assert [source for source in _copied() if not (ROOT / source).exists()] == []


def test_nothing_else_is_sent_to_the_builder() -> None:
    lines = [line for line in _text(".dockerignore").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(_copied())


def test_the_image_installs_by_hash_and_builds_nothing() -> None:
    installs = [rest for word, rest in _instructions() if word == "RUN" and "pip install" in rest]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary=:all:" in installs[0]


def test_the_image_leaves_out_what_only_the_sandbox_imports() -> None:
    _, _, sandbox = _text("requirements.in").partition("sandbox/ alone imports these")
    removed = re.search(r"pip uninstall --yes ((?!pip\b)[^&]+)&&", " ".join(rest for _, rest in _instructions()))
    assert removed is not None
    assert removed[1].split() == sandbox.split()[1:]


def test_the_images_own_command_exists_in_exec_form() -> None:
    commands = [rest for word, rest in _instructions() if word == "CMD"]
    assert [list(_program_problems(json.loads(command))) for command in commands] == [[]]


# --- The work ---------------------------------------------------------------------------------------------------------


def test_every_kind_of_work_has_its_task(registered: set[str]) -> None:
    assert {kind.value for kind in Kind} - registered == set()


def test_every_task_of_ours_is_a_kind_of_work_or_the_clock(registered: set[str]) -> None:
    ours = {name for name in registered if not name.startswith("celery.")}
    assert ours == {kind.value for kind in Kind} | {"clock.tick"}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_work_has_a_handler_that_takes_a_job(kind: Kind) -> None:
    told = get_type_hints(runner.HANDLERS[kind])
    assert list(told.values()) == [Application, Claimed, NoneType]


@pytest.mark.parametrize("kind", Kind)
def test_a_task_is_interrupted_before_it_is_killed(kind: Kind) -> None:
    limits = kind.policy.limits
    assert limits.soft < limits.hard


def test_a_wallet_charge_is_interrupted_no_sooner_than_its_customer_may_take() -> None:
    settings = load_settings(**{name.lower(): value for name, value in REQUIRED.items()})
    calls = settings.push_timeout + settings.provider_connect_timeout
    assert calls.total_seconds() < Kind.PUSH_PAYMENT.policy.limits.soft


def test_a_dead_workers_jobs_are_anothers_within_fifteen_seconds() -> None:
    settings = load_settings(**{name.lower(): value for name, value in REQUIRED.items()})
    assert max(settings.work_lease, settings.ring_lease) < timedelta(seconds=15)


def test_every_tick_of_the_clock_is_a_task_about_a_kind_with_a_period(registered: set[str]) -> None:
    schedule: dict[str, dict[str, Any]] = celeryconfig.beat_schedule
    assert {entry["task"] for entry in schedule.values()} <= registered
    assert Counter(entry["args"] for entry in schedule.values()) == Counter(
        (kind.value,) for kind in Kind if kind.policy.clock
    )


def test_the_clock_ticks_more_often_than_its_periods_are_long() -> None:
    schedule: dict[str, dict[str, Any]] = celeryconfig.beat_schedule
    for entry in schedule.values():
        clock = Kind(entry["args"][0]).policy.clock
        assert clock is not None
        assert entry["schedule"] < clock.period


def test_however_many_threads_ask_first_a_worker_makes_one_application() -> None:
    lines = (
        "from concurrent.futures import ThreadPoolExecutor",
        "from tasks.process import application",
        "with ThreadPoolExecutor(max_workers=16) as threads:",
        "    print(len({id(made) for made in threads.map(lambda _: application(), range(64))}))",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        cwd=ROOT,
        env=_environment(REQUIRED),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "1"
