"""Which providers there are: one dictionary that anyone can grep."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from payproc.domain.payment_methods import EASY_PAISA, JAZZ_CASH, STRIPE, PaymentMethod
from payproc.providers.base import Provider
from payproc.providers.easy_paisa import settings as easy_paisa
from payproc.providers.easy_paisa.provider import EasyPaisaProvider
from payproc.providers.jazz_cash import settings as jazz_cash
from payproc.providers.jazz_cash.endpoints import Endpoints, Preset, endpoints_of
from payproc.providers.jazz_cash.provider import JazzCashProvider
from payproc.providers.stripe.provider import StripeProvider
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.transport.circuit_breakers import Circuits, Told, tell_nobody
from payproc.providers.transport.http import Http
from payproc.settings import Environment, Settings

Registry = Mapping[PaymentMethod, Provider]
# Makes a provider, or None where the settings name no account there.
Constructor = Callable[[Settings, Circuits], Provider | None]


def _stripe(settings: Settings, circuits: Circuits) -> Provider:
    config = StripeConfig(
        secret_key=settings.stripe_secret_key.get_secret_value(),
        webhook_secrets=settings.stripe_webhook_secrets,
        api_version=settings.stripe_api_version,
        api_base=settings.stripe_api_base,
        live_mode=settings.live_mode,
        connect_timeout=settings.provider_connect_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_stripe,
    )
    return StripeProvider(config, circuits)


def _jazz_cash(settings: Settings, circuits: Circuits) -> Provider | None:
    if not settings.offers_jazz_cash:
        return None
    config = jazz_cash.JazzCashConfig(
        dialect=jazz_cash.Dialect(settings.jazz_cash_dialect),
        merchant_id=settings.jazz_cash_merchant_id,
        password=settings.jazz_cash_password.get_secret_value(),
        integrity_salt=settings.jazz_cash_integrity_salt.get_secret_value(),
        merchant_mpin=settings.jazz_cash_merchant_mpin.get_secret_value(),
        sub_merchant_name=settings.jazz_cash_sub_merchant_name,
        endpoints=_jazz_cash_endpoints(settings),
        return_url=settings.jazz_cash_return_url or _ours(settings, JAZZ_CASH, "return"),
        notify_url=settings.jazz_cash_notify_url or _ours(settings, JAZZ_CASH, "notify"),
        live_mode=_is_live(settings),
        push_timeout=settings.push_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_jazz_cash,
    )
    return JazzCashProvider(config, _http(settings, circuits))


def _jazz_cash_endpoints(settings: Settings) -> Endpoints:
    preset = endpoints_of(
        Preset(settings.jazz_cash_endpoints), live=_is_live(settings), base_url=settings.jazz_cash_base_url
    )
    return replace(
        preset,
        hosted=settings.jazz_cash_hosted_url or preset.hosted,
        push_1_1=settings.jazz_cash_push_url or preset.push_1_1,
        push_2_0=settings.jazz_cash_push_url or preset.push_2_0,
        inquiry=settings.jazz_cash_inquiry_url or preset.inquiry,
        refund=settings.jazz_cash_refund_url or preset.refund,
    )


def _easy_paisa(settings: Settings, circuits: Circuits) -> Provider | None:
    if not settings.offers_easy_paisa:
        return None
    config = easy_paisa.EasyPaisaConfig(
        dialect=easy_paisa.Dialect(settings.easy_paisa_dialect),
        payment_type=easy_paisa.PaymentType(settings.easy_paisa_payment_type),
        store_id=settings.easy_paisa_store_id,
        store_password=settings.easy_paisa_store_password.get_secret_value(),
        username=settings.easy_paisa_username,
        password=settings.easy_paisa_password.get_secret_value(),
        account_number=settings.easy_paisa_account_number.get_secret_value(),
        hash_key=settings.easy_paisa_hash_key.get_secret_value(),
        private_key_pem=settings.easy_paisa_private_key.get_secret_value(),
        public_key_pem=settings.easy_paisa_public_key.get_secret_value(),
        base_url=settings.easy_paisa_base_url,
        return_url=settings.easy_paisa_return_url or _ours(settings, EASY_PAISA, "return"),
        notify_url=settings.easy_paisa_notify_url or _ours(settings, EASY_PAISA, "notify"),
        live_mode=_is_live(settings),
        push_timeout=settings.push_timeout,
        read_timeout=settings.provider_read_timeout,
        poll_schedule=settings.poll_schedule_easy_paisa,
    )
    return EasyPaisaProvider(config, _http(settings, circuits))


def _ours(settings: Settings, method: PaymentMethod, page: str) -> str:
    return f"{settings.public_base_url}/api/v1/payments/{path_of(method)}/{page}"


def path_of(method: PaymentMethod) -> str:
    """Return how a provider is written in addresses: jazz-cash for jazz_cash."""
    return method.replace("_", "-")


def _is_live(settings: Settings) -> bool:
    # A wallet's answers do not say whether they are of the sandbox: only we know which one we asked.
    return settings.environment is Environment.PRODUCTION


def _http(settings: Settings, circuits: Circuits) -> Http:
    return Http(connect_timeout=settings.provider_connect_timeout, circuits=circuits)


CONSTRUCTORS: dict[PaymentMethod, Constructor] = {
    STRIPE: _stripe,
    JAZZ_CASH: _jazz_cash,
    EASY_PAISA: _easy_paisa,
}


def build(settings: Settings, *, told: Told = tell_nobody) -> Registry:
    """Make every provider that is set up. Do it after a fork: their HTTP sessions hold sockets.

    `told` hears when a provider's fuse blows or is mended.
    """
    made = {
        method: construct(settings, Circuits(method, rest=settings.circuit_rest, told=told))
        for method, construct in CONSTRUCTORS.items()
    }
    return {method: provider for method, provider in made.items() if provider is not None}
