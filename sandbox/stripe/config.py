"""What a simulated Stripe account is told when it starts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

API_VERSION = "2026-10-28.endive"


def unix_now() -> int:
    """Return the current time in unix seconds."""
    return int(time.time())


@dataclass(frozen=True, kw_only=True)
class StripeConfig:
    """Settings of one simulated Stripe account; every duration is in seconds."""

    webhook_url: str = ""
    webhook_secret: str = "whsec_sandbox"  # noqa: S105 - a simulator has no secrets
    state_path: str = ":memory:"
    # Empty means: whatever host the request that created the session was sent to.
    public_base_url: str = ""
    retry_schedule: tuple[float, ...] = (1, 2, 5, 10, 30, 60)
    max_attempts: int = 20
    delivery_timeout: float = 10
    # More than one, because Stripe sends the events of one payment side by side and in no order.
    delivery_workers: int = 4
    # Stripe's hosted page holds the customer back this long for the answer to checkout.session.completed.
    redirect_hold: float = 10
    enabled_events: tuple[str, ...] = ("checkout.session.*", "payment_intent.*", "charge.*", "refund.*", "payout.*")
    # Lower case. Empty means: every charge settles in its own currency. The rates are those of rates.py.
    settlement_currency: str = ""
    key_prefixes: tuple[str, ...] = ("sk_test_", "rk_test_")
    livemode: bool = False
    clock: Callable[[], int] = unix_now
