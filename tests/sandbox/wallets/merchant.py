"""The merchant's side of both wallets, as small as it can be."""

import base64
import hashlib
import hmac
import html
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from sandbox.gateway import RunningGateway
from sandbox.wallets.config import WalletTimes

SALT = "TESTSALT01"
MERCHANT = "MC00001"
PASSWORD = "pw12345678"
MPIN = "1234"
RETURN_URL = "http://shop.test/pay/jazzcash/return"

STORE = "5512"
STORE_PASSWORD = "store-password"
USER, USER_PASSWORD = "shop", "secret"
ACCOUNT_NUMBER = "98765"
HASH_KEY = "ABCDEFGHIJKLMNOP"

QUICK = WalletTimes(paid_after=0.1, late_after=0.1, hold=0.3, notice_retry_pause=0.02, notice_timeout=2)

PUSH_1_1 = "ApplicationAPI/API/Payment/DoTransaction"
PUSH_2_0 = "ApplicationAPI/API/2.0/Purchase/DoMWalletTransaction"
INQUIRY = "ApplicationAPI/API/PaymentInquiry/Inquire"
REFUND = "ApplicationAPI/API/Purchase/domwalletrefundtransaction"
FORM = "CustomerPortal/transactionmanagement/merchantform"
GUIDE = "ApplicationAPI/API/"


def stamp(*, hours: float = 0, now: datetime | None = None) -> str:
    """Return a time as JazzCash wants it, so many hours from now; Pakistan is five hours ahead of UTC."""
    moment = (now or datetime.now(UTC)) + timedelta(hours=5 + hours)
    return moment.strftime("%Y%m%d%H%M%S")


def secure_hash(fields: Mapping[str, Any], salt: str = SALT) -> str:
    """The merchant's own making of pp_SecureHash."""
    values = [str(fields[name]) for name in sorted(fields) if fields[name] and name != "pp_SecureHash"]
    return hmac.new(salt.encode(), "&".join([salt, *values]).encode(), hashlib.sha256).hexdigest()


def signed(fields: Mapping[str, Any], salt: str = SALT) -> dict[str, Any]:
    return {**fields, "pp_SecureHash": secure_hash(fields, salt)}


def is_genuine(fields: Mapping[str, Any]) -> bool:
    return bool(fields["pp_SecureHash"] == secure_hash(fields).upper())


def common(reference: str, **changes: str) -> dict[str, str]:
    """Return what every way to begin a JazzCash payment has."""
    fields = {
        "pp_Amount": "125050",
        "pp_BillReference": "ORD42",
        "pp_Description": "Order 42",
        "pp_Language": "EN",
        "pp_MerchantID": MERCHANT,
        "pp_Password": PASSWORD,
        "pp_TxnCurrency": "PKR",
        "pp_TxnDateTime": stamp(),
        "pp_TxnExpiryDateTime": stamp(hours=24),
        "pp_TxnRefNo": reference,
    }
    return {**fields, **changes}


def push_fields(reference: str, phone: str = "03123456789", **changes: str) -> dict[str, str]:
    """Return a 2.0 push before it is signed."""
    own = {"pp_BankID": "", "pp_ProductID": "", "pp_SubMerchantID": "", "pp_MobileNumber": phone, "pp_CNIC": "345678"}
    own |= {f"ppmpf_{number}": "" for number in range(1, 6)}
    return {**common(reference), **own, **changes}


def push_1_1_fields(reference: str, phone: str = "03123456789", **changes: str) -> dict[str, str]:
    """Return a 1.1 push before it is signed."""
    fields = push_fields(reference)
    del fields["pp_MobileNumber"], fields["pp_CNIC"]
    own = {"ppmpf_1": phone, "pp_Version": "1.1", "pp_TxnType": "MWALLET", "pp_ReturnURL": RETURN_URL}
    return {**fields, **own, **changes}


def form_fields(reference: str, **changes: str) -> dict[str, str]:
    """Return the hosted page's form before it is signed."""
    own = {"pp_Version": "1.1", "pp_TxnType": "MWALLET", "pp_ReturnURL": RETURN_URL}
    return {**common(reference), **own, **changes}


def guide_form(reference: str, notify_url: str, **changes: str) -> dict[str, str]:
    """Return the integration guide's form with the guide's own digest."""
    fields = {
        "pp_merchant_id": MERCHANT,
        "pp_auth_code": "AUTH_20260901120000",
        "pp_amount": "125050",
        "pp_bill_reference": reference,
        "pp_description": "Tea & biscuits",
        "pp_return_url": "http://shop.test/done?order=5",
        "pp_notify_url": notify_url,
        "pp_txn_datetime": "20260901120000",
        "pp_language": "en",
    }
    fields |= changes
    text = fields["pp_merchant_id"] + fields["pp_auth_code"] + fields["pp_amount"] + PASSWORD
    return {"pp_sign": hashlib.sha256(text.encode()).hexdigest(), **fields}


def ma_fields(order: str, phone: str = "03123456789", **changes: Any) -> dict[str, Any]:
    """Return a REST request for money of a mobile account."""
    fields = {
        "orderId": order,
        "storeId": STORE,
        "transactionAmount": "1250.50",
        "transactionType": "MA",
        "mobileAccountNo": phone,
        "emailAddress": "asha@shop.test",
    }
    return {**fields, **changes}


def guide_call(transaction_id: str, notify_url: str, phone: str = "03123456789", **changes: Any) -> dict[str, Any]:
    """Return the integration guide's request for money."""
    fields = {
        "storeId": STORE,
        "storeName": "MyStore",
        "amount": 125050,
        "mobileNumber": phone,
        "transactionId": transaction_id,
        "transactionDetails": f"Payment for {transaction_id}",
        "customerName": "Asha",
        "customerEmail": "",
        "notificationURL": notify_url,
        "transactionRefId": "",
        "sessionId": "",
    }
    return {**fields, **changes}


@dataclass(frozen=True)
class Heard:
    """One request that reached the merchant's listener."""

    method: str
    path: str
    query: str
    body: dict[str, Any]


Answer = tuple[int, Any]


def signed_ack() -> Answer:
    return 200, signed({"pp_ResponseCode": "000", "pp_ResponseMessage": "IPN received successfully"})


@dataclass
class Listener:
    """Where notices arrive; `answers` are given first, then each is acknowledged as its kind wants it."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def take(self, heard: Heard) -> Answer:
        self.heard.append(heard)
        if self.answers:
            return self.answers.pop(0)
        return signed_ack() if "pp_TxnRefNo" in heard.body else (200, {"status": "received"})

    def bodies(self) -> list[dict[str, Any]]:
        return [heard.body for heard in self.heard]


def listen(listener: Listener) -> ThreadingHTTPServer:
    """Start the listener on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(body)

        def do_GET(self) -> None:
            self._answer({})

        def _answer(self, body: dict[str, Any]) -> None:
            path, _, query = self.path.partition("?")
            status, answer = listener.take(Heard(self.command, path, query, body))
            payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.url = f"http://127.0.0.1:{server.server_port}/listen"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@dataclass(frozen=True)
class Merchant:
    """Calls both wallets and their switches."""

    gateway: RunningGateway
    timeout: float = 5

    def jazz(self, path: str, fields: Mapping[str, Any]) -> Any:
        return self.post(f"jazzcash/{path}", json=dict(fields)).json()

    def push(self, reference: str, phone: str = "03123456789", **changes: str) -> Any:
        return self.jazz(PUSH_2_0, signed(push_fields(reference, phone, **changes)))

    def inquire(self, reference: str) -> Any:
        return self.jazz(
            INQUIRY, signed({"pp_TxnRefNo": reference, "pp_MerchantID": MERCHANT, "pp_Password": PASSWORD})
        )

    def refund(self, reference: str, amount: int, **changes: str) -> Any:
        fields = {
            "pp_TxnRefNo": reference,
            "pp_Amount": str(amount),
            "pp_TxnCurrency": "PKR",
            "pp_MerchantID": MERCHANT,
            "pp_Password": PASSWORD,
            "pp_MerchantMPIN": MPIN,
        }
        return self.jazz(REFUND, signed({**fields, **changes}))

    def form(self, path: str, fields: Mapping[str, str]) -> requests.Response:
        return self.post(path, data=dict(fields))

    def easy(self, operation: str, fields: Mapping[str, Any], *, version: str = "v4") -> Any:
        return self.post(f"easypaisa/easypay-service/rest/{version}/{operation}", json=dict(fields)).json()

    def easy_inquire(self, order: str) -> Any:
        return self.easy("inquire-transaction", {"orderId": order, "storeId": STORE, "accountNum": ACCOUNT_NUMBER})

    def easy_guide(self, operation: str, fields: Mapping[str, Any]) -> Any:
        path = f"easypaisa/api/Payment/{operation}"
        return self.post(path, json=dict(fields), auth=(STORE, STORE_PASSWORD)).json()

    def post(self, path: str, **more: Any) -> requests.Response:
        credentials = base64.b64encode(f"{USER}:{USER_PASSWORD}".encode()).decode()
        headers = {"Credentials": credentials, **more.pop("headers", {})}
        url = f"{self.gateway.base_url}/{path}"
        return requests.post(url, headers=headers, timeout=self.timeout, allow_redirects=False, **more)

    def page(self, path: str, **more: Any) -> requests.Response:
        return requests.get(f"{self.gateway.base_url}/{path}", timeout=self.timeout, allow_redirects=False, **more)

    def transaction(self, reference: str) -> Any:
        return self.page(f"_sandbox/wallets/transactions/{reference}").json()

    def act(self, reference: str, action: str) -> Any:
        return self.post(f"_sandbox/wallets/transactions/{reference}/{action}").json()

    def notices(self) -> Any:
        return self.page("_sandbox/wallets/notices").json()

    def calls(self) -> Any:
        return self.page("_sandbox/wallets/calls").json()

    def fault(self, operation: str, fault: str, **more: Any) -> None:
        answer = self.post("_sandbox/faults", json={"operation": operation, "fault": fault, **more})
        assert answer.status_code == 201, answer.text


def hidden_fields(page: str) -> dict[str, str]:
    """Return the fields of the form a page posts by itself."""
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {html.unescape(name): html.unescape(value) for name, value in found}
