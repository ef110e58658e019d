"""Stripe, as the registry knows it."""

from payproc.providers.registration import Registration
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.provider import StripeProvider
from payproc.providers.stripe.settings import StripeConfig, StripeSettings, problems
from payproc.providers.transport.circuit_breakers import CircuitBreakers


def _constructed(settings: StripeSettings, breakers: CircuitBreakers) -> StripeProvider:
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
