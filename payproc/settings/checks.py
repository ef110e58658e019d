"""What is wrong with settings that each look right by themselves, in sentences for whoever sets them."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

from pydantic import SecretStr

from payproc.domain.money import CURRENCIES
from payproc.settings.connections import connection_problems
from payproc.settings.fields import Settings

# Copied from .env.example and other people's READMEs: a secret that everybody knows is none.
_EXAMPLE_SECRET = re.compile(r"change.?me|example|secret|password|x{4,}|\.\.\.", re.IGNORECASE)
_LEAST_SECRET_LENGTH = 16
# HS256 signs with 256 bits; a shorter secret is the part one would guess (RFC 7518 §3.2).
_LEAST_JWT_SECRET_LENGTH = 32

# A worker's machine may stand still for a few seconds; what is taken from it then is begun a second time beside it.
_LEAST_WORK_LEASE = timedelta(seconds=8)
# Half a lease must be left when a call is sent. Beside its connection that is for its turn, where a provider has said
# "too many requests" (1.5 s at most).
_LONGEST_TURN = timedelta(seconds=1.5)


# Providers tell of what is a month old; forgotten sooner, it would be taken for news.
_LEAST_MEMORY = timedelta(days=45)
# A delivery is tried for half of it, and a shop that was down over a holiday reads what it missed.
_LEAST_LIFE_OF_EVENTS = timedelta(days=7)


def deployment_problems(settings: Settings) -> list[str]:
    """Return a sentence for each of the deployment's own settings that is weak or at odds with another."""
    problems = connection_problems(settings)
    if settings.jwt_secret and len(settings.jwt_secret.get_secret_value()) < _LEAST_JWT_SECRET_LENGTH:
        problems.append(f"JWT_SECRET needs at least {_LEAST_JWT_SECRET_LENGTH} characters")
    if settings.default_currency and settings.default_currency not in CURRENCIES:
        problems.append(f"DEFAULT_CURRENCY: {settings.default_currency!r} is not a currency such as pkr or usd")
    problems += [
        f"{name.upper()} must be at least {_LEAST_MEMORY.days}d"
        for name in ("notices_life", "mails_life")
        if getattr(settings, name) < _LEAST_MEMORY
    ]
    if settings.events_life < _LEAST_LIFE_OF_EVENTS:
        problems.append(f"EVENTS_LIFE must be at least {_LEAST_LIFE_OF_EVENTS.days}d")
    if settings.push_shares_life < settings.push_patience + settings.push_timeout:
        problems.append(
            "PUSH_SHARES_LIFE must be at least PUSH_PATIENCE and PUSH_TIMEOUT together: a push still counts"
        )
    if not settings.is_production:
        return problems
    problems += [problem for name, secret in _secrets(settings) for problem in weak_secret(name, secret)]
    if settings.work_lease < _LEAST_WORK_LEASE:
        problems.append("WORK_LEASE must be at least 8s: a busy machine is not a dead one")
    if settings.work_lease < 2 * (settings.provider_connect_timeout + _LONGEST_TURN):
        problems.append("WORK_LEASE must be at least twice PROVIDER_CONNECT_TIMEOUT and 3s: calls leave in half")
    if not settings.redirect_hosts:
        problems.append("REDIRECT_HOSTS is empty: name the hosts customers may be sent back to")
    problems += [
        f"JWT_ISSUER and JWT_AUDIENCE must be set where {name} is"
        for name, given in (("JWT_SECRET", settings.jwt_secret), ("JWT_JWKS_URL", settings.jwt_jwks_url))
        if given and not (settings.jwt_issuer and settings.jwt_audience)
    ]
    return problems


def _secrets(settings: Settings) -> list[tuple[str, str]]:
    named = [("SECRET_KEY", settings.secret_key.get_secret_value())]
    if settings.jwt_secret:
        named.append(("JWT_SECRET", settings.jwt_secret.get_secret_value()))
    if settings.flower_basic_auth:
        named.append(("FLOWER_BASIC_AUTH", settings.flower_basic_auth.get_secret_value().partition(":")[2]))
    return named


def weak_secret(name: str, secret: str) -> list[str]:
    """Find fault with a secret that is short, or that everybody knows."""
    if len(secret) >= _LEAST_SECRET_LENGTH and not _EXAMPLE_SECRET.search(secret):
        return []
    return [f"{name} is too short or an example value: production needs a real secret"]


def missing(needed: Mapping[str, SecretStr], *, dialect: str) -> list[str]:
    """Name what a wallet's dialect needs and was not given."""
    return [f"{name} is not set; {dialect} needs it" for name, value in needed.items() if not value.get_secret_value()]


def dialect_not_said(name: str, dialects: Iterable[str]) -> str:
    """Ask for the dialect of a wallet whose account is set."""
    real = ", ".join(dialect for dialect in dialects if dialect != "guide")
    return f"{name} is not set: say which of {real} you were given at onboarding"


def guide_dialect(settings: Settings, name: str, dialect: str) -> list[str]:
    """Refuse the integration guide's dialect in production, unless somebody meant it."""
    if dialect != "guide" or settings.allow_guide_dialect:
        return []
    spoken = "which no gateway of today speaks: choose the one you were given, or say ALLOW_GUIDE_DIALECT=true"
    return [f"{name} is guide, {spoken}"]


def not_https(urls: Mapping[str, str | None]) -> list[str]:
    """Name the addresses that anybody on the way could listen to."""
    return [f"{name} must be https" for name, url in urls.items() if url and not url.startswith("https://")]
