"""Stripe, as the registry knows it."""

from typing import TYPE_CHECKING

from payproc.providers.registration import Registration
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.settings import StripeConfig, StripeSettings, problems
from payproc.providers.transport.circuit_breakers import CircuitBreakers

if TYPE_CHECKING:
    from payproc.providers.stripe.provider import StripeProvider


def _constructed(settings: StripeSettings, breakers: CircuitBreakers) -> "StripeProvider":
    from payproc.providers.stripe.provider import StripeProvider  # noqa: PLC0415 (who asks for names alone, as beat does, holds no provider's library)

    config = StripeConfig(
        secret_key=settings.stripe_secret_key.get_secret_value(),
        webhook_secrets=settings.stripe_webhook_secrets,
        api_version=settings.stripe_api_version,
        api_base=settings.stripe_api_base,
        live_mode=settings.stripe_live_mode,
        connect_timeout=settings.provider_connect_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_stripe,
    )
    return StripeProvider(config, breakers)


REGISTRATION = Registration(method=STRIPE, settings=StripeSettings, problems=problems, construct=_constructed)
