"""The hosted page: the browser brings a signed form and takes one back."""

from flask import Response, render_template, request

from sandbox.jazzcash.codes import MESSAGES, Refused, bad_value, told_code
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.fields import (
    HOSTED,
    HOSTED_OPTIONAL,
    Fields,
    check_merchant,
    check_names,
    check_shapes,
    check_times,
)
from sandbox.jazzcash.push import gateway_id
from sandbox.jazzcash.secure_hash import FIELD, signed
from sandbox.wallets.service import Onward, WalletService
from sandbox.wallets.transactions import Dialect, Gateway, ReferenceUsed, Transaction
from sandbox.wallets.wire import Call, Handler

_METHODS = frozenset({"", "MPAY", "MWALLET", "OTC", "BNPL", "RAASTQR", "ACC"})
_PASS_THROUGH = tuple(f"ppmpf_{number}" for number in range(1, 6))


def hosted(service: WalletService, account: JazzCashAccount) -> Handler:
    """Return the handler of the form that opens the page."""

    def handle(call: Call) -> Response:
        try:
            fields = _checked(service, account)
            made = _transaction(service, fields, call.dialect)
            service.ledger.open(made)
        except Refused as refusal:
            return refusal_page(refusal)
        except ReferenceUsed:
            return refusal_page(bad_value("pp_TxnRefNo", "It was used before."))
        # A page of its own, so that reloading it does not bring the form again.
        return Response(status=303, headers={"Location": f"/jazzcash/pay/{made.reference}"})

    return handle


def refusal_page(refusal: Refused) -> Response:
    """Return the page of a form that was not accepted; the browser stays on it."""
    page = render_template("wallet_refusal.html", gateway="JazzCash", code=refusal.code, message=refusal.message)
    return Response(page, 400, mimetype="text/html")


def posted_form() -> dict[str, str]:
    """Return the form's fields; raises Refused for one that is there twice."""
    for name, values in request.form.lists():
        if len(values) > 1:
            raise bad_value(name, "It is there twice.")
    return request.form.to_dict()


def back_to_shop(account: JazzCashAccount, transaction: Transaction) -> Onward:
    """Return the signed form the browser posts to the shop, in the spelling of the gateway."""
    code = told_code(transaction)
    echo = transaction.echo
    body = {
        "pp_Amount": str(transaction.told_amount),
        "pp_AuthCode": transaction.gateway_id[::-1] if transaction.debits else "",
        "pp_BankID": echo.get("pp_BankID", ""),
        "pp_BillReference": echo["pp_BillReference"],
        "pp_Language": echo["pp_Language"],
        "pp_MerchantID": account.merchant_id,
        "pp_ResponseCode": str(code),
        "pp_ResponseMessage": MESSAGES[code],
        "pp_RetreivalReferenceNo": transaction.gateway_id,
        "pp_SettlementExpiry": "",
        "pp_SubMerchantId": echo.get("pp_SubMerchantID", ""),
        "pp_TxnCurrency": echo["pp_TxnCurrency"],
        "pp_TxnDateTime": echo["pp_TxnDateTime"],
        "pp_TxnRefNo": transaction.reference,
        "pp_TxnType": transaction.method,
        "pp_Version": echo["pp_Version"],
        **{f"ppmbf_{number}": "" for number in range(1, 6)},
        **{name: echo.get(name, "") for name in _PASS_THROUGH},
    }
    fields = {name: str(value) for name, value in signed(body, account.integrity_salt).items()}
    return Onward(method="POST", url=echo["pp_ReturnURL"], fields=fields)


def _checked(service: WalletService, account: JazzCashAccount) -> Fields:
    sent = posted_form()
    version = sent.get("pp_Version", "")
    if version not in HOSTED_OPTIONAL:
        raise bad_value("pp_Version")
    fields = check_names(sent, HOSTED, HOSTED_OPTIONAL[version])
    check_merchant(fields, account)
    check_shapes(fields)
    if fields.get("pp_TxnType", "") not in _METHODS:
        raise bad_value("pp_TxnType")
    if fields["pp_ReturnURL"] != account.return_url:
        raise bad_value("pp_ReturnURL", "Insufficient merchant information: it is not the registered one.")
    check_times(fields, service.pakistan_time())
    return fields


def _transaction(service: WalletService, fields: Fields, dialect: Dialect) -> Transaction:
    amount = int(fields["pp_Amount"])
    return Transaction(
        gateway=Gateway.JAZZCASH,
        reference=fields["pp_TxnRefNo"],
        dialect=dialect,
        amount=amount,
        told_amount=amount,
        method=fields.get("pp_TxnType") or "MWALLET",
        created_at=service.now(),
        gateway_id=gateway_id(),
        echo={name: value for name, value in fields.items() if name not in {"pp_Password", FIELD}},
    )
