"""The servers that an installation stands on: its database, its broker, and the mail server."""

import secrets
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import SplitResult, unquote, urlsplit

import amqp
import redis
import redis.sentinel

from payproc.application import Application, Letter
from payproc.database import grants, revisions
from payproc.database.room import check_room
from payproc.errors import PayprocError, SettingsInvalid
from payproc.operations import health
from payproc.outgoing.mail import headers
from payproc.providers.inspection import Finding, fine, missing, note
from payproc.settings import Broker, Settings

_BROKER_SECONDS = 4
# The relay looks each second, and a busy worker is seconds behind.
_LATE_SECONDS = 60
_REDIS_PORT, _SENTINEL_PORT, _AMQP_PORT, _AMQPS_PORT = 6379, 26379, 5672, 5671


def look_at_database(app: Application) -> Finding:
    """See that the tables are this release's, that there is room, and that our role may not break the rules."""
    with app.database.transaction() as session:
        revision, above = revisions.current(session), grants.is_above_the_rules(session)
    if revision != revisions.newest():
        return missing(
            f"the tables are of revision {revision or 'none'}, and {revisions.newest()} is this release's",
            to_do="python -m payproc db upgrade",
        )
    try:
        check_room(app.settings)
    except SettingsInvalid as invalid:
        return missing("; ".join(invalid.problems), to_do="see README, Settings: DATABASE_CONNECTIONS")
    if above:
        finding = missing if app.settings.is_production else note
        return finding(
            "our role owns the tables or is a superuser: what is only added to, it could change",
            to_do="python -m payproc db grants, and let DATABASE_URL name that role",
        )
    return fine(f"the tables are of revision {revision}")


def look_at_work(app: Application) -> Finding:
    """See that work which is due is taken."""
    with app.database.transaction() as session:
        behind = health.backlog(session)
    if behind["oldest_due_seconds"] > _LATE_SECONDS:
        return missing(
            f"work waits since {behind['oldest_due_seconds']} s: {behind['jobs_due']} jobs are due",
            to_do="start the relay and the workers",
        )
    if behind["jobs_dead"]:
        return note(f"{behind['jobs_dead']} jobs were given up", to_do="python -m payproc job list")
    return fine("no work waits")


def look_at_broker(settings: Broker) -> Finding:
    """See that a broker answers and lets us in."""
    troubles = []
    for url in settings.broker_url.split(";"):
        try:
            _greet(urlsplit(url), settings)
        except (OSError, ValueError, redis.RedisError, amqp.AMQPError) as trouble:
            troubles.append(type(trouble).__name__)
        else:
            return fine(f"the broker answers ({urlsplit(url).scheme})")
    return missing(f"the broker does not answer ({', '.join(troubles)})", to_do="see BROKER_URL, and that it runs")


def _greet(url: SplitResult, settings: Broker) -> None:
    if url.scheme == "sentinel":
        _greet_by_sentinel(url, settings)
    elif url.scheme.startswith("amqp"):
        _greet_rabbitmq(url)
    else:
        client = redis.Redis.from_url(
            url.geturl(), socket_timeout=_BROKER_SECONDS, socket_connect_timeout=_BROKER_SECONDS
        )
        with client:
            client.ping()


def _greet_by_sentinel(url: SplitResult, settings: Broker) -> None:
    asked = settings.broker_sentinel_password
    sentinel = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # the client left it without types
        [(url.hostname or "", url.port or _SENTINEL_PORT)],
        sentinel_kwargs={"password": asked.get_secret_value() if asked else None, "socket_timeout": _BROKER_SECONDS},
        socket_timeout=_BROKER_SECONDS,
        password=unquote(url.password) if url.password else None,
    )
    sentinel.master_for(settings.broker_master_name).ping()  # type: ignore[no-untyped-call]  # the same


def _greet_rabbitmq(url: SplitResult) -> None:
    secure = url.scheme == "amqps"
    connection = amqp.Connection(
        host=f"{url.hostname}:{url.port or (_AMQPS_PORT if secure else _AMQP_PORT)}",
        userid=unquote(url.username or "guest"),
        password=unquote(url.password or "guest"),
        virtual_host=unquote(url.path[1:]) or "/",
        ssl={"server_hostname": url.hostname, "cert_reqs": ssl.CERT_REQUIRED} if secure else False,
        connect_timeout=_BROKER_SECONDS,
        read_timeout=_BROKER_SECONDS,
        write_timeout=_BROKER_SECONDS,
    )
    connection.connect()
    connection.close()


def look_at_mail(app: Application, *, to: str | None) -> Finding:
    """See that the mail server lets us in; where `to` is an address, that it takes a mail for it."""
    try:
        with app.mailer.connection() as connection:
            if to is not None:
                connection.post(_test_mail(app.settings, to))
    except PayprocError as trouble:
        return missing(trouble.message, to_do="see SMTP_URL and MAIL_FROM")
    if to is None:
        return note("the mail server lets us in", to_do="--mail-to ADDRESS proves that mail arrives")
    return fine(f"the mail server has taken a mail to {to}: see that it arrives")


def _test_mail(settings: Settings, to: str) -> Letter:
    block = headers.block(dict(_test_headers(settings, to)))
    content = block + b"\r\nThis proves that mail of your payment processor arrives.\r\n"
    return Letter(sender=settings.mail_from, recipient=to, content=content)


def _test_headers(settings: Settings, to: str) -> Iterator[tuple[str, str]]:
    yield "Subject", "A test of payproc"
    yield "From", headers.mailbox(settings.merchant_name or "", settings.mail_from)
    yield "To", headers.mailbox("", to)
    yield "Date", format_datetime(datetime.now(UTC))
    yield "Message-ID", f"<{secrets.token_hex(8)}@{settings.mail_from.rpartition('@')[2]}>"
    yield "Auto-Submitted", "auto-generated"
