"""What the fake provider must be told."""

from dataclasses import dataclass, field
from datetime import timedelta

from payproc.domain.payment_methods import PaymentMethod

FAKE = PaymentMethod("fake")


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    """Address, key and patience. The one key signs our calls and the gateway's notices."""

    base_url: str
    key: str = field(repr=False)
    patience: timedelta = timedelta(seconds=5)
    live_mode: bool = False
