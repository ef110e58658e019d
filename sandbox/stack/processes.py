"""The processes of a stack: what each runs, and how it is known to be up."""

import shlex
import socket
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import requests
from redis import Redis
from redis.exceptions import RedisError

from sandbox.stack.servers import redis_command
from sandbox.stack.site import Site


@dataclass(frozen=True)
class Answers:
    """Up when this address answers 200."""

    url: str
    login: tuple[str, str] | None = None


@dataclass(frozen=True)
class Pings:
    """Up when this Redis answers PING: it listens before it has read its file back."""

    url: str


@dataclass(frozen=True)
class Says:
    """Up when these words are in its log: it listens to nobody."""

    words: str


@dataclass(frozen=True)
class All:
    """Up when all of these are."""

    signs: tuple["Sign", ...]


Sign = Answers | Pings | Says | All

_CELERY = (sys.executable, "-m", "celery", "-A")
_LOUD = ("--loglevel", "INFO")


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process: its name, its command, and the sign that it is up."""

    name: str
    command: tuple[str, ...]
    up: Sign


def redis(site: Site) -> Process:
    """Return the Redis-protocol server, which starts before the others and stops after them."""
    command = redis_command(site.directory / "redis", port=site.ports.redis)
    return Process(name="redis", command=command, up=Pings(site.broker_url))


def processes(site: Site, *, without: Collection[str] = ()) -> tuple[Process, ...]:
    """Return everything that runs above PostgreSQL and Redis; behind the front all is forked from one process."""
    first = [each for each in (_gateway(site), _web(site)) if each.name not in without]
    workers = [each for worker in _WORKERS for each in _alone(worker)]
    behind = [each for each in _behind_the_front(site, workers) if each.name not in without]
    return (*first, _together(behind))


def processes_apart(site: Site) -> tuple[Process, ...]:
    """Return the same, each started by itself, to be killed and started again by its name."""
    return (_gateway(site), _web(site), *_behind_the_front(site, map(_with_children, _WORKERS)))


@dataclass(frozen=True, kw_only=True)
class _Worker:
    name: str
    queues: str
    threads: int = 0
    processes: int = 1


_WORKERS = (
    # A queue group a worker: a sick provider holds up neither the notices nor the mail.
    _Worker(name="notices", queues="notices"),
    _Worker(name="stripe", queues="provider.stripe,push.stripe", processes=2),
    # Threads: gateways take their time, and a push waits for its customer. Dozens may wait at once.
    _Worker(name="jazz-cash", queues="provider.jazz_cash", threads=32),
    _Worker(name="easy-paisa", queues="provider.easy_paisa", threads=32),
    _Worker(name="pushes", queues="push.jazz_cash,push.easy_paisa", threads=64),
    _Worker(name="mail", queues="mail,clock"),
    # Each thread runs a batch of deliveries side by side: a shop's slow server keeps no other's waiting.
    _Worker(name="webhooks", queues="webhooks", threads=8),
    _Worker(name="reconcile", queues="reconcile,invariants"),
)


def _with_children(worker: _Worker) -> Process:
    """Let Celery's own process have the work done by others, which it watches."""
    if worker.threads:
        return _worker(worker, name=worker.name, pool=("--pool", "threads", "-c", str(worker.threads)))
    return _worker(worker, name=worker.name, pool=("--pool", "prefork", "-c", str(worker.processes)))


def _alone(worker: _Worker) -> Sequence[Process]:
    """Let each process do its work itself: whoever forked it watches it (tasks/together.py)."""
    if worker.threads:
        return [_with_children(worker)]
    names = [worker.name, *(f"{worker.name}-{number}" for number in range(2, worker.processes + 1))]
    return [_worker(worker, name=name, pool=("--pool", "alone", "-c", "1")) for name in names]


def _behind_the_front(site: Site, workers: Iterable[Process]) -> tuple[Process, ...]:
    return (
        Process(name="relay", command=(sys.executable, "-m", "tasks.relay"), up=Says("relay started")),
        *workers,
        Process(
            name="beat",
            command=(*_CELERY, "tasks.app", "beat", "--schedule", str(site.directory / "beat-schedule"), *_LOUD),
            up=Says("beat: Starting..."),
        ),
        Process(
            name="flower",
            command=(*_CELERY, "tasks.app", "flower", "--conf=tasks/flower_config.py"),
            up=Answers(f"{site.flower_url}/", login=site.flower_login),
        ),
    )


def _together(parts: Sequence[Process]) -> Process:
    # What follows "celery -A tasks.…"; the relay has no such command.
    commands = ["relay" if each.name == "relay" else shlex.join(each.command[len(_CELERY) + 1 :]) for each in parts]
    return Process(
        name="tasks",
        command=(sys.executable, "-m", "tasks.together", *commands),
        up=All(tuple(each.up for each in parts)),
    )


def _gateway(site: Site) -> Process:
    return Process(
        name="gateway",
        command=(
            *(sys.executable, "-m", "sandbox.gateway"),
            *("--port", str(site.ports.gateway)),
            *("--smtp-port", str(site.ports.smtp)),
            *("--webhook-url", site.webhook_url),
            *("--webhook-secret", site.secrets.stripe_webhook_secret),
            *("--wallets", str(site.wallets_file)),
            *("--state", str(site.directory / "gateway.sqlite")),
        ),
        up=Answers(f"{site.gateway_url}/healthz"),
    )


def _web(site: Site) -> Process:
    return Process(
        name="web",
        command=(
            *(sys.executable, "-m", "gunicorn", "--config=web/front/config.py"),
            *("--bind", f"127.0.0.1:{site.ports.web}", "web.wsgi:app"),
        ),
        up=Answers(f"{site.web_url}/readyz"),
    )


def _worker(worker: _Worker, *, name: str, pool: tuple[str, ...]) -> Process:
    return Process(
        name=f"worker-{name}",
        command=(
            *(*_CELERY, "tasks.tasks", "worker"),
            *("-n", f"{name}@%h", "-Q", worker.queues, *pool),
            *("--without-mingle", "--without-gossip", *_LOUD),
        ),
        up=Says(f"{name}@{socket.gethostname()} ready."),
    )


def is_up(process: Process, log: str) -> bool:
    """Tell whether a process shows its sign; `log` is what it has written since it was started."""
    return _shows(process.up, log)


def _shows(sign: Sign, log: str) -> bool:
    match sign:
        case Answers(url=url, login=login):
            return _answers(url, login)
        case Pings(url=url):
            return _pings(url)
        case Says(words=words):
            return words in log
        case All(signs=signs):
            return all(_shows(each, log) for each in signs)


def _answers(url: str, login: tuple[str, str] | None) -> bool:
    with requests.Session() as session:
        # Neither a proxy nor somebody's .netrc has a say on loopback.
        session.trust_env = False
        try:
            return session.get(url, auth=login, timeout=2, allow_redirects=False).ok
        except requests.RequestException:
            return False


def _pings(url: str) -> bool:
    with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
