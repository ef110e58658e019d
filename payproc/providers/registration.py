"""What a provider's folder says of itself to the registry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from payproc.domain.payment_methods import PaymentMethod, path_of
from payproc.providers.base import Provider
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.settings import Settings

Group = TypeVar("Group", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Registration(Generic[Group]):
    """A provider's name, the settings it reads, what is wrong with them, and how it is made of them.

    Every name that `settings` adds carries the provider's own: all groups are read as one. `construct` returns None
    where the settings name no account there.
    """

    method: PaymentMethod
    settings: type[Group]
    problems: Callable[[Group], list[str]]
    construct: Callable[[Group, CircuitBreakers], Provider | None]


def our_address(settings: Settings, method: PaymentMethod, page: str) -> str:
    """Return where a provider finds us: our `notify` or our `return`."""
    return f"{settings.public_base_url}/api/v1/payments/{path_of(method)}/{page}"
