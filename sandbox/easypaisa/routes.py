"""Easypaisa's paths."""

from flask import Blueprint

from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.counter import EasyPaisaCounter
from sandbox.easypaisa.envelope import Envelope, Plain, Signed
from sandbox.easypaisa.guide import guide_initiate, guide_status
from sandbox.easypaisa.hosted import confirm, index
from sandbox.easypaisa.initiate import initiate_ma, initiate_otc
from sandbox.easypaisa.inquire import inquire
from sandbox.easypaisa.notices import GuideNotice, Ipn
from sandbox.easypaisa.order_status import order_status
from sandbox.faults.orders import Possible
from sandbox.wallets.notices import Channel
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect, Gateway
from sandbox.wallets.wire import PLAIN_CALL, PLAIN_NOTICE, SIGNED_CALL, Handler, served

CALLS: Possible = {
    "easypaisa initiate": SIGNED_CALL,
    "easypaisa inquiry": SIGNED_CALL,
    "easypaisa hosted": PLAIN_CALL,
    "easypaisa confirm": PLAIN_CALL,
}
NOTICES: Possible = {"easypaisa ipn": PLAIN_NOTICE}

_GUIDE = "/api/Payment"
_ORDER_STATUS = "/easypay-service/rest/v1/order-status/<account_number>/<order>"


def channels(account: EasyPaisaAccount) -> dict[str, Channel]:
    """Return the notices Easypaisa sends."""
    return {Ipn.name: Ipn(account), GuideNotice.name: GuideNotice()}


def easypaisa(service: WalletService, account: EasyPaisaAccount) -> Blueprint:
    """Return the routes under /easypaisa, and let the service know of them."""
    service.counters[Gateway.EASYPAISA] = EasyPaisaCounter(service)
    blueprint = Blueprint("easypaisa", __name__, url_prefix="/easypaisa")

    def add(path: str, operation: str, dialect: Dialect, handler: Handler) -> None:
        view = served(service, operation, dialect, handler)
        blueprint.add_url_rule(path, endpoint=path.replace(".", "_"), methods=["POST"], view_func=view)

    versions: dict[Dialect, Envelope] = {Dialect.REST_V4: Plain(), Dialect.REST_V5: Signed(account)}
    for dialect, envelope in versions.items():
        base = f"/easypay-service/rest/{dialect.removeprefix('rest-')}"
        add(f"{base}/initiate-ma-transaction", "easypaisa initiate", dialect, initiate_ma(service, account, envelope))
        add(f"{base}/initiate-otc-transaction", "easypaisa initiate", dialect, initiate_otc(service, account, envelope))
        add(f"{base}/inquire-transaction", "easypaisa inquiry", dialect, inquire(service, account, envelope))
    add("/easypay/Index.jsf", "easypaisa hosted", Dialect.HOSTED, index(service, account))
    add("/easypay/Confirm.jsf", "easypaisa confirm", Dialect.HOSTED, confirm(service))
    add(f"{_GUIDE}/InitiatePayment", "easypaisa initiate", Dialect.GUIDE, guide_initiate(service, account))
    add(f"{_GUIDE}/GetTransactionStatus", "easypaisa inquiry", Dialect.GUIDE, guide_status(service, account))
    blueprint.add_url_rule(
        _ORDER_STATUS, endpoint="order_status", methods=["GET"], view_func=order_status(service, account)
    )
    return blueprint
