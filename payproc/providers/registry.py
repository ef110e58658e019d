"""Which providers there are: one line for each."""

from collections.abc import Mapping
from typing import Any

from payproc.domain.payment_methods import PaymentMethod
from payproc.providers.base import Provider
from payproc.providers.easy_paisa import registration as easy_paisa
from payproc.providers.jazz_cash import registration as jazz_cash
from payproc.providers.registration import Registration
from payproc.providers.stripe import registration as stripe
from payproc.providers.transport.circuit_breakers import CircuitBreakers, CircuitStatus
from payproc.settings import Settings

PROVIDERS: dict[PaymentMethod, Registration[Any]] = {
    each.method: each
    for each in (
        stripe.REGISTRATION,
        jazz_cash.REGISTRATION,
        easy_paisa.REGISTRATION,
    )
}


def build(settings: Settings, *, status: CircuitStatus | None = None) -> Mapping[PaymentMethod, Provider]:
    """Make every provider that is set up. Call none before a fork: their HTTP sessions hold sockets from then on.

    By `status` the circuit breakers of all processes know of each other.
    """
    made = {
        method: each.construct(settings, CircuitBreakers(method, longest_rest=settings.circuit_rest, status=status))
        for method, each in PROVIDERS.items()
    }
    return {method: provider for method, provider in made.items() if provider is not None}
