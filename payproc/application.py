"""Everything one process of payproc works with, put together once."""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Self

from payproc.db import Database
from payproc.mailer import Mailer
from payproc.providers import registry
from payproc.providers.base import PaymentMethod, Provider
from payproc.settings import Settings, load_settings


@dataclass(frozen=True, kw_only=True)
class Application:
    """Settings, database, providers and the way mail leaves. Make it after a fork."""

    settings: Settings
    database: Database
    providers: registry.Registry
    post: Callable[[EmailMessage], None]

    @classmethod
    def from_settings(cls, settings: Settings, *, pool_size: int = 5) -> Self:
        """Put an application together; nothing is connected until it is used."""
        return cls(
            settings=settings,
            database=Database(settings.database_url, pool_size=pool_size),
            providers=registry.build(settings),
            post=Mailer(settings.smtp_url).post,
        )

    @classmethod
    def from_environment(cls, *, pool_size: int = 5) -> Self:
        """Put an application together from the environment.

        Raises SettingsInvalid, naming everything that is wrong.
        """
        return cls.from_settings(load_settings(), pool_size=pool_size)

    def provider(self, method: PaymentMethod) -> Provider:
        """Return the provider of a payment method."""
        return self.providers[method]
