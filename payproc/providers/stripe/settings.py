"""What the Stripe provider must be told."""

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class StripeConfig:
    """Keys, address and patience.

    `webhook_secrets` are the signing secrets in force: two while one is being replaced (an old one lives up to
    24 hours at Stripe).
    """

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_version: str
    api_base: str
    live_mode: bool
    connect_timeout: timedelta
    read_timeout: timedelta
    poll_schedule: tuple[timedelta, ...]
