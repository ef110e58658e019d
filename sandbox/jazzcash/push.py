"""MWallet: the merchant's call that makes the customer's phone ask for approval."""

import secrets

from flask import Response, jsonify, request

from sandbox.jazzcash.codes import MESSAGES, Refused, bad_value, told_code
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.fields import (
    PHONE,
    PUSH_1_1,
    PUSH_2_0,
    PUSH_OPTIONAL,
    Fields,
    check_merchant,
    check_names,
    check_shapes,
    check_times,
)
from sandbox.jazzcash.secure_hash import FIELD, signed
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect, Gateway, ReferenceUsed, Transaction
from sandbox.wallets.wire import Call, Handler, in_manner

# Never handed back in a notice: whose it is, and what only the two sides may know.
_NOT_ECHOED = frozenset({"pp_Password", "pp_CNIC", "pp_MobileNumber", "ppmpf_1", FIELD})


def push(service: WalletService, account: JazzCashAccount, *, required: frozenset[str]) -> Handler:
    """Return the handler of one MWallet path; `required` are fields this host wants beside its version's."""

    def handle(call: Call) -> Response:
        try:
            fields = _checked(service, account, call.dialect, required)
            made, behaviour = service.charge(_transaction(service, fields, call.dialect), _phone(fields, call.dialect))
        except Refused as refusal:
            return refused(refusal)
        except ReferenceUsed:
            return refused(bad_value("pp_TxnRefNo", "It was used before."))
        return in_manner(service, call, behaviour.manner, _answer(fields, made, salt_of(account, call)))

    return handle


def refused(refusal: Refused) -> Response:
    """Return the answer to a call that was not executed; the gateway does not sign those."""
    return jsonify({"pp_ResponseCode": refusal.code, "pp_ResponseMessage": refusal.message, FIELD: ""})


def posted_json() -> dict[str, object]:
    """Return the request's JSON object; raises Refused for anything else."""
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise bad_value("the request", "It is no JSON object.")
    return sent


def salt_of(account: JazzCashAccount, call: Call) -> str:
    """Return what the answer is signed with."""
    return secrets.token_hex(8) if call.forged else account.integrity_salt


def gateway_id() -> str:
    """Return a number like those the gateway gives its own transactions."""
    return f"{secrets.randbelow(10**12):012}"


def _checked(service: WalletService, account: JazzCashAccount, dialect: Dialect, required: frozenset[str]) -> Fields:
    names = PUSH_1_1 if dialect is Dialect.MWALLET_1_1 else PUSH_2_0
    fields = check_names(posted_json(), names | required, PUSH_OPTIONAL)
    check_merchant(fields, account)
    check_shapes(fields)
    if dialect is Dialect.MWALLET_1_1:
        _check_1_1(fields, account)
    check_times(fields, service.pakistan_time())
    return fields


def _check_1_1(fields: Fields, account: JazzCashAccount) -> None:
    wanted = {"pp_Version": "1.1", "pp_TxnType": "MWALLET", "pp_ReturnURL": account.return_url}
    for name, value in wanted.items():
        if fields[name] != value:
            raise bad_value(name)
    if not PHONE.fullmatch(fields["ppmpf_1"]):
        raise bad_value("ppmpf_1")


def _phone(fields: Fields, dialect: Dialect) -> str:
    return fields["ppmpf_1" if dialect is Dialect.MWALLET_1_1 else "pp_MobileNumber"]


def _transaction(service: WalletService, fields: Fields, dialect: Dialect) -> Transaction:
    amount = int(fields["pp_Amount"])
    return Transaction(
        gateway=Gateway.JAZZCASH,
        reference=fields["pp_TxnRefNo"],
        dialect=dialect,
        amount=amount,
        told_amount=amount,
        method="MWALLET",
        created_at=service.now(),
        gateway_id=gateway_id(),
        echo={name: value for name, value in fields.items() if name not in _NOT_ECHOED},
    )


def _answer(fields: Fields, made: Transaction, salt: str) -> Response:
    code = told_code(made)
    # The guide's sample gives the password back too; merchants have to keep it out of their logs.
    body = {
        **{name: value for name, value in fields.items() if name != FIELD},
        "pp_Amount": str(made.told_amount),
        "pp_AuthCode": made.gateway_id[::-1] if made.debits else "",
        "pp_ResponseCode": code,
        "pp_ResponseMessage": MESSAGES[code],
        "pp_RetreivalReferenceNo": made.gateway_id,
    }
    return jsonify(signed(body, salt))
