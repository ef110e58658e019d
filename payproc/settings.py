"""The only reader of environment variables. It fails at start and names everything that is wrong at once."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from payproc.errors import SettingsInvalid


class Environment(StrEnum):
    """Where this process runs; production refuses what the other two allow."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

# Copied from .env.example and other people's READMEs: a secret that everybody knows is none.
_EXAMPLE_SECRET = re.compile(r"change.?me|example|secret|password|x{4,}|\.\.\.", re.IGNORECASE)
_LEAST_SECRET_LENGTH = 16
# HS256 signs with 256 bits; a shorter secret is the part one would guess (RFC 7518 §3.2).
_LEAST_JWT_SECRET_LENGTH = 32

_LONGEST_LEASE = timedelta(hours=1)
# Celery ends a task after 60 s; a lease that ran out before would let a second run begin beside it.
_LEAST_WORK_LEASE = timedelta(seconds=60)
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


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("must be longer than zero")
    return length


def _lease(length: timedelta) -> timedelta:
    # The doctor takes a longer lease for one that never ends (invariants.sql, lease_runs_out).
    if length > _LONGEST_LEASE:
        raise ValueError("must be one hour at most")
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
Lease = Annotated[Duration, AfterValidator(_lease)]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(lambda v: v.upper() if isinstance(v, str) else v),
]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_secrets)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseSettings):
    """Every setting, by the name of its environment variable in lower case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    environment: Environment = Environment.DEVELOPMENT
    database_url: Annotated[str, AfterValidator(_psycopg_url)] = Field(repr=False)
    broker_url: Annotated[str, _of_schemes("redis", "rediss", "sentinel", "amqp", "amqps")] = Field(
        default="redis://127.0.0.1:6379/0", repr=False
    )
    public_base_url: HttpUrl = "http://127.0.0.1:8400"
    secret_key: SecretStr
    log_level: LogLevel = "INFO"

    jwt_secret: SecretStr | None = None
    jwt_jwks_url: HttpUrl | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    cors_origins: Words = ()

    stripe_secret_key: SecretStr
    stripe_publishable_key: str = ""
    stripe_webhook_secret: Secrets
    stripe_api_version: str = "2026-10-28.endive"
    stripe_api_base: HttpUrl = "https://api.stripe.com"

    redirect_hosts: Annotated[Words, AfterValidator(_hosts)] = ()
    smtp_url: Annotated[str, _of_schemes("smtp", "smtps")] = Field(default="smtp://127.0.0.1:25", repr=False)
    mail_from: Annotated[str, AfterValidator(_address)] = "payments@localhost"
    operator_mail: str = ""
    flower_basic_auth: SecretStr | None = None

    # Stripe §3: a minute, five times five minutes, then hourly; the last step repeats.
    poll_schedule_stripe: Schedule = (
        timedelta(seconds=60),
        *[timedelta(minutes=5)] * 5,
        timedelta(hours=1),
    )
    # A ring waits this long for a worker before the relay rings again: what a wiped broker costs.
    ring_lease: Lease = timedelta(seconds=20)
    # Longer than the longest provider calls and Celery's hard limit of 60 s.
    work_lease: Lease = timedelta(seconds=90)
    provider_connect_timeout: Duration = timedelta(seconds=3)
    provider_read_timeout: Duration = timedelta(seconds=8)
    # First wait after a failed call; it doubles to ten minutes.
    retry_base: Duration = timedelta(seconds=5)
    # An event about a payment we do not have is retried this long, then a person looks at it.
    orphan_notice_after: Duration = timedelta(minutes=15)
    idempotency_key_life: Duration = timedelta(hours=72)

    @property
    def live_mode(self) -> bool:
        """Whether Stripe's key moves real money; every event must say the same."""
        return self.stripe_secret_key.get_secret_value().startswith(("sk_live_", "rk_live_"))

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets in force: two while one is being replaced."""
        return tuple(secret.get_secret_value() for secret in self.stripe_webhook_secret)


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 (any setting, by name)
    """Read the environment; `overrides` are for tests.

    Raises SettingsInvalid, listing every missing or wrong variable.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as invalid:
        raise SettingsInvalid([_problem(error) for error in invalid.errors()]) from None
    problems = _weaknesses(settings)
    if problems:
        raise SettingsInvalid(problems)
    return settings


def _problem(error: Any) -> str:  # noqa: ANN401 (pydantic's ErrorDetails, whose `input` may be a secret: not shown)
    name = ".".join(str(part) for part in error["loc"]).upper()
    if error["type"] == "missing":
        return f"{name} is not set"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"


def _weaknesses(settings: Settings) -> list[str]:
    problems = _stripe_problems(settings)
    if settings.jwt_secret and len(settings.jwt_secret.get_secret_value()) < _LEAST_JWT_SECRET_LENGTH:
        problems.append(f"JWT_SECRET needs at least {_LEAST_JWT_SECRET_LENGTH} characters")
    if settings.environment is not Environment.PRODUCTION:
        return problems
    problems += [
        f"{name} is too short or an example value: production needs a real secret"
        for name, value in _named_secrets(settings)
        if len(value) < _LEAST_SECRET_LENGTH or _EXAMPLE_SECRET.search(value)
    ]
    if settings.work_lease <= _LEAST_WORK_LEASE:
        problems.append("WORK_LEASE must be longer than 60s, the time limit of a task")
    if not settings.stripe_api_base.startswith("https://"):
        problems.append("STRIPE_API_BASE must be https: a live key travels to it")
    if not settings.redirect_hosts:
        problems.append("REDIRECT_HOSTS is empty: name the hosts customers may be sent back to")
    if settings.jwt_secret and not (settings.jwt_issuer and settings.jwt_audience):
        problems.append("JWT_ISSUER and JWT_AUDIENCE must be set where JWT_SECRET is")
    if settings.jwt_jwks_url and not (settings.jwt_issuer and settings.jwt_audience):
        problems.append("JWT_ISSUER and JWT_AUDIENCE must be set where JWT_JWKS_URL is")
    return problems


def _named_secrets(settings: Settings) -> list[tuple[str, str]]:
    named = [
        ("SECRET_KEY", settings.secret_key.get_secret_value()),
        ("STRIPE_SECRET_KEY", settings.stripe_secret_key.get_secret_value().partition("_live_")[2]),
        *(("STRIPE_WEBHOOK_SECRET", s.removeprefix("whsec_")) for s in settings.stripe_webhook_secrets),
    ]
    if settings.jwt_secret:
        named.append(("JWT_SECRET", settings.jwt_secret.get_secret_value()))
    if settings.flower_basic_auth:
        named.append(("FLOWER_BASIC_AUTH", settings.flower_basic_auth.get_secret_value().partition(":")[2]))
    return named


def _stripe_problems(settings: Settings) -> list[str]:
    problems = []
    key = settings.stripe_secret_key.get_secret_value()
    if not key.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
        problems.append("STRIPE_SECRET_KEY must be a secret or restricted key (sk_test_…, rk_live_…)")
    # An empty signing key is one that anybody can sign with.
    if not settings.stripe_webhook_secrets:
        problems.append("STRIPE_WEBHOOK_SECRET is not set")
    production = settings.environment is Environment.PRODUCTION
    if settings.live_mode and not production:
        problems.append("STRIPE_SECRET_KEY is a live key, but ENVIRONMENT is not production")
    if production and not settings.live_mode:
        problems.append("STRIPE_SECRET_KEY is a test key, but ENVIRONMENT is production")
    return problems


class _DatabaseOnly(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: Annotated[str, AfterValidator(_psycopg_url)] = Field(repr=False)


def database_url() -> str:
    """Read DATABASE_URL alone: a migration needs no provider's keys.

    Raises SettingsInvalid.
    """
    try:
        return _DatabaseOnly().database_url
    except ValidationError as invalid:
        raise SettingsInvalid([_problem(error) for error in invalid.errors()]) from None
