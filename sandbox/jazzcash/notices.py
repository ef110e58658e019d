"""What JazzCash tells the merchant's server: the IPN, and the notification of the integration guide."""

import json
import secrets

from sandbox.jazzcash.codes import MESSAGES, Code, confirmed_code, told_code
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.guide import named
from sandbox.jazzcash.secure_hash import is_signed, signed
from sandbox.outgoing import Reply, send
from sandbox.wallets.actions import News
from sandbox.wallets.notices import Letter, Receipt
from sandbox.wallets.transactions import Transaction

_HEADERS = {"Content-Type": "application/json", "User-Agent": "JazzCash-IPN/2.0"}


class Ipn:
    """The signed notice. What matters to JazzCash is a signed acknowledgement, not the status of the answer."""

    name = "jazzcash ipn"
    operation = "jazzcash ipn"
    deliveries = 3

    def __init__(self, account: JazzCashAccount) -> None:
        self._account = account

    def letter(self, transaction: Transaction, news: News) -> Letter | None:
        """Return the notice; like the guide's sample it has no amount, currency or merchant in it."""
        code = Code.FAILED if news is News.FALSE_FAILURE else confirmed_code(transaction)
        body = {
            "pp_Version": transaction.echo.get("pp_Version", "2.0"),
            "pp_TxnType": transaction.method,
            "pp_BankID": "",
            "pp_ProductID": None,
            "pp_Password": self._account.password,
            "pp_TxnRefNo": transaction.reference,
            "pp_TxnDateTime": transaction.echo["pp_TxnDateTime"],
            "pp_ResponseCode": code,
            "pp_ResponseMessage": MESSAGES[code],
            "pp_AuthCode": transaction.gateway_id[::-1],
            "pp_SettlementExpiry": None,
            "pp_RetreivalReferenceNo": transaction.gateway_id,
        }
        return Letter(url=self._account.ipn_url, body=body)

    def deliver(self, letter: Letter, *, forged: bool, timeout: float) -> Receipt:
        """Send it signed and judge the acknowledgement."""
        salt = secrets.token_hex(8) if forged else self._account.integrity_salt
        payload = json.dumps(signed(letter.body, salt)).encode()
        reply = send("POST", letter.url, payload, headers=_HEADERS, timeout=timeout)
        refusal = self._refusal(reply)
        return Receipt(reply=reply, accepted=refusal is None, refusal=refusal)

    def _refusal(self, reply: Reply) -> str | None:
        if not reply.accepted:
            return reply.error or f"status {reply.status}"
        body = reply.json()
        if body is None:
            return "no JSON object"
        if body.get("pp_ResponseCode") != Code.SUCCESS:
            return f"pp_ResponseCode {body.get('pp_ResponseCode')}"
        return None if is_signed(body, self._account.integrity_salt) else "wrong pp_SecureHash"


class GuideNotice:
    """The unsigned notification of the integration guide, sent where the form said."""

    name = "jazzcash guide notice"
    operation = "jazzcash ipn"
    deliveries = 3

    def letter(self, transaction: Transaction, news: News) -> Letter | None:
        """Return the notification."""
        code = Code.FAILED if news is News.FALSE_FAILURE else told_code(transaction)
        body = {
            **named(transaction),
            "pp_response_code": code,
            "pp_amount": str(transaction.told_amount),
        }
        return Letter(url=transaction.echo["pp_notify_url"], body=body)

    def deliver(self, letter: Letter, *, forged: bool, timeout: float) -> Receipt:  # noqa: ARG002 (nothing is signed)
        """Send it; the guide's answer is that it was received."""
        reply = send("POST", letter.url, json.dumps(letter.body).encode(), headers=_HEADERS, timeout=timeout)
        accepted = reply.accepted and (reply.json() or {}).get("status") == "received"
        refusal = None if accepted else reply.error or f"status {reply.status}, not received"
        return Receipt(reply=reply, accepted=accepted, refusal=refusal)
