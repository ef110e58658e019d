"""Stripe, as the registry knows it."""

from typing import TYPE_CHECKING

from payproc.providers.registration import Registration
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.settings import StripeSettings, config_of, problems
from payproc.providers.transport.circuit_breakers import CircuitBreakers

if TYPE_CHECKING:
    from payproc.providers.stripe.provider import StripeProvider


def _constructed(settings: StripeSettings, breakers: CircuitBreakers) -> "StripeProvider":
    from payproc.providers.stripe.provider import StripeProvider  # noqa: PLC0415 (who asks for names alone, as beat does, holds no provider's library)

    return StripeProvider(config_of(settings), breakers)


REGISTRATION = Registration(method=STRIPE, settings=StripeSettings, problems=problems, construct=_constructed)
