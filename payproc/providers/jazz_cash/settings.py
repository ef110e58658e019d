"""What the JazzCash provider must be told, and how the environment tells it."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pydantic import SecretStr

from payproc.errors import SettingsInvalid
from payproc.providers.jazz_cash.endpoints import Endpoints, Preset
from payproc.providers.jazz_cash.values import is_plain
from payproc.settings import Schedule, Settings
from payproc.settings.checks import dialect_not_said, guide_dialect, missing, not_https
from payproc.settings.types import ExactUrl, HttpUrl


class Dialect(StrEnum):
    """Which words are spoken. A payment keeps the dialect it was made in."""

    GUIDE = "guide"
    HOSTED_1_1 = "hosted-1.1"
    HOSTED_2_0 = "hosted-2.0"
    MWALLET_1_1 = "mwallet-1.1"
    MWALLET_2_0 = "mwallet-2.0"


# The gateway's own: one signature, one notification, one inquiry.
REAL_DIALECTS = frozenset(dialect.value for dialect in Dialect if dialect is not Dialect.GUIDE)


@dataclass(frozen=True, kw_only=True)
class JazzCashConfig:
    """The merchant's account, addresses and patience.

    `merchant_mpin` may be "": then nothing can be refunded by a call. `push_timeout` is how long a customer may take
    to approve on the phone. `poll_schedule` is None for the dialect's own.

    Raises SettingsInvalid where a value cannot be signed.
    """

    dialect: Dialect
    merchant_id: str
    password: str = field(repr=False)
    integrity_salt: str = field(repr=False)
    merchant_mpin: str = field(default="", repr=False)
    sub_merchant_name: str = ""
    endpoints: Endpoints
    return_url: str
    notify_url: str
    live_mode: bool
    push_timeout: timedelta = timedelta(seconds=100)
    read_timeout: timedelta
    poll_schedule: tuple[timedelta, ...] | None = None

    def __post_init__(self) -> None:
        if problems := [*self._salt_problems(), *self._value_problems()]:
            raise SettingsInvalid(problems)

    def _salt_problems(self) -> list[str]:
        # With an empty key anybody can sign. The guide's dialect has none, and then believes no signed notice at all.
        if not self.integrity_salt and self.dialect is not Dialect.GUIDE:
            return ["JAZZ_CASH_INTEGRITY_SALT must not be empty"]
        if self.integrity_salt != self.integrity_salt.strip():
            return ["JAZZ_CASH_INTEGRITY_SALT has spaces around it"]
        return []

    def _value_problems(self) -> list[str]:
        signed = {
            "JAZZ_CASH_MERCHANT_ID": self.merchant_id,
            "JAZZ_CASH_PASSWORD": self.password,
            "JAZZ_CASH_MERCHANT_MPIN": self.merchant_mpin,
            "JAZZ_CASH_SUB_MERCHANT_NAME": self.sub_merchant_name,
            "JAZZ_CASH_RETURN_URL": self.return_url,
        }
        needed = ("JAZZ_CASH_MERCHANT_ID", "JAZZ_CASH_PASSWORD", "JAZZ_CASH_RETURN_URL")
        empty = [f"{name} must not be empty" for name in needed if not signed[name]]
        strange = [
            f"{name} must be printable ASCII without &, because it is signed"
            for name, value in signed.items()
            if not is_plain(value)
        ]
        return empty + strange


class JazzCashSettings(Settings):
    """JazzCash's variables, beside the deployment's. It is offered where JAZZ_CASH_MERCHANT_ID names an account."""

    # No default: which one an account speaks is told at onboarding, and a guess would be right for few.
    jazz_cash_dialect: Dialect | None = None
    jazz_cash_merchant_id: str = ""
    jazz_cash_password: SecretStr = SecretStr("")
    jazz_cash_integrity_salt: SecretStr = SecretStr("")
    jazz_cash_merchant_mpin: SecretStr = SecretStr("")
    jazz_cash_sub_merchant_name: str = ""
    jazz_cash_endpoints: Preset = Preset.CLASSIC
    jazz_cash_base_url: HttpUrl | None = None
    jazz_cash_hosted_url: ExactUrl | None = None
    jazz_cash_push_url: ExactUrl | None = None
    jazz_cash_inquiry_url: ExactUrl | None = None
    jazz_cash_refund_url: ExactUrl | None = None
    jazz_cash_return_url: ExactUrl | None = None
    jazz_cash_notify_url: ExactUrl | None = None
    # None: as the gateway's dialect suggests.
    poll_schedule_jazz_cash: Schedule | None = None

    @property
    def offers_jazz_cash(self) -> bool:
        """Whether there is an account at JazzCash."""
        return bool(self.jazz_cash_merchant_id)


def problems(settings: JazzCashSettings) -> list[str]:
    """Return a sentence for each of JazzCash's settings that is missing, or that production refuses."""
    if not settings.offers_jazz_cash:
        return []
    dialect = settings.jazz_cash_dialect
    if dialect is None:
        return [dialect_not_said("JAZZ_CASH_DIALECT", Dialect)]
    needed = {"JAZZ_CASH_PASSWORD": settings.jazz_cash_password}
    if dialect is not Dialect.GUIDE:
        # An empty key is one that anybody can sign with.
        needed["JAZZ_CASH_INTEGRITY_SALT"] = settings.jazz_cash_integrity_salt
    found = missing(needed, dialect=dialect)
    if settings.is_production:
        found += guide_dialect(settings, "JAZZ_CASH_DIALECT", dialect)
        found += not_https(_urls(settings))
    return found


def _urls(settings: JazzCashSettings) -> dict[str, str | None]:
    return {
        "PUBLIC_BASE_URL": settings.public_base_url,
        "JAZZ_CASH_BASE_URL": settings.jazz_cash_base_url,
        "JAZZ_CASH_HOSTED_URL": settings.jazz_cash_hosted_url,
        "JAZZ_CASH_PUSH_URL": settings.jazz_cash_push_url,
        "JAZZ_CASH_INQUIRY_URL": settings.jazz_cash_inquiry_url,
        "JAZZ_CASH_REFUND_URL": settings.jazz_cash_refund_url,
    }
