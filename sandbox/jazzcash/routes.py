"""JazzCash's paths, of all three generations of its hosts."""

from flask import Blueprint

from sandbox.faults.orders import Possible
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.counter import JazzCashCounter
from sandbox.jazzcash.guide import guide_form, guide_inquiry
from sandbox.jazzcash.hosted import hosted
from sandbox.jazzcash.inquiry import inquiry
from sandbox.jazzcash.notices import GuideNotice, Ipn
from sandbox.jazzcash.push import push
from sandbox.jazzcash.refund import refund
from sandbox.wallets.notices import Channel
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect, Gateway
from sandbox.wallets.wire import PLAIN_CALL, SIGNED_CALL, SIGNED_NOTICE, Handler, served

CALLS: Possible = {
    "jazzcash push": SIGNED_CALL,
    "jazzcash inquiry": SIGNED_CALL,
    "jazzcash refund": SIGNED_CALL,
    "jazzcash hosted": PLAIN_CALL,
}
NOTICES: Possible = {"jazzcash ipn": SIGNED_NOTICE}

_FORM_PATH = "/CustomerPortal/transactionmanagement/merchantform"

PUSH_PATHS = {
    "/ApplicationAPI/API/Payment/DoTransaction": Dialect.MWALLET_1_1,
    "/ApplicationAPI/API/Purchase/DoMWalletTransaction": Dialect.MWALLET_1_1,
    "/api/payment/DoTransaction": Dialect.MWALLET_1_1,
    "/api/v1/rest/payments/m-wallet": Dialect.MWALLET_1_1,
    "/ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction": Dialect.MWALLET_2_0,
    "/api/2.0/purchase/domwallettransaction": Dialect.MWALLET_2_0,
    "/api/v2/rest/payments/m-wallet": Dialect.MWALLET_2_0,
}
# Found by a live merchant of that host: version 1.1 fails there without it.
_ALSO_REQUIRED = {"/api/payment/DoTransaction": frozenset({"pp_SubMerchantName"})}

INQUIRY_PATHS = ("/ApplicationAPI/API/PaymentInquiry/Inquire", "/api/v2/rest/payments/status/inquiry")
REFUND_PATHS = (
    "/ApplicationAPI/API/Purchase/domwalletrefundtransaction",
    "/api/Purchase/domwalletrefundtransaction",
    "/api/v1/rest/payments/m-wallet/refund",
)
GUIDE_BASE = "/ApplicationAPI/API/"

# The third generation has its paths below one more folder.
_FOLDERS = ("", "/payment-orchestrator")


def channels(account: JazzCashAccount) -> dict[str, Channel]:
    """Return the notices JazzCash sends."""
    return {Ipn.name: Ipn(account), GuideNotice.name: GuideNotice()}


def jazzcash(service: WalletService, account: JazzCashAccount) -> Blueprint:
    """Return the routes under /jazzcash, and let the service know of them."""
    service.counters[Gateway.JAZZCASH] = JazzCashCounter(service, account)
    blueprint = Blueprint("jazzcash", __name__, url_prefix="/jazzcash")

    def add(path: str, operation: str, dialect: Dialect, handler: Handler) -> None:
        for folder in _FOLDERS:
            view = served(service, operation, dialect, handler)
            endpoint = (folder + path).replace(".", "_")
            blueprint.add_url_rule(folder + path, endpoint=endpoint, methods=["POST"], view_func=view)

    for path, dialect in PUSH_PATHS.items():
        required = _ALSO_REQUIRED.get(path, frozenset())
        add(path, "jazzcash push", dialect, push(service, account, required=required))
    for path in INQUIRY_PATHS:
        add(path, "jazzcash inquiry", Dialect.MWALLET_2_0, inquiry(service, account))
    for path in REFUND_PATHS:
        add(path, "jazzcash refund", Dialect.MWALLET_2_0, refund(service, account))
    for path in (_FORM_PATH, f"{_FORM_PATH}/"):
        add(path, "jazzcash hosted", Dialect.HOSTED, hosted(service, account))
    add(GUIDE_BASE, "jazzcash hosted", Dialect.GUIDE, guide_form(service, account))
    add(f"{GUIDE_BASE}TransactionStatus.php", "jazzcash inquiry", Dialect.GUIDE, guide_inquiry(service, account))
    return blueprint
