"""The hosted page in its two steps: Index.jsf opens it, Confirm.jsf executes what was chosen there."""

import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from flask import Response, render_template, request

from sandbox.easypaisa.codes import Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.hashed_request import FIELD, decrypted, plain_text
from sandbox.easypaisa.initiate import ORDER, PHONE, check_store, new_transaction
from sandbox.easypaisa.values import paisa_of_hosted, read_expiry
from sandbox.wallets.actions import Action, NotPossible
from sandbox.wallets.pages import onward_page
from sandbox.wallets.service import Onward, WalletService
from sandbox.wallets.transactions import Gateway, ReferenceUsed, State, Transaction
from sandbox.wallets.wire import Call, Handler

_REQUIRED = ("storeId", "amount", "postBackURL", "orderRefNum", "autoRedirect", FIELD)
_OPTIONAL = frozenset({"expiryDate", "paymentMethod", "emailAddr", "mobileNum", "bankIdentifier"})
_METHOD = re.compile(r"(MA|OTC|CC|QR)_PAYMENT_METHOD")

# What a person can choose on the page; anything else happens elsewhere, later or by itself.
_CHOICES = frozenset({Action.APPROVE, Action.DECLINE, Action.CANCEL, Action.PAY_LATER, Action.DROP})


def index(service: WalletService, account: EasyPaisaAccount) -> Handler:
    """Return the handler of the form that opens the page."""

    def handle(call: Call) -> Response:
        try:
            fields = _checked(service, account)
            made = new_transaction(
                service, fields["orderRefNum"], paisa_of_hosted(fields["amount"]) or 0, _method(fields), call.dialect
            )
            made.phone_end = fields.get("mobileNum", "")[-4:]
            made.echo |= {name: fields[name] for name in ("postBackURL", "autoRedirect")}
            service.ledger.open(made)
        except Refused as refusal:
            return _refusal_page(refusal)
        except ReferenceUsed:
            return _refusal_page(Refused(Code.INVALID_ORDER, "it was used before"))
        return Response(status=303, headers={"Location": f"/easypaisa/pay/{made.reference}"})

    return handle


def choose(service: WalletService, transaction: Transaction, action: Action) -> Onward | None:
    """Note what the person wants and send the browser to the shop for its confirmation; raises NotPossible."""
    if action not in _CHOICES:
        raise NotPossible(f"Cannot {action} a transaction before it is confirmed")
    token = secrets.token_urlsafe(24)

    def edit(found: Transaction) -> None:
        found.echo |= {"choice": action, "auth_token": token}
        found.history.append({"at": service.now(), "action": f"choose {action}", "state": found.state})

    service.ledger.change(transaction.gateway, transaction.reference, edit)
    return Onward(method="GET", url=with_query(transaction.echo["postBackURL"], {"auth_token": token}))


def confirm(service: WalletService) -> Handler:
    """Return the handler of the second form: it executes the choice and sends the browser back for good."""

    def handle(_call: Call) -> Response:
        token, back = request.form.get("auth_token", ""), request.form.get("postBackURL", "")
        try:
            executed = _execute(service, token, back)
        except Refused as refusal:
            return _refusal_page(refusal)
        return _home(executed, back)

    return handle


def is_address(text: str) -> bool:
    """Tell whether a browser can be sent there."""
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def with_query(url: str, fields: Mapping[str, str]) -> str:
    """Return the address with more in its query."""
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(fields)}"


def _checked(service: WalletService, account: EasyPaisaAccount) -> Mapping[str, str]:
    fields = request.form.to_dict()
    for name in _REQUIRED:
        if not fields.get(name):
            raise Refused(Code.FIELD_MISSING, name)
    for name in sorted(fields.keys() - set(_REQUIRED) - _OPTIONAL):
        raise Refused(Code.SYSTEM_ERROR, f"{name} is not known")
    check_store(account, fields["storeId"])
    if decrypted(fields[FIELD], account.hash_key) != plain_text(fields):
        raise Refused(Code.SYSTEM_ERROR, "Parameter authentication failed")
    _check_values(service, fields)
    return fields


def _check_values(service: WalletService, fields: Mapping[str, str]) -> None:
    if not ORDER.fullmatch(fields["orderRefNum"]):
        raise Refused(Code.INVALID_ORDER)
    if paisa_of_hosted(fields["amount"]) is None:
        raise Refused(Code.BAD_AMOUNT)
    if not is_address(fields["postBackURL"]) or fields["autoRedirect"] not in {"0", "1"}:
        raise Refused(Code.FIELD_MISSING, "postBackURL or autoRedirect")
    if fields.get("paymentMethod") and not _METHOD.fullmatch(fields["paymentMethod"]):
        raise Refused(Code.BAD_METHOD)
    if fields.get("mobileNum") and not PHONE.fullmatch(fields["mobileNum"]):
        raise Refused(Code.BAD_PHONE)
    if fields.get("expiryDate"):
        read_expiry(fields["expiryDate"], service.pakistan_time())


def _method(fields: Mapping[str, str]) -> str:
    return (fields.get("paymentMethod") or "MA_PAYMENT_METHOD").partition("_")[0]


def _execute(service: WalletService, token: str, back: str) -> Transaction:
    if not is_address(back):
        raise Refused(Code.FIELD_MISSING, "postBackURL")
    with service.store.transaction():
        for found in service.ledger.waiting(Gateway.EASYPAISA, State.INITIATED):
            if token and found.echo.get("auth_token") == token:
                return service.act(found.gateway, found.reference, Action(found.echo["choice"]))
    raise Refused(Code.SYSTEM_ERROR, "auth_token is not known or was used")


def _home(executed: Transaction, back: str) -> Response:
    # Nothing of this is signed: a customer can write any of it into the address bar.
    good = executed.state in {State.PAID, State.PENDING}
    told = {
        "status": "Success" if good else "Failure",
        "desc": Code.SUCCESS if good else Code.SYSTEM_ERROR,
        "orderRefNumber": executed.reference,
    }
    onward = Onward(method="GET", url=with_query(back, told))
    if executed.echo["autoRedirect"] == "1":
        return onward_page(onward)
    return Response(render_template("wallet_onward.html", onward=onward), mimetype="text/html")


def _refusal_page(refusal: Refused) -> Response:
    page = render_template("wallet_refusal.html", gateway="Easypaisa", code=refusal.code, message=refusal.description)
    return Response(page, 400, mimetype="text/html")
