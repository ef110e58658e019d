"""Easypaisa as the integration guide tells it: Basic authentication, paisa, an unsigned notification."""

import base64
import json
from collections.abc import Callable, Mapping

from flask import Response, jsonify, request

from sandbox.easypaisa.codes import DESCRIPTIONS, Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.hosted import is_address
from sandbox.easypaisa.initiate import PHONE, check_store, new_transaction
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Gateway, Naming, Reason, ReferenceUsed, State, Transaction
from sandbox.wallets.wire import Call, Handler, in_manner

_INITIATE = frozenset(
    {
        *("storeId", "storeName", "amount", "mobileNumber", "transactionId", "transactionDetails", "customerName"),
        *("customerEmail", "notificationURL", "transactionRefId", "sessionId"),
    }
)
_STATUS = frozenset({"storeId", "transactionId"})

STATUS_WORDS = {
    State.INITIATED: "pending",
    State.PENDING: "pending",
    State.PAID: "success",
    State.FAILED: "failed",
    State.DROPPED: "failed",
    State.EXPIRED: "expired",
    State.REVERSED: "reversed",
}

_LONGEST_ID = 64


def status_word(transaction: Transaction) -> str:
    """Return the guide's word for how a payment stands; a customer's own refusal has one."""
    return "cancelled" if transaction.reason is Reason.CANCELLED else STATUS_WORDS[transaction.state]


def guide_initiate(service: WalletService, account: EasyPaisaAccount) -> Handler:
    """Return the handler of InitiatePayment. It answers before the customer does, so always in the same words."""

    def handle(call: Call) -> Response:
        return _answered(account, lambda: _initiate(service, account, call))

    return handle


def guide_status(service: WalletService, account: EasyPaisaAccount) -> Handler:
    """Return the handler of GetTransactionStatus."""

    def handle(_call: Call) -> Response:
        return _answered(account, lambda: _status(service, account))

    return handle


def _answered(account: EasyPaisaAccount, answer: Callable[[], Response]) -> Response:
    basic = base64.b64encode(f"{account.store_id}:{account.store_password}".encode()).decode()
    if request.headers.get("Authorization") != f"Basic {basic}":
        response = jsonify(Refused(Code.INVALID_CREDENTIALS).body())
        response.status_code = 401
        return response
    try:
        return answer()
    except Refused as refusal:
        return jsonify(refusal.body())


def _initiate(service: WalletService, account: EasyPaisaAccount, call: Call) -> Response:
    fields = _posted(_INITIATE)
    amount = fields["amount"]
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise Refused(Code.BAD_AMOUNT)
    texts = _texts({name: value for name, value in fields.items() if name != "amount"})
    _check(account, texts)
    made = new_transaction(service, texts["transactionId"], amount, "MA", call.dialect)
    made.echo |= {"notificationURL": texts["notificationURL"]}
    if service.ledger.naming(Gateway.EASYPAISA) is Naming.OWN:
        made.echo |= {"called": made.gateway_id}
    try:
        made, behaviour = service.charge(made, texts["mobileNumber"])
    except ReferenceUsed:
        raise Refused(Code.INVALID_ORDER, "it was used before") from None
    return in_manner(service, call, behaviour.manner, _accepted(made))


def _check(account: EasyPaisaAccount, texts: Mapping[str, str]) -> None:
    check_store(account, texts["storeId"])
    if not 0 < len(texts["transactionId"]) <= _LONGEST_ID:
        raise Refused(Code.INVALID_ORDER)
    if not PHONE.fullmatch(texts["mobileNumber"]):
        raise Refused(Code.BAD_PHONE)
    if not is_address(texts["notificationURL"]):
        raise Refused(Code.FIELD_MISSING, "notificationURL")
    if not texts["storeName"] or not texts["transactionDetails"]:
        raise Refused(Code.FIELD_MISSING, "storeName or transactionDetails")


def _accepted(made: Transaction) -> Response:
    code = Code.SUCCESS
    return jsonify({"transactionId": made.called, "responseCode": code, "responseDesc": DESCRIPTIONS[code]})


def _status(service: WalletService, account: EasyPaisaAccount) -> Response:
    texts = _texts(_posted(_STATUS))
    check_store(account, texts["storeId"])
    found = service.ledger.called(Gateway.EASYPAISA, texts["transactionId"])
    if found is None:
        raise Refused(Code.INVALID_ORDER)
    return jsonify(
        {
            "storeId": account.store_id,
            "transactionId": found.called,
            "transactionStatus": status_word(found),
            "amount": found.told_amount,
        }
    )


def _posted(names: frozenset[str]) -> Mapping[str, object]:
    try:
        sent = json.loads(request.get_data(as_text=True)) if request.is_json else None
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise Refused(Code.BAD_JSON)
    for name in sorted(names - sent.keys()):
        raise Refused(Code.FIELD_MISSING, name)
    for name in sorted(sent.keys() - names):
        raise Refused(Code.BAD_JSON, f"{name} is not known")
    return sent


def _texts(fields: Mapping[str, object]) -> Mapping[str, str]:
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    for name in sorted(fields.keys() - texts.keys()):
        raise Refused(Code.BAD_JSON, f"{name} is no string")
    return texts
