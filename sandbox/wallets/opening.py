"""Which wallets are served: their routes, their notices, their faults."""

from collections.abc import Iterator

from flask import Blueprint

from sandbox.config import GatewayConfig
from sandbox.easypaisa import routes as easypaisa
from sandbox.faults.orders import Faults
from sandbox.jazzcash import routes as jazzcash
from sandbox.store import Store
from sandbox.wallets.controls import wallet_controls
from sandbox.wallets.pages import wallet_pages
from sandbox.wallets.service import WalletService

CALLS = {**jazzcash.CALLS, **easypaisa.CALLS}
NOTICES = {**jazzcash.NOTICES, **easypaisa.NOTICES}


def open_wallet_service(config: GatewayConfig, store: Store, faults: Faults) -> WalletService:
    """Return the service of the configured wallets, with none of its threads running."""
    channels = {
        **(jazzcash.channels(config.jazz_cash) if config.jazz_cash is not None else {}),
        **(easypaisa.channels(config.easy_paisa) if config.easy_paisa is not None else {}),
    }
    return WalletService(store, faults, config.wallet_times, channels, config.clock)


def wallet_routes(config: GatewayConfig, service: WalletService) -> Iterator[Blueprint]:
    """Yield the routes of the configured wallets, then the pages and controls they share."""
    if config.jazz_cash is not None:
        yield jazzcash.jazzcash(service, config.jazz_cash)
    if config.easy_paisa is not None:
        yield easypaisa.easypaisa(service, config.easy_paisa)
    yield wallet_pages(service)
    yield wallet_controls(service)
