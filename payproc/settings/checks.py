"""What is wrong with a set of settings that each look right by themselves."""

import re
from datetime import timedelta

from pydantic import SecretStr

from payproc.settings.fields import Settings
from payproc.settings.types import Environment

# Copied from .env.example and other people's READMEs: a secret that everybody knows is none.
_EXAMPLE_SECRET = re.compile(r"change.?me|example|secret|password|x{4,}|\.\.\.", re.IGNORECASE)
_LEAST_SECRET_LENGTH = 16
# HS256 signs with 256 bits; a shorter secret is the part one would guess (RFC 7518 §3.2).
_LEAST_JWT_SECRET_LENGTH = 32

# Celery ends a task after 60 s; a lease that ran out before would let a second run begin beside it.
_LEAST_WORK_LEASE = timedelta(seconds=60)


def weaknesses(settings: Settings) -> list[str]:
    """Return a sentence for each setting that is missing, weak or at odds with another."""
    problems = [*_stripe_problems(settings), *_jazz_cash_problems(settings), *_easy_paisa_problems(settings)]
    if settings.jwt_secret and len(settings.jwt_secret.get_secret_value()) < _LEAST_JWT_SECRET_LENGTH:
        problems.append(f"JWT_SECRET needs at least {_LEAST_JWT_SECRET_LENGTH} characters")
    if settings.environment is not Environment.PRODUCTION:
        return problems
    problems += [
        f"{name} is too short or an example value: production needs a real secret"
        for name, value in _named_secrets(settings)
        if len(value) < _LEAST_SECRET_LENGTH or _EXAMPLE_SECRET.search(value)
    ]
    problems += _wallet_problems_in_production(settings)
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


def _jazz_cash_problems(settings: Settings) -> list[str]:
    if not settings.offers_jazz_cash:
        return []
    needed = {"JAZZ_CASH_PASSWORD": settings.jazz_cash_password}
    if settings.jazz_cash_dialect != "guide":
        # An empty key is one that anybody can sign with.
        needed["JAZZ_CASH_INTEGRITY_SALT"] = settings.jazz_cash_integrity_salt
    return _missing(needed, dialect=settings.jazz_cash_dialect)


def _easy_paisa_problems(settings: Settings) -> list[str]:
    if not settings.offers_easy_paisa:
        return []
    named = {
        "EASY_PAISA_STORE_PASSWORD": settings.easy_paisa_store_password,
        "EASY_PAISA_USERNAME": SecretStr(settings.easy_paisa_username),
        "EASY_PAISA_PASSWORD": settings.easy_paisa_password,
        "EASY_PAISA_ACCOUNT_NUMBER": settings.easy_paisa_account_number,
        "EASY_PAISA_HASH_KEY": settings.easy_paisa_hash_key,
        "EASY_PAISA_PRIVATE_KEY": settings.easy_paisa_private_key,
        "EASY_PAISA_PUBLIC_KEY": settings.easy_paisa_public_key,
    }
    # What pays by the hosted page is asked about over REST.
    rest = ("EASY_PAISA_USERNAME", "EASY_PAISA_PASSWORD", "EASY_PAISA_ACCOUNT_NUMBER")
    needed = {
        "guide": ("EASY_PAISA_STORE_PASSWORD",),
        "rest-v4": rest,
        "rest-v5-rsa": (*rest, "EASY_PAISA_PRIVATE_KEY", "EASY_PAISA_PUBLIC_KEY"),
        "hosted": (*rest, "EASY_PAISA_HASH_KEY"),
    }[settings.easy_paisa_dialect]
    return _missing({name: named[name] for name in needed}, dialect=settings.easy_paisa_dialect)


def _missing(needed: dict[str, SecretStr], *, dialect: str) -> list[str]:
    return [f"{name} is not set; {dialect} needs it" for name, value in needed.items() if not value.get_secret_value()]


def _wallet_problems_in_production(settings: Settings) -> list[str]:
    problems = []
    for wallet, offered, dialect, urls in (
        ("JAZZ_CASH", settings.offers_jazz_cash, settings.jazz_cash_dialect, _jazz_cash_urls(settings)),
        ("EASY_PAISA", settings.offers_easy_paisa, settings.easy_paisa_dialect, _easy_paisa_urls(settings)),
    ):
        if not offered:
            continue
        if dialect == "guide" and not settings.allow_guide_dialect:
            problems.append(
                f"{wallet}_DIALECT is guide, which no gateway of today speaks: choose the one you were given, "
                "or say ALLOW_GUIDE_DIALECT=true"
            )
        problems += [f"{name} must be https" for name, url in urls.items() if url and not url.startswith("https://")]
    # Both wallets name PUBLIC_BASE_URL.
    return list(dict.fromkeys(problems))


def _jazz_cash_urls(settings: Settings) -> dict[str, str | None]:
    return {
        "PUBLIC_BASE_URL": settings.public_base_url,
        "JAZZ_CASH_BASE_URL": settings.jazz_cash_base_url,
        "JAZZ_CASH_HOSTED_URL": settings.jazz_cash_hosted_url,
        "JAZZ_CASH_PUSH_URL": settings.jazz_cash_push_url,
        "JAZZ_CASH_INQUIRY_URL": settings.jazz_cash_inquiry_url,
        "JAZZ_CASH_REFUND_URL": settings.jazz_cash_refund_url,
    }


def _easy_paisa_urls(settings: Settings) -> dict[str, str | None]:
    return {"PUBLIC_BASE_URL": settings.public_base_url, "EASY_PAISA_BASE_URL": settings.easy_paisa_base_url}
