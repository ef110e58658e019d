"""Which providers there are: one dictionary that anyone can grep."""

from collections.abc import Callable, Mapping

from payproc.providers.base import PaymentMethod, Provider
from payproc.providers.stripe.config import StripeConfig
from payproc.providers.stripe.provider import StripeProvider
from payproc.settings import Settings

Registry = Mapping[PaymentMethod, Provider]


def _stripe(settings: Settings) -> Provider:
    return StripeProvider(
        StripeConfig(
            secret_key=settings.stripe_secret_key.get_secret_value(),
            webhook_secrets=settings.stripe_webhook_secrets,
            api_version=settings.stripe_api_version,
            api_base=settings.stripe_api_base,
            live_mode=settings.live_mode,
            connect_timeout=settings.provider_connect_timeout,
            read_timeout=settings.provider_read_timeout,
        )
    )


CONSTRUCTORS: dict[PaymentMethod, Callable[[Settings], Provider]] = {
    PaymentMethod.STRIPE: _stripe,
}


def build(settings: Settings) -> Registry:
    """Make every provider. Do it after a fork: their HTTP sessions hold sockets."""
    return {name: construct(settings) for name, construct in CONSTRUCTORS.items()}
