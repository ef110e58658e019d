"""Which providers there are: one line for each."""

from collections.abc import Mapping
from typing import Any

from payproc.domain.payment_methods import PaymentMethod
from payproc.providers.base import Provider
from payproc.providers.easy_paisa import registration as easy_paisa
from payproc.providers.jazz_cash import registration as jazz_cash
from payproc.providers.registration import Registration
from payproc.providers.stripe import registration as stripe
from payproc.providers.transport.circuit_breakers import Circuits, Told, tell_nobody
from payproc.settings import Settings

PROVIDERS: dict[PaymentMethod, Registration[Any]] = {
    each.method: each
    for each in (
        stripe.REGISTRATION,
        jazz_cash.REGISTRATION,
        easy_paisa.REGISTRATION,
    )
}


def build(settings: Settings, *, told: Told = tell_nobody) -> Mapping[PaymentMethod, Provider]:
    """Make every provider that is set up. Do it after a fork: their HTTP sessions hold sockets.

    `told` hears when a provider's fuse blows or is mended.
    """
    made = {
        method: each.construct(settings, Circuits(method, rest=settings.circuit_rest, told=told))
        for method, each in PROVIDERS.items()
    }
    return {method: provider for method, provider in made.items() if provider is not None}
