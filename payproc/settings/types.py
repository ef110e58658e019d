"""How a setting is written in the environment, and what it becomes."""

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode


class Environment(StrEnum):
    """Where this process runs; production refuses what the other two allow."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class RefundByOwner(StrEnum):
    """What becomes of a refund that a payment's owner asks for; staff's go ahead in either case."""

    EXECUTE = "execute"  # the guide's rule
    REQUEST = "request"  # an operator decides


_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

_LONGEST_PUSH = timedelta(seconds=105)
_LONGEST_LEASE = timedelta(hours=1)
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9a-fA-F:]{2,39}")


def duration(text: str) -> timedelta:
    """Read a duration such as `20s`, `5m`, `1h`, `250ms`.

    Raises ValueError for anything else.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 20s, 5m or 1h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _schedule(value: object) -> object:
    if not isinstance(value, str):
        return value
    steps = tuple(duration(step) for step in value.split(","))
    if any(step <= timedelta(0) for step in steps):
        raise ValueError("every step of a schedule must be longer than zero")
    return steps


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _secrets(value: object) -> object:
    words = _words(value)
    return tuple(SecretStr(word) for word in words) if isinstance(words, tuple) else words


def _psycopg_url(url: str) -> str:
    if url.startswith("postgresql://"):
        return "postgresql+psycopg://" + url.removeprefix("postgresql://")
    if not url.startswith("postgresql+psycopg://"):
        raise ValueError("must start with postgresql:// or postgresql+psycopg://")
    return url


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an absolute http or https URL")
    return url.rstrip("/")


def _exact_url(url: str) -> str:
    # Not a letter changed: a gateway compares it with what was registered in its portal.
    _http_url(url)
    return url


def _pem(value: str) -> str:
    if not value or value.startswith("-----BEGIN "):
        return value
    try:
        return Path(value).read_text(encoding="ascii")
    except (OSError, ValueError):
        raise ValueError("must be PEM text, or the path of a file that holds it") from None


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("must be longer than zero")
    return length


def _lease(length: timedelta) -> timedelta:
    # The doctor takes a longer lease for one that never ends (invariants.sql, lease_runs_out).
    if length > _LONGEST_LEASE:
        raise ValueError("must be one hour at most")
    return length


def _push_timeout(length: timedelta) -> timedelta:
    # Celery's limit of such a task is 125 s (payproc/jobs/kinds.py), connection and commit included.
    if length > _LONGEST_PUSH:
        raise ValueError("must be 105s at most")
    return length


def _of_schemes(*schemes: str) -> AfterValidator:
    def check(url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"must be a URL that starts with {', '.join(f'{s}://' for s in schemes)}")
        return url

    return AfterValidator(check)


def _hosts(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not _HOST.fullmatch(word):
            raise ValueError(f"{word!r} is not a bare host name such as shop.example.com")
    return words


def _address(text: str) -> str:
    if text.count("@") != 1 or any(c.isspace() for c in text):
        raise ValueError("must be a bare e-mail address")
    return text


Schedule = Annotated[tuple[timedelta, ...], NoDecode, BeforeValidator(_schedule)]
Duration = Annotated[
    timedelta,
    BeforeValidator(lambda v: duration(v) if isinstance(v, str) else v),
    AfterValidator(_positive),
]
PushTimeout = Annotated[Duration, AfterValidator(_push_timeout)]
Lease = Annotated[Duration, AfterValidator(_lease)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(lambda v: v.upper() if isinstance(v, str) else v),
]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_secrets)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
ExactUrl = Annotated[str, AfterValidator(_exact_url)]
Pem = Annotated[SecretStr, AfterValidator(lambda key: SecretStr(_pem(key.get_secret_value())))]
Hosts = Annotated[Words, AfterValidator(_hosts)]
Address = Annotated[str, AfterValidator(_address)]
DatabaseUrl = Annotated[str, AfterValidator(_psycopg_url)]
BrokerUrl = Annotated[str, _of_schemes("redis", "rediss", "sentinel", "amqp", "amqps")]
SmtpUrl = Annotated[str, _of_schemes("smtp", "smtps")]
