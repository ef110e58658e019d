"""The inquiry over REST, the one source a merchant may believe."""

from collections.abc import Mapping

from sandbox.easypaisa.codes import DESCRIPTIONS, FAILURES, STATUS_WORDS, Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.envelope import Envelope
from sandbox.easypaisa.initiate import check_store
from sandbox.easypaisa.rest import Body, check_names, rest
from sandbox.easypaisa.values import json_number, written
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect, Gateway, State, Transaction
from sandbox.wallets.wire import Call, Handler

_FIELDS = frozenset({"orderId", "storeId", "accountNum"})

STORE_NAME = "Sandbox Store"


def inquire(service: WalletService, account: EasyPaisaAccount, envelope: Envelope) -> Handler:
    """Return the handler of inquire-transaction."""

    def answer(_call: Call, sent: Mapping[str, object]) -> Body:
        fields = check_names(sent, _FIELDS, frozenset())
        check_store(account, fields["storeId"])
        if fields["accountNum"] != account.account_number:
            raise Refused(Code.INVALID_ACCOUNT)
        found = service.ledger.get(Gateway.EASYPAISA, fields["orderId"])
        # On the hosted page a transaction comes into being when it is confirmed, not when the page opens.
        if found is None or (found.state is State.INITIATED and found.dialect is Dialect.HOSTED):
            raise Refused(Code.INVALID_ORDER)
        return _known(found, account)

    return rest(account, envelope, answer)


def _known(found: Transaction, account: EasyPaisaAccount) -> Body:
    # 0000 says that the inquiry worked; it stands beside FAILED too.
    body: Body = {
        "orderId": found.reference,
        "accountNum": account.account_number,
        "storeId": account.store_id,
        "storeName": STORE_NAME,
        "transactionStatus": STATUS_WORDS[found.state],
        "transactionAmount": json_number(found.told_amount),
        "transactionDateTime": written(found.created_at),
        "msisdn": f"0*******{found.phone_end[-3:]}" if found.phone_end else "",
        "paymentMode": found.method,
        "responseCode": Code.SUCCESS,
        "responseDesc": DESCRIPTIONS[Code.SUCCESS],
    }
    if found.reason is not None:
        code = FAILURES[found.reason]
        body |= {"errorCode": code, "errorReason": DESCRIPTIONS[code]}
    if found.state is State.PAID:
        # Seen like this beside PAID: it speaks of the money's way to the merchant, not of the customer's payment.
        body |= {"settlementStatus": "RECON_FAILED"}
    return body
