"""What the Easypaisa provider must be told, and how the environment tells it."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import assert_never

from pydantic import SecretStr

from payproc.settings import Schedule, Settings
from payproc.settings.checks import dialect_not_said, guide_dialect, missing, not_https
from payproc.settings.types import ExactUrl, HttpUrl, Pem


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
    merchant_email: str
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


class EasyPaisaSettings(Settings):
    """Easypaisa's variables, beside the deployment's. It is offered where EASY_PAISA_STORE_ID names a store."""

    # No default: which one an account speaks is told at onboarding, and a guess would be right for few.
    easy_paisa_dialect: Dialect | None = None
    easy_paisa_payment_type: PaymentType = PaymentType.MOBILE_ACCOUNT
    easy_paisa_store_id: str = ""
    easy_paisa_store_password: SecretStr = SecretStr("")
    easy_paisa_username: str = ""
    easy_paisa_password: SecretStr = SecretStr("")
    easy_paisa_account_number: SecretStr = SecretStr("")
    easy_paisa_hash_key: SecretStr = SecretStr("")
    easy_paisa_private_key: Pem = SecretStr("")
    easy_paisa_public_key: Pem = SecretStr("")
    easy_paisa_base_url: HttpUrl | None = None
    easy_paisa_return_url: ExactUrl | None = None
    easy_paisa_notify_url: ExactUrl | None = None
    # None: as the gateway's dialect suggests.
    poll_schedule_easy_paisa: Schedule | None = None

    @property
    def offers_easy_paisa(self) -> bool:
        """Whether there is a store at Easypaisa."""
        return bool(self.easy_paisa_store_id)


def problems(settings: EasyPaisaSettings) -> list[str]:
    """Return a sentence for each of Easypaisa's settings that is missing, or that production refuses."""
    if not settings.offers_easy_paisa:
        return []
    dialect = settings.easy_paisa_dialect
    if dialect is None:
        return [dialect_not_said("EASY_PAISA_DIALECT", Dialect)]
    found = missing(_needed(settings, dialect), dialect=dialect)
    if settings.is_production:
        found += guide_dialect(settings, "EASY_PAISA_DIALECT", dialect)
        found += not_https(
            {"PUBLIC_BASE_URL": settings.public_base_url, "EASY_PAISA_BASE_URL": settings.easy_paisa_base_url}
        )
    return found


def _needed(settings: EasyPaisaSettings, dialect: Dialect) -> dict[str, SecretStr]:
    # What pays by the hosted page is asked about over REST.
    rest = {
        "EASY_PAISA_USERNAME": SecretStr(settings.easy_paisa_username),
        "EASY_PAISA_PASSWORD": settings.easy_paisa_password,
        "EASY_PAISA_ACCOUNT_NUMBER": settings.easy_paisa_account_number,
    }
    match dialect:
        case Dialect.GUIDE:
            return {"EASY_PAISA_STORE_PASSWORD": settings.easy_paisa_store_password}
        case Dialect.REST_V4:
            return rest
        case Dialect.REST_V5_RSA:
            return rest | {
                "EASY_PAISA_PRIVATE_KEY": settings.easy_paisa_private_key,
                "EASY_PAISA_PUBLIC_KEY": settings.easy_paisa_public_key,
            }
        case Dialect.HOSTED:
            return rest | {"EASY_PAISA_HASH_KEY": settings.easy_paisa_hash_key}
        case _:
            assert_never(dialect)
