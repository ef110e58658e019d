"""Everything one process of payproc works with. `bootstrap` puts it together."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from payproc.database.encryption import Cipher, PhoneHasher
from payproc.database.engine import Database
from payproc.database.models import Payment
from payproc.database.payer_encryption import PayerCipher
from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import NotFound, Refusal, RequestRefused
from payproc.providers.base import Provider
from payproc.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail as it leaves: octets in lines that end as the wire's do, headers first."""

    sender: str
    recipient: str
    content: bytes


class Posting(Protocol):
    """A connection by which mail leaves."""

    def post(self, letter: Letter) -> None:
        """Hand one mail over."""


class Mailing(Protocol):
    """The way mail leaves."""

    def connection(self) -> AbstractContextManager[Posting]:
        """Open a connection for several mails."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """Settings, database, providers and the way mail leaves. Use it after a fork only."""

    settings: Settings
    database: Database
    providers: Mapping[PaymentMethod, Provider]
    mailer: Mailing

    @cached_property
    def payer_cipher(self) -> PayerCipher:
        """What encrypts a payer until the wallet has been told."""
        return PayerCipher(self.settings)

    @cached_property
    def webhook_cipher(self) -> Cipher:
        """What encrypts the secrets that sign webhooks."""
        return Cipher(
            self.settings.secret_key,
            purpose="payproc webhook secret 1",
            what="A webhook endpoint's secret",
            code="webhook_secret_sealed",
        )

    @cached_property
    def phone_hasher(self) -> PhoneHasher:
        """What makes of a phone what its payments are found by."""
        return PhoneHasher(self.settings.secret_key)

    def provider(self, method: PaymentMethod) -> Provider:
        """Return the provider of a payment method.

        Raises NotFound where this deployment has none.
        """
        found = self.providers.get(method)
        if found is None:
            raise NotFound(f"Payments by {method} are not set up here.", code="payment_method_unavailable")
        return found

    def provider_of(self, payment: Payment) -> Provider:
        """Return the provider that a payment was made with.

        Raises RequestRefused where this process must not speak for it: the provider is not set up any more, or the
        payment is of another environment, whose gateway would be the wrong one to ask.
        """
        found = self.providers.get(payment.payment_method)
        if found is None:
            raise RequestRefused(
                f"{payment.payment_method} is not set up any more.",
                refusal=Refusal.CONFIGURATION,
                code="payment_method_unavailable",
                subject=payment.id,
            )
        if payment.environment != self.settings.environment or payment.live_mode is not found.live_mode:
            raise RequestRefused(
                f"{payment.id} was made in {payment.environment}, and this is {self.settings.environment}.",
                # Of this one payment: nothing else that waits for its provider goes the same way.
                refusal=Refusal.BUG,
                code="environment_differs",
                subject=payment.id,
            )
        return found
