"""What the Easypaisa provider must be told."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import assert_never


class Dialect(StrEnum):
    """What the gateway is spoken to in. A payment keeps the one it was made in."""

    GUIDE = "guide"
    REST_V4 = "rest-v4"
    REST_V5_RSA = "rest-v5-rsa"
    HOSTED = "hosted"


class PaymentType(StrEnum):
    """How the customer of a rest dialect pays, in the gateway's words."""

    MOBILE_ACCOUNT = "MA"  # approves on the phone
    OVER_THE_COUNTER = "OTC"  # pays a token in cash at a shop


@dataclass(frozen=True, kw_only=True)
class EasyPaisaConfig:
    """Credentials, addresses and patience; a credential is "" where the dialect does without it.

    `base_url` replaces the gateway's own host, `poll_schedule` our own waiting times. `push_timeout` is how long a
    charge may wait for the customer, who types a PIN meanwhile; `read_timeout` bounds every other call.
    """

    dialect: Dialect
    store_id: str
    return_url: str
    notify_url: str
    live_mode: bool
    read_timeout: timedelta
    push_timeout: timedelta = timedelta(seconds=100)
    base_url: str | None = None
    payment_type: PaymentType = PaymentType.MOBILE_ACCOUNT
    poll_schedule: tuple[timedelta, ...] | None = None
    store_password: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    account_number: str = field(default="", repr=False)
    hash_key: str = field(default="", repr=False)
    private_key_pem: str = field(default="", repr=False)
    public_key_pem: str = field(default="", repr=False)

    def base_for(self, dialect: Dialect) -> str:
        """Return where a dialect's calls go, without a slash at the end.

        Asked by dialect: a payment of the guide's must still find its gateway after a change to the real one.
        """
        return (self.base_url or default_base_url(dialect, live=self.live_mode)).rstrip("/")


def default_base_url(dialect: Dialect, *, live: bool) -> str:
    """Return the gateway's own host. The guide's were never seen anywhere but in the guide."""
    match dialect:
        case Dialect.GUIDE:
            return "https://easypaisaapi.easypaisa.com.pk" if live else "https://sandbox.easypaisa.com.pk"
        case Dialect.REST_V4 | Dialect.REST_V5_RSA | Dialect.HOSTED:
            return "https://easypay.easypaisa.com.pk" if live else "https://easypaystg.easypaisa.com.pk"
        case _:
            assert_never(dialect)
