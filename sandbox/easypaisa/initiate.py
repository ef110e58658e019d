"""Asking for money over REST: of a mobile account, or with a token that is paid in cash at a shop."""

import re
import secrets
from collections.abc import Mapping

from flask import Response, request

from sandbox.easypaisa.codes import DESCRIPTIONS, FAILURES, Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.envelope import Envelope
from sandbox.easypaisa.rest import Body, check_names, opened, rest, sealed
from sandbox.easypaisa.values import paisa_of_rest, read_expiry, written
from sandbox.wallets.magic import Manner, behaviour_of
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect, Gateway, ReferenceUsed, State, Transaction
from sandbox.wallets.wire import Call, Handler, in_manner

ORDER = re.compile(r"[A-Za-z0-9_-]{1,20}")
PHONE = re.compile(r"03[0-9]{9}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

_COMMON = frozenset({"orderId", "storeId", "transactionAmount", "transactionType", "emailAddress"})
_EXTRAS = frozenset(f"optional{number}" for number in range(1, 6))
_MA, _MA_OPTIONAL = _COMMON | {"mobileAccountNo"}, _EXTRAS | {"tokenExpiry"}
_OTC, _OTC_OPTIONAL = _COMMON | {"msisdn", "tokenExpiry"}, _EXTRAS


def initiate_ma(service: WalletService, account: EasyPaisaAccount, envelope: Envelope) -> Handler:
    """Return the handler of initiate-ma-transaction, which answers when the customer's phone has."""

    def handle(call: Call) -> Response:
        manner = Manner.PLAIN
        try:
            fields = _checked(service, account, check_names(opened(account, envelope), _MA, _MA_OPTIONAL), method="MA")
            made = new_transaction(service, fields["orderId"], _paisa(fields), "MA", call.dialect)
            made, behaviour = service.charge(made, fields["mobileAccountNo"])
            body, manner = _answer(made, account), behaviour.manner
        except Refused as refusal:
            body = refusal.body()
        except ReferenceUsed:
            body = Refused(Code.INVALID_ORDER, "it was used before").body()
        return in_manner(service, call, manner, sealed(envelope, call, body))

    return handle


def initiate_otc(service: WalletService, account: EasyPaisaAccount, envelope: Envelope) -> Handler:
    """Return the handler of initiate-otc-transaction, which answers with a token and no money."""

    def answer(call: Call, sent: Mapping[str, object]) -> Body:
        fields = _checked(service, account, check_names(sent, _OTC, _OTC_OPTIONAL), method="OTC")
        made = new_transaction(service, fields["orderId"], _paisa(fields), "OTC", call.dialect)
        made.state, made.phone_end = State.PENDING, fields["msisdn"][-4:]
        try:
            service.ledger.open(made)
        except ReferenceUsed:
            raise Refused(Code.INVALID_ORDER, "it was used before") from None
        _arrange(service, made, fields["msisdn"])
        expiry = written(read_expiry(fields["tokenExpiry"], service.pakistan_time()))
        token = {"paymentToken": made.gateway_id, "paymentTokenExpiryDateTime": expiry}
        return {**_answer(made, account), **token}

    return rest(account, envelope, answer)


def new_transaction(service: WalletService, order: str, paisa: int, method: str, dialect: Dialect) -> Transaction:
    """Return a transaction nobody has heard of yet."""
    return Transaction(
        gateway=Gateway.EASYPAISA,
        reference=order,
        dialect=dialect,
        amount=paisa,
        told_amount=paisa,
        method=method,
        created_at=service.now(),
        gateway_id=str(secrets.randbelow(9 * 10**10) + 10**10),
        # A notice goes out when no request is at hand, and names the address the gateway was called at.
        echo={"base": f"{request.host_url}easypaisa"},
    )


def _arrange(service: WalletService, made: Transaction, phone: str) -> None:
    # Nobody is asked on a phone: of the magic numbers only those that pay later mean anything here.
    behaviour = behaviour_of(phone)
    if behaviour.at_once is None and behaviour.later is not None:
        service.timers.arrange(
            made.gateway, made.reference, behaviour.later, seconds=behaviour.moment.seconds(service.times)
        )


def _checked(
    service: WalletService, account: EasyPaisaAccount, fields: Mapping[str, str], *, method: str
) -> Mapping[str, str]:
    check_store(account, fields["storeId"])
    if not ORDER.fullmatch(fields["orderId"]):
        raise Refused(Code.INVALID_ORDER)
    if fields["transactionType"] != method:
        raise Refused(Code.BAD_METHOD)
    if paisa_of_rest(fields["transactionAmount"]) is None:
        raise Refused(Code.BAD_AMOUNT)
    if not PHONE.fullmatch(fields["mobileAccountNo" if method == "MA" else "msisdn"]):
        raise Refused(Code.BAD_PHONE)
    if not _EMAIL.fullmatch(fields["emailAddress"]):
        raise Refused(Code.BAD_EMAIL)
    if fields.get("tokenExpiry"):
        read_expiry(fields["tokenExpiry"], service.pakistan_time())
    return fields


def check_store(account: EasyPaisaAccount, store: str) -> None:
    """Raise Refused unless it is the account's store."""
    if store != account.store_id:
        raise Refused(Code.INVALID_STORE)


def _paisa(fields: Mapping[str, str]) -> int:
    return paisa_of_rest(fields["transactionAmount"]) or 0


def _answer(made: Transaction, account: EasyPaisaAccount) -> Body:
    # A pending payment answers like a paid one: only an inquiry tells them apart.
    code = Code.SUCCESS if made.reason is None else FAILURES[made.reason]
    return {
        "orderId": made.reference,
        "storeId": account.store_id,
        "transactionId": made.gateway_id,
        "transactionDateTime": written(made.created_at),
        "responseCode": code,
        "responseDesc": DESCRIPTIONS[code],
    }
