"""The address an IPN names. A merchant that fetches it lets strangers choose what it fetches, so it is counted."""

from collections.abc import Callable

from flask import Response, jsonify

from sandbox.easypaisa.codes import DESCRIPTIONS, STATUS_WORDS, Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.inquire import STORE_NAME
from sandbox.easypaisa.values import json_number, written
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect, Gateway, Transaction

OPERATION = "easypaisa order-status"


def order_status(service: WalletService, account: EasyPaisaAccount) -> Callable[[str, str], Response]:
    """Return the view of an order's document."""

    def view(account_number: str, order: str) -> Response:
        response = _document(service, account, account_number, order)
        service.journal.write(OPERATION, Dialect.REST_V4, response.status_code, None, reference=order)
        return response

    return view


def _document(service: WalletService, account: EasyPaisaAccount, account_number: str, order: str) -> Response:
    def count(found: Transaction) -> None:
        found.status_fetches += 1

    try:
        found = service.ledger.change(Gateway.EASYPAISA, order, count)
    except LookupError:
        return _nothing()
    return jsonify(_shown(found, account)) if account_number == account.account_number else _nothing()


def _nothing() -> Response:
    response = jsonify(Refused(Code.INVALID_ORDER).body())
    response.status_code = 404
    return response


def _shown(found: Transaction, account: EasyPaisaAccount) -> dict[str, object]:
    return {
        "order_id": found.reference,
        "transaction_id": found.gateway_id,
        "transaction_status": STATUS_WORDS[found.state],
        "transaction_amount": json_number(found.told_amount),
        "payment_method": found.method,
        "order_datetime": written(found.created_at),
        "account_number": account.account_number,
        "store_id": account.store_id,
        "store_name": STORE_NAME,
        "response_code": Code.SUCCESS,
        "description": DESCRIPTIONS[Code.SUCCESS],
    }
