"""What the Stripe provider must be told, and how the environment tells it."""

from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from payproc.settings import Schedule, Settings, load
from payproc.settings.checks import weak_secret
from payproc.settings.types import HttpUrl, Secrets


@dataclass(frozen=True, kw_only=True)
class StripeConfig:
    """Keys, address and patience.

    `webhook_secrets` are the signing secrets in force: two while one is being replaced (an old one lives up to
    24 hours at Stripe).
    """

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_version: str
    api_base: str
    live_mode: bool
    connect_timeout: timedelta
    read_timeout: timedelta
    poll_schedule: tuple[timedelta, ...]


class StripeSettings(Settings):
    """Stripe's variables, beside the deployment's."""

    stripe_secret_key: SecretStr
    stripe_publishable_key: str = ""
    stripe_webhook_secret: Secrets
    stripe_api_version: str = "2026-10-28.endive"
    stripe_api_base: HttpUrl = "https://api.stripe.com"
    # A minute, five times five minutes, then hourly; the last step repeats.
    poll_schedule_stripe: Schedule = (
        timedelta(seconds=60),
        *[timedelta(minutes=5)] * 5,
        timedelta(hours=1),
    )

    @property
    def stripe_live_mode(self) -> bool:
        """Whether the key moves real money; every event must say the same."""
        return _is_live(self.stripe_secret_key.get_secret_value())

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets in force: two while one is being replaced."""
        return tuple(secret.get_secret_value() for secret in self.stripe_webhook_secret)


def config_of(settings: StripeSettings) -> StripeConfig:
    """Return what the settings say, in the provider's own words."""
    return StripeConfig(
        secret_key=settings.stripe_secret_key.get_secret_value(),
        webhook_secrets=settings.stripe_webhook_secrets,
        api_version=settings.stripe_api_version,
        api_base=settings.stripe_api_base,
        live_mode=settings.stripe_live_mode,
        connect_timeout=settings.provider_connect_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_stripe,
    )


class _AccountOnly(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    public_base_url: HttpUrl = Settings.model_fields["public_base_url"].default
    stripe_secret_key: SecretStr
    stripe_api_version: str = StripeSettings.model_fields["stripe_api_version"].default
    stripe_api_base: HttpUrl = StripeSettings.model_fields["stripe_api_base"].default


# Somebody waits at a keyboard.
_PATIENCE = timedelta(seconds=3), timedelta(seconds=10)


def account_only() -> tuple[StripeConfig, str]:
    """Read what it takes to register a webhook, before there is its secret; beside it where Stripe finds us.

    Raises SettingsInvalid.
    """
    found = load(_AccountOnly, _key_problems)
    key = found.stripe_secret_key.get_secret_value()
    config = StripeConfig(
        secret_key=key,
        webhook_secrets=(),
        api_version=found.stripe_api_version,
        api_base=found.stripe_api_base,
        live_mode=_is_live(key),
        connect_timeout=_PATIENCE[0],
        read_timeout=_PATIENCE[1],
        poll_schedule=(),
    )
    return config, webhook_address(found.public_base_url)


def webhook_address(public_base_url: str) -> str:
    """Return where Stripe finds us."""
    return f"{public_base_url}/api/v1/payments/webhook/stripe"


def _is_live(key: str) -> bool:
    return key.startswith(("sk_live_", "rk_live_"))


def _key_problems(settings: "StripeSettings | _AccountOnly") -> list[str]:
    if settings.stripe_secret_key.get_secret_value().startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
        return []
    return ["STRIPE_SECRET_KEY must be a secret or restricted key (sk_test_…, rk_live_…)"]


def problems(settings: StripeSettings) -> list[str]:
    """Return a sentence for each of Stripe's settings that is missing, weak or at odds with another."""
    found = _key_problems(settings)
    # An empty signing key is one that anybody can sign with.
    if not settings.stripe_webhook_secrets:
        found.append("STRIPE_WEBHOOK_SECRET is not set")
    if settings.is_production:
        return found + _production_problems(settings)
    if settings.stripe_live_mode:
        found.append("STRIPE_SECRET_KEY is a live key, but ENVIRONMENT is not production")
    return found


def _production_problems(settings: StripeSettings) -> list[str]:
    found = []
    if not settings.stripe_live_mode:
        found.append("STRIPE_SECRET_KEY is a test key, but ENVIRONMENT is production")
    found += weak_secret("STRIPE_SECRET_KEY", settings.stripe_secret_key.get_secret_value().partition("_live_")[2])
    for secret in settings.stripe_webhook_secrets:
        found += weak_secret("STRIPE_WEBHOOK_SECRET", secret.removeprefix("whsec_"))
    if not settings.stripe_api_base.startswith("https://"):
        found.append("STRIPE_API_BASE must be https: a live key travels to it")
    return found
