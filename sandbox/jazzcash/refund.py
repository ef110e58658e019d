"""Refunds of MWallet payments. There is no idempotency key: the same call twice is two refunds."""

from flask import Response, jsonify

from sandbox.jazzcash.codes import MESSAGES, Code, Refused
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.fields import REFUND, Fields, check_merchant, check_names, check_shapes
from sandbox.jazzcash.push import posted_json, refused, salt_of
from sandbox.jazzcash.secure_hash import signed
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Gateway, State, Transaction
from sandbox.wallets.wire import Call, Handler


def refund(service: WalletService, account: JazzCashAccount) -> Handler:
    """Return the handler of the refund's paths."""

    def handle(call: Call) -> Response:
        try:
            fields = _checked(account)
            amount = int(fields["pp_Amount"])
            changed = _execute(service, account, fields["pp_TxnRefNo"], amount)
        except Refused as refusal:
            return refused(refusal)
        return jsonify(signed(_answer(changed, amount), salt_of(account, call)))

    return handle


def _checked(account: JazzCashAccount) -> Fields:
    fields = check_names(posted_json(), REFUND, frozenset())
    check_merchant(fields, account)
    check_shapes(fields)
    if fields["pp_MerchantMPIN"] != account.merchant_mpin:
        raise Refused(Code.BAD_PIN)
    return fields


def _execute(service: WalletService, account: JazzCashAccount, reference: str, amount: int) -> Transaction:
    def edit(found: Transaction) -> None:
        _check_possible(account, found, amount)
        found.refunded += amount
        found.refunds.append({"at": service.now(), "amount": amount})

    try:
        return service.ledger.change(Gateway.JAZZCASH, reference, edit)
    except LookupError:
        raise Refused(Code.NO_SUCH_TRANSACTION) from None


def _check_possible(account: JazzCashAccount, found: Transaction, amount: int) -> None:
    if found.state is not State.PAID:
        raise Refused(Code.NOT_SETTLED)
    if found.refunded >= found.amount:
        raise Refused(Code.NOT_REFUNDABLE)
    if found.refunded + amount > found.amount:
        raise Refused(Code.OVER_REFUND)
    if amount < found.amount and not account.partial_refunds:
        raise Refused(Code.NO_PARTIAL_REFUND)


def _answer(changed: Transaction, amount: int) -> dict[str, object]:
    # A part is a success like any other; with the last of it the transaction itself has become a refunded one.
    code = Code.REFUNDED if changed.refunded == changed.amount else Code.SUCCESS
    return {
        "pp_ResponseCode": code,
        "pp_ResponseMessage": MESSAGES[code],
        "pp_RefundAmount": str(amount),
        "pp_TotalRefundAmount": str(changed.refunded),
    }
