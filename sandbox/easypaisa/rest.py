"""What every REST call goes through: credentials, envelope, names and kinds of the fields."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping

from flask import Response, request

from sandbox.easypaisa.codes import Code, Refused
from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.envelope import Envelope
from sandbox.wallets.wire import Call, Handler

Body = dict[str, object]


def rest(
    account: EasyPaisaAccount, envelope: Envelope, answer: Callable[[Call, Mapping[str, object]], Body]
) -> Handler:
    """Return the handler of a call that has nothing of its own on the wire."""

    def handle(call: Call) -> Response:
        try:
            body = answer(call, opened(account, envelope))
        except Refused as refusal:
            body = refusal.body()
        return sealed(envelope, call, body)

    return handle


def opened(account: EasyPaisaAccount, envelope: Envelope) -> Mapping[str, object]:
    """Return the request's fields; raises Refused."""
    _check_credentials(account)
    return envelope.opened(request.get_data(as_text=True))


def sealed(envelope: Envelope, call: Call, body: Body) -> Response:
    """Return the answer on the wire. Its status is 200, whatever it says."""
    return Response(envelope.sealed(body, forged=call.forged), mimetype="application/json")


def check_names(fields: Mapping[str, object], required: frozenset[str], optional: frozenset[str]) -> Mapping[str, str]:
    """Return the fields if the names are right and every value is text; raises Refused naming the first that is not."""
    for name in sorted(required):
        if not fields.get(name):
            raise Refused(Code.FIELD_MISSING, name)
    for name in sorted(fields.keys() - required - optional):
        raise Refused(Code.BAD_JSON, f"{name} is not known")
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    for name in sorted(fields.keys() - texts.keys()):
        raise Refused(Code.BAD_JSON, f"{name} is no string")
    return texts


def _check_credentials(account: EasyPaisaAccount) -> None:
    # The header's own name, not the usual one: who signs in with `Authorization` is a stranger.
    given = request.headers.get("Credentials", "")
    try:
        told = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Code.INVALID_CREDENTIALS) from None
    if not hmac.compare_digest(told, f"{account.username}:{account.password}".encode()):
        raise Refused(Code.INVALID_CREDENTIALS)
