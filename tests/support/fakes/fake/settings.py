"""What the fake provider must be told, and how the environment tells it."""

from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

from payproc.domain.payment_methods import PaymentMethod
from payproc.settings import Settings
from payproc.settings.checks import missing, not_https
from payproc.settings.types import HttpUrl

FAKE = PaymentMethod("fake")


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    """Address, key and patience. The one key signs our calls and the gateway's notices."""

    base_url: str
    key: str = field(repr=False)
    patience: timedelta = timedelta(seconds=5)
    live_mode: bool = False


class FakeSettings(Settings):
    """The fake's variables, beside the deployment's. It is offered where FAKE_BASE_URL says where it is."""

    fake_base_url: HttpUrl | None = None
    fake_key: SecretStr = SecretStr("")


def problems(settings: FakeSettings) -> list[str]:
    """Return a sentence for each of the fake's settings that is missing, or that production refuses."""
    if settings.fake_base_url is None:
        return []
    found = missing({"FAKE_KEY": settings.fake_key}, dialect="plain")
    return found + (not_https({"FAKE_BASE_URL": settings.fake_base_url}) if settings.is_production else [])
