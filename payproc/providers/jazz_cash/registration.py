"""JazzCash, as the registry knows it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.jazz_cash.endpoints import Endpoints, endpoints_of
from payproc.providers.jazz_cash.settings import JazzCashConfig, JazzCashSettings, problems
from payproc.providers.registration import Registration, our_address
from payproc.providers.transport.circuit_breakers import CircuitBreakers

if TYPE_CHECKING:
    from payproc.providers.jazz_cash.provider import JazzCashProvider


def _constructed(settings: JazzCashSettings, breakers: CircuitBreakers) -> "JazzCashProvider | None":
    from payproc.providers.jazz_cash.provider import JazzCashProvider  # noqa: PLC0415 (who asks for names alone, as beat does, holds no provider's library)
    from payproc.providers.transport.http import Http  # noqa: PLC0415 (the same)

    if not settings.offers_jazz_cash or settings.jazz_cash_dialect is None:
        return None
    config = JazzCashConfig(
        dialect=settings.jazz_cash_dialect,
        merchant_id=settings.jazz_cash_merchant_id,
        password=settings.jazz_cash_password.get_secret_value(),
        integrity_salt=settings.jazz_cash_integrity_salt.get_secret_value(),
        merchant_mpin=settings.jazz_cash_merchant_mpin.get_secret_value(),
        sub_merchant_name=settings.jazz_cash_sub_merchant_name,
        endpoints=_endpoints(settings),
        return_url=settings.jazz_cash_return_url or our_address(settings, JAZZ_CASH, "return"),
        notify_url=settings.jazz_cash_notify_url or our_address(settings, JAZZ_CASH, "notify"),
        live_mode=settings.is_production,
        push_timeout=settings.push_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_jazz_cash,
    )
    return JazzCashProvider(config, Http(connect_timeout=settings.provider_connect_timeout, breakers=breakers))


def _endpoints(settings: JazzCashSettings) -> Endpoints:
    preset = endpoints_of(
        settings.jazz_cash_endpoints, live=settings.is_production, base_url=settings.jazz_cash_base_url
    )
    return replace(
        preset,
        hosted=settings.jazz_cash_hosted_url or preset.hosted,
        push_1_1=settings.jazz_cash_push_url or preset.push_1_1,
        push_2_0=settings.jazz_cash_push_url or preset.push_2_0,
        inquiry=settings.jazz_cash_inquiry_url or preset.inquiry,
        refund=settings.jazz_cash_refund_url or preset.refund,
    )


REGISTRATION = Registration(method=JAZZ_CASH, settings=JazzCashSettings, problems=problems, construct=_constructed)
