"""The fake, as the registry of a test knows it."""

from payproc.providers.registration import Registration
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.providers.transport.http import Http
from tests.support.fakes.fake.provider import FakeProvider
from tests.support.fakes.fake.settings import FAKE, FakeConfig, FakeSettings, problems


def _constructed(settings: FakeSettings, breakers: CircuitBreakers) -> FakeProvider | None:
    if settings.fake_base_url is None:
        return None
    config = FakeConfig(base_url=settings.fake_base_url, key=settings.fake_key.get_secret_value())
    return FakeProvider(config, Http(connect_timeout=settings.provider_connect_timeout, breakers=breakers))


REGISTRATION = Registration(method=FAKE, settings=FakeSettings, problems=problems, construct=_constructed)
