"""JazzCash as the integration guide tells it: other names, another digest, another inquiry."""

import hmac
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from flask import Response, jsonify

from sandbox.jazzcash.codes import MESSAGES, Code, Refused, bad_value, told_code
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.fields import check_names
from sandbox.jazzcash.hosted import posted_form, refusal_page
from sandbox.jazzcash.push import gateway_id
from sandbox.jazzcash.secure_hash import guide_digest
from sandbox.wallets.service import Onward, WalletService
from sandbox.wallets.transactions import Gateway, Naming, ReferenceUsed, Transaction
from sandbox.wallets.wire import Call, Handler

_FORM = frozenset(
    {
        *("pp_merchant_id", "pp_auth_code", "pp_amount", "pp_bill_reference", "pp_description", "pp_return_url"),
        *("pp_notify_url", "pp_sign", "pp_txn_datetime", "pp_language"),
    }
)
_ECHOED = ("pp_return_url", "pp_notify_url", "pp_txn_datetime", "pp_auth_code")
_INQUIRY = frozenset({"pp_merchant_id", "pp_txn_id", "pp_language", "pp_sign"})

_SHAPES = {
    # As long as it likes: with the guide's digest a digit of the amount passes for one of the stamp.
    "pp_auth_code": re.compile(r"AUTH_[0-9]+"),
    "pp_amount": re.compile(r"[1-9][0-9]{0,11}"),
    "pp_bill_reference": re.compile(r"[A-Za-z0-9_]{1,64}"),
    "pp_txn_datetime": re.compile(r"[0-9]{14}"),
    "pp_language": re.compile(r"en"),
}


def guide_form(service: WalletService, account: JazzCashAccount) -> Handler:
    """Return the handler of the form that opens the page."""

    def handle(call: Call) -> Response:
        try:
            fields = _checked_form(account)
            if service.ledger.of_auth_code(Gateway.JAZZCASH, fields["pp_auth_code"]) is not None:
                raise bad_value("pp_auth_code", "It was used before.")
            service.ledger.open(_transaction(service, call, fields))
        except Refused as refusal:
            return refusal_page(refusal)
        except ReferenceUsed:
            return refusal_page(bad_value("pp_bill_reference", "It was used before."))
        return Response(status=303, headers={"Location": f"/jazzcash/pay/{fields['pp_bill_reference']}"})

    return handle


def guide_inquiry(service: WalletService, account: JazzCashAccount) -> Handler:
    """Return the handler of TransactionStatus.php."""

    def handle(_call: Call) -> Response:
        try:
            fields = check_names(posted_form(), _INQUIRY, frozenset())
            _check_merchant(account, fields, fields["pp_merchant_id"] + fields["pp_txn_id"])
        except Refused as refusal:
            return jsonify({"pp_response_code": refusal.code, "pp_response_message": refusal.message})
        found = service.ledger.called(Gateway.JAZZCASH, fields["pp_txn_id"])
        return jsonify(_status(fields["pp_txn_id"], found))

    return handle


def guide_onward(transaction: Transaction) -> Onward:
    """Return where the browser goes after a choice: back to the shop with nothing but the payment's name."""
    url = transaction.echo["pp_return_url"]
    join = "&" if urlsplit(url).query else "?"
    return Onward(method="GET", url=f"{url}{join}{urlencode(named(transaction))}")


def named(transaction: Transaction) -> dict[str, str]:
    """Return the fields that name the payment: the bill reference stands beside an id of the gateway's own."""
    beside = {"pp_bill_reference": transaction.reference} if transaction.called == transaction.gateway_id else {}
    return {"pp_txn_id": transaction.called, **beside}


def _checked_form(account: JazzCashAccount) -> Mapping[str, str]:
    fields = check_names(posted_form(), _FORM, frozenset())
    _check_merchant(account, fields, fields["pp_merchant_id"] + fields["pp_auth_code"] + fields["pp_amount"])
    for name, shape in _SHAPES.items():
        if not shape.fullmatch(fields[name]):
            raise bad_value(name)
    for name in ("pp_return_url", "pp_notify_url"):
        if urlsplit(fields[name]).scheme not in {"http", "https"}:
            raise bad_value(name)
    return fields


def _check_merchant(account: JazzCashAccount, fields: Mapping[str, str], covered: str) -> None:
    if fields["pp_merchant_id"] != account.merchant_id:
        raise Refused(Code.MERCHANT_UNKNOWN)
    if not hmac.compare_digest(fields["pp_sign"].encode(), guide_digest(covered, account.password).encode()):
        raise Refused(Code.BAD_HASH, "Please provide a valid value for pp_sign")


def _transaction(service: WalletService, call: Call, fields: Mapping[str, str]) -> Transaction:
    amount, own_id = int(fields["pp_amount"]), gateway_id()
    naming = service.ledger.naming(Gateway.JAZZCASH)
    called = {
        Naming.REFERENCE: fields["pp_bill_reference"],
        Naming.AUTH_CODE: fields["pp_auth_code"],
        Naming.OWN: own_id,
        Naming.BARE: own_id,
    }[naming]
    return Transaction(
        gateway=Gateway.JAZZCASH,
        reference=fields["pp_bill_reference"],
        dialect=call.dialect,
        amount=amount,
        told_amount=amount,
        method="MWALLET",
        created_at=service.now(),
        gateway_id=own_id,
        echo={name: fields[name] for name in _ECHOED} | {"called": called, "naming": naming},
    )


def _status(reference: str, found: Transaction | None) -> dict[str, str]:
    code = Code.NO_SUCH_TRANSACTION if found is None else told_code(found)
    body = {"pp_response_code": code, "pp_response_message": MESSAGES[code]}
    if found is None:
        return {"pp_txn_id": reference, **body}
    names = {"pp_txn_id": found.called} if found.echo["naming"] == Naming.BARE else named(found)
    return {**names, **body, "pp_amount": str(found.told_amount)}
