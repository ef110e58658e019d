"""The status inquiry: one code for the inquiry itself, another for the payment."""

from flask import Response, jsonify

from sandbox.jazzcash.codes import MESSAGES, STATUS_WORDS, Code, Refused, confirmed_code
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.fields import INQUIRY, INQUIRY_OPTIONAL, check_merchant, check_names, check_shapes
from sandbox.jazzcash.push import posted_json, refused, salt_of
from sandbox.jazzcash.secure_hash import signed
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Gateway, Transaction
from sandbox.wallets.wire import Call, Handler


def inquiry(service: WalletService, account: JazzCashAccount) -> Handler:
    """Return the handler of the inquiry's paths."""

    def handle(call: Call) -> Response:
        try:
            fields = check_names(posted_json(), INQUIRY, INQUIRY_OPTIONAL)
            check_merchant(fields, account)
            check_shapes(fields)
        except Refused as refusal:
            return refused(refusal)
        found = service.ledger.get(Gateway.JAZZCASH, fields["pp_TxnRefNo"])
        return jsonify(signed(_unknown() if found is None else _known(found), salt_of(account, call)))

    return handle


def _unknown() -> dict[str, object]:
    code = Code.NO_SUCH_TRANSACTION
    return {
        "pp_ResponseCode": code,
        "pp_ResponseMessage": MESSAGES[code],
        "pp_PaymentResponseCode": "",
        "pp_PaymentResponseMessage": "",
        "pp_Status": "",
    }


def _known(found: Transaction) -> dict[str, object]:
    code = confirmed_code(found)
    body: dict[str, object] = {
        "pp_ResponseCode": Code.SUCCESS,
        "pp_ResponseMessage": "Transaction inquiry was successful.",
        "pp_PaymentResponseCode": code,
        "pp_PaymentResponseMessage": MESSAGES[code],
        "pp_Status": STATUS_WORDS[found.state],
        "pp_RetrievalReferenceNo": found.gateway_id,
        "pp_AuthCode": found.gateway_id[::-1] if found.debits else "",
        "pp_BankID": "",
        "pp_ProductID": None,
        "pp_SettlementDate": "",
        "pp_SettlementExpiry": "",
    }
    if found.told_amount != found.amount:
        # Captured answers carry no amount. Where the gateway has it wrong, a merchant must get to see that.
        body["pp_Amount"] = str(found.told_amount)
    return body
