"""What Easypaisa tells the merchant's server: an address to fetch, or the guide's notification."""

import json
from urllib.parse import urlencode, urlsplit

from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.easypaisa.guide import status_word
from sandbox.outgoing import send
from sandbox.wallets.actions import News
from sandbox.wallets.notices import Letter, Receipt
from sandbox.wallets.transactions import Transaction

_AGENT = {"User-Agent": "Easypay-IPN/1.0"}


class Ipn:
    """A GET that carries an address and no word of the outcome. It comes for payments only, once, and unsigned."""

    name = "easypaisa ipn"
    operation = "easypaisa ipn"
    deliveries = 1

    def __init__(self, account: EasyPaisaAccount) -> None:
        self._account = account

    def letter(self, transaction: Transaction, news: News) -> Letter | None:
        """Return the notice of a payment; failures the gateway keeps to itself."""
        if news in {News.NOT_PAID, News.REVERSED} or not self._account.ipn_url:
            return None
        base = self._account.own_base_url or transaction.echo["base"]
        path = f"easypay-service/rest/v1/order-status/{self._account.account_number}/{transaction.reference}"
        ipn_url = self._account.ipn_url
        query = urlencode({"url": f"{base.rstrip('/')}/{path}"})
        return Letter(url=f"{ipn_url}{'&' if urlsplit(ipn_url).query else '?'}{query}", body={})

    def deliver(self, letter: Letter, *, forged: bool, timeout: float) -> Receipt:  # noqa: ARG002 (nothing is signed)
        """Send it; any 200 will do."""
        reply = send("GET", letter.url, None, headers=_AGENT, timeout=timeout)
        refusal = None if reply.accepted else reply.error or f"status {reply.status}"
        return Receipt(reply=reply, accepted=reply.accepted, refusal=refusal)


class GuideNotice:
    """The unsigned notification of the integration guide, sent where the call said."""

    name = "easypaisa guide notice"
    operation = "easypaisa ipn"
    deliveries = 3

    def letter(self, transaction: Transaction, news: News) -> Letter | None:
        """Return the notification."""
        status = "failed" if news is News.FALSE_FAILURE else status_word(transaction)
        body = {"transactionId": transaction.called, "transactionStatus": status}
        return Letter(url=transaction.echo["notificationURL"], body=body)

    def deliver(self, letter: Letter, *, forged: bool, timeout: float) -> Receipt:  # noqa: ARG002 (nothing is signed)
        """Send it; the guide's answer is that it was received."""
        headers = {**_AGENT, "Content-Type": "application/json"}
        reply = send("POST", letter.url, json.dumps(letter.body).encode(), headers=headers, timeout=timeout)
        accepted = reply.accepted and (reply.json() or {}).get("status") == "received"
        refusal = None if accepted else reply.error or f"status {reply.status}, not received"
        return Receipt(reply=reply, accepted=accepted, refusal=refusal)
