"""How a setting is written in the environment, and what it becomes."""

import re
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qs, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode


class Environment(StrEnum):
    """Where this process runs; production refuses what the other two allow."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class ForeignNotices(StrEnum):
    """What becomes of a provider's word about something that bears no mark of ours."""

    IGNORE = "ignore"
    REVIEW = "review"


class RefundByOwner(StrEnum):
    """What becomes of a refund that a payment's owner asks for; staff's go ahead in either case."""

    EXECUTE = "execute"  # the guide's rule
    REQUEST = "request"  # an operator decides


_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Plain atoms on both sides. What would have to be encoded or quoted, a mail server may not take from us.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9a-fA-F:]{2,39}")


def duration(text: str) -> timedelta:
    """Read a duration such as `20s`, `5m`, `1h`, `250ms`.

    Raises ValueError for anything else.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration such as 20s, 5m or 1h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def as_written(length: timedelta) -> str:
    """Write a duration in the largest unit that fits, hours at most: 72h, 90s, 250ms."""
    for unit, one in (("h", timedelta(hours=1)), ("m", timedelta(minutes=1)), ("s", timedelta(seconds=1))):
        if length >= one and not length % one:
            return f"{length // one}{unit}"
    return f"{length // timedelta(milliseconds=1)}ms"


def _written(read: Callable[[str], object]) -> BeforeValidator:
    # What is no text is a default, or was read before.
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _schedule(text: str) -> tuple[timedelta, ...]:
    steps = tuple(duration(step) for step in text.split(","))
    if any(step <= timedelta(0) for step in steps):
        raise ValueError("every step of a schedule must be longer than zero")
    return steps


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _secrets(text: str) -> tuple[SecretStr, ...]:
    return tuple(SecretStr(word) for word in _words(text))


def _psycopg_url(url: str) -> str:
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise ValueError("must start with postgresql:// or postgresql+psycopg://")
    if set(parse_qs(urlsplit(url).query, keep_blank_values=True).get("pooler", ())) - {"transaction"}:
        raise ValueError("pooler can be transaction, and nothing else")
    return "postgresql+psycopg://" + url.partition("://")[2]


def _split(url: str) -> SplitResult:
    parts = urlsplit(url)
    # Only reading it finds out that it is none, and the first to read it would be a call.
    _ = parts.port
    return parts


def _http_url(url: str) -> str:
    parts = _split(url)
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


def _at_most(longest: timedelta, written: str) -> AfterValidator:
    def check(length: timedelta) -> timedelta:
        if length > longest:
            raise ValueError(f"must be {written} at most")
        return length

    return AfterValidator(check)


def _of_schemes(*schemes: str) -> Callable[[str], str]:
    def check(url: str) -> str:
        parts = _split(url)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"must be a URL that starts with {', '.join(f'{s}://' for s in schemes)}")
        return url

    return check


_of_broker_schemes = _of_schemes("redis", "rediss", "sentinel", "amqp", "amqps")

_of_redis = _of_schemes("redis", "rediss")


def _broker_url(url: str) -> str:
    """Take one address, or several of one kind that are tried in turn, `;` between them."""
    for each in url.split(";"):
        _of_broker_schemes(each)
    if len({each.partition("://")[0] for each in url.split(";")}) > 1:
        raise ValueError("must name brokers of one kind")
    return url


def _hosts(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not _HOST.fullmatch(word):
            raise ValueError(f"{word!r} is not a bare host name such as shop.example.com")
    return words


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text) or "=?" in text:
        raise ValueError("must be a bare e-mail address")
    return text


def _line(longest: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(text) > longest or not text.isprintable():
            raise ValueError(f"must be one line of {longest} characters at most")
        return text

    return AfterValidator(check)


def _time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone such as Asia/Karachi") from None


Schedule = Annotated[tuple[timedelta, ...], NoDecode, _written(_schedule)]
Duration = Annotated[timedelta, _written(duration), AfterValidator(_positive)]
# Celery's limit of such a task is 125 s (payproc/jobs/kinds.py), connection and commit included.
PushTimeout = Annotated[Duration, _at_most(timedelta(seconds=105), "105s")]
# The doctor takes a longer lease for one that never ends (invariants.sql, lease_runs_out).
Lease = Annotated[Duration, _at_most(timedelta(hours=1), "one hour")]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], _written(str.upper)]
Words = Annotated[tuple[str, ...], NoDecode, _written(_words)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, _written(_secrets)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
ExactUrl = Annotated[str, AfterValidator(_exact_url)]
Pem = Annotated[SecretStr, AfterValidator(lambda key: SecretStr(_pem(key.get_secret_value())))]
Hosts = Annotated[Words, AfterValidator(_hosts)]
CurrencyCode = Annotated[str, AfterValidator(str.lower)]
Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, _line(64)]
Line = Annotated[str, _line(200)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
DatabaseUrl = Annotated[str, AfterValidator(_psycopg_url)]
BrokerUrl = Annotated[str, AfterValidator(_broker_url)]
RedisUrl = Annotated[SecretStr, AfterValidator(lambda url: SecretStr(_of_redis(url.get_secret_value())))]
SmtpUrl = Annotated[str, AfterValidator(_of_schemes("smtp", "smtps"))]
