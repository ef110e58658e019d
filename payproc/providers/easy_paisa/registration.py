"""Easypaisa, as the registry knows it."""

from typing import TYPE_CHECKING

from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.easy_paisa.settings import EasyPaisaConfig, EasyPaisaSettings, problems
from payproc.providers.registration import Registration, our_address
from payproc.providers.transport.circuit_breakers import CircuitBreakers

if TYPE_CHECKING:
    from payproc.providers.easy_paisa.provider import EasyPaisaProvider


def _constructed(settings: EasyPaisaSettings, breakers: CircuitBreakers) -> "EasyPaisaProvider | None":
    from payproc.providers.easy_paisa.provider import EasyPaisaProvider  # noqa: PLC0415 (who asks for names alone, as beat does, holds no provider's library)
    from payproc.providers.transport.http import Http  # noqa: PLC0415 (the same)

    if not settings.offers_easy_paisa or settings.easy_paisa_dialect is None:
        return None
    config = EasyPaisaConfig(
        dialect=settings.easy_paisa_dialect,
        payment_type=settings.easy_paisa_payment_type,
        store_id=settings.easy_paisa_store_id,
        store_password=settings.easy_paisa_store_password.get_secret_value(),
        username=settings.easy_paisa_username,
        password=settings.easy_paisa_password.get_secret_value(),
        account_number=settings.easy_paisa_account_number.get_secret_value(),
        hash_key=settings.easy_paisa_hash_key.get_secret_value(),
        private_key_pem=settings.easy_paisa_private_key.get_secret_value(),
        public_key_pem=settings.easy_paisa_public_key.get_secret_value(),
        base_url=settings.easy_paisa_base_url,
        return_url=settings.easy_paisa_return_url or our_address(settings, EASY_PAISA, "return"),
        notify_url=settings.easy_paisa_notify_url or our_address(settings, EASY_PAISA, "notify"),
        merchant_email=settings.mail_from,
        live_mode=settings.is_production,
        push_timeout=settings.push_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_easy_paisa,
    )
    return EasyPaisaProvider(config, Http(connect_timeout=settings.provider_connect_timeout, breakers=breakers))


REGISTRATION = Registration(method=EASY_PAISA, settings=EasyPaisaSettings, problems=problems, construct=_constructed)
