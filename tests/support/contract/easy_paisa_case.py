"""Easypaisa in each of its dialects, and the one that is paid in cash at a shop."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar
from urllib.parse import urlencode

from payproc.domain.money import Money
from payproc.providers.answers import PostForm
from payproc.providers.base import Provider
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.easy_paisa.provider import EasyPaisaProvider
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig, PaymentType
from payproc.providers.notices import RawNotice
from payproc.providers.requests import StartMode, StartRequest
from sandbox.easypaisa.envelope import Plain, Signed
from sandbox.easypaisa.values import json_number
from tests.support.contract.case import Edit, End, Operation, fields_of_form
from tests.support.contract.played import (
    ACCOUNT_NUMBER,
    HASH_KEY,
    PASSWORD,
    RETURN_URL,
    STORE,
    STORE_PASSWORD,
    USERNAME,
    easy_paisa_account,
    key_pairs,
)
from tests.support.contract.scripted import Seen
from tests.support.contract.wallet_case import WalletCase

_CODES = {End.PAID: "0000", End.PENDING: "0000", End.DECLINED: "0013"}
_STATUSES = {End.PAID: "PAID", End.DECLINED: "FAILED", End.PENDING: "PENDING", End.REVERSED: "REVERSED"}
_GUIDE_STATUSES = {End.PAID: "success", End.DECLINED: "failed", End.PENDING: "pending"}
_IPN = "https://easypay.easypaisa.com.pk/easypay-service/rest/v1/order-status"


class EasyPaisaCase(WalletCase):
    method = EASY_PAISA
    folder = "easypaisa"
    operations: ClassVar = {Operation.START: "easypaisa initiate"}
    # 0001 is "system error": it may have charged. 0003 of a charge may mean that its reference was used already.
    strange_to_start: tuple[str, ...] = ("9999", "0001", "0003", "success")
    strange_to_inquiry: tuple[str, ...] = ("REFUNDED", "paid", "IN_PROCESS", "0000")

    def __init__(self, dialect: Dialect, payment_type: PaymentType = PaymentType.MOBILE_ACCOUNT) -> None:
        super().__init__(
            dialect.value, mode=StartMode.FORM_POST if dialect is Dialect.HOSTED else StartMode.SINGLE_SHOT
        )
        self._payment_type = payment_type
        self._is_guide = dialect is Dialect.GUIDE
        self.signs_answers = dialect is Dialect.REST_V5_RSA
        if self._is_guide:
            self.ends = frozenset(_GUIDE_STATUSES)
            self.is_known_by_our_reference = False
            self.strange_to_inquiry = ("SUCCESS", "PAID", "reversed")

    def __str__(self) -> str:
        return super().__str__() + ("-otc" if self._payment_type is PaymentType.OVER_THE_COUNTER else "")

    @property
    def secrets(self) -> tuple[str, ...]:
        key = key_pairs().merchant_keys["private"]
        return STORE_PASSWORD, PASSWORD, ACCOUNT_NUMBER, HASH_KEY, "PRIVATE KEY", key.splitlines()[1]

    def config(self, base_url: str, *, patience: timedelta, notify_url: str) -> EasyPaisaConfig:
        return EasyPaisaConfig(
            dialect=Dialect(self.dialect),
            payment_type=self._payment_type,
            store_id=STORE,
            store_password=STORE_PASSWORD,
            username=USERNAME,
            password=PASSWORD,
            account_number=ACCOUNT_NUMBER,
            hash_key=HASH_KEY,
            private_key_pem=key_pairs().merchant_keys["private"],
            public_key_pem=key_pairs().gateway_keys["public"],
            base_url=base_url,
            return_url=RETURN_URL,
            notify_url=notify_url,
            merchant_email="pay@shop.example",
            live_mode=False,
            read_timeout=patience,
            push_timeout=patience,
        )

    def made(self, config: EasyPaisaConfig) -> Provider:
        return EasyPaisaProvider(config, self.http())

    def actions(self, end: End) -> tuple[str, ...]:
        if self._payment_type is PaymentType.OVER_THE_COUNTER:
            # Nobody asks a phone: what becomes of the token, a person at a shop decides.
            return {
                End.PAID: ("approve",),
                End.DECLINED: ("decline",),
                End.PENDING: (),
                End.REVERSED: ("approve", "reverse"),
            }[end]
        return super().actions(end)

    def start_answer(self, request: StartRequest, said: str) -> bytes:
        code = _CODES[said] if isinstance(said, End) else said
        gossip = f"CALL {request.payer.phone}"
        if self._is_guide:
            told = {"transactionId": request.reference, "responseCode": code, "responseDesc": gossip}
            return json.dumps(told).encode()
        return self._sealed(
            {
                "orderId": request.reference,
                "storeId": STORE,
                "transactionId": "4711",
                "paymentToken": "815",
                "paymentTokenExpiryDateTime": "24/11/2026 11:59 PM",
                "responseCode": code,
                "responseDesc": gossip,
            }
        )

    def inquiry_answer(self, request: StartRequest, said: str, *, money: Money | None = None) -> bytes:
        paisa = (money or request.money).amount_minor
        if self._is_guide:
            told = {
                "storeId": STORE,
                "transactionId": request.reference,
                "transactionStatus": _GUIDE_STATUSES[said] if isinstance(said, End) else said,
                "amount": paisa,
            }
            return json.dumps(told).encode()
        return self._sealed(
            {
                "orderId": request.reference,
                "accountNum": ACCOUNT_NUMBER,
                "storeId": STORE,
                "transactionStatus": _STATUSES[said] if isinstance(said, End) else said,
                "transactionAmount": json_number(paisa),
                "msisdn": request.payer.phone,
                "responseCode": "0000",
                "responseDesc": "SUCCESS",
                "errorReason": f"CALL {request.payer.phone}",
            }
        )

    def edited(self, answer: bytes, change: Edit) -> bytes:
        if self.signs_answers:
            return self._sealed(dict(change(json.loads(answer)["response"])))
        return super().edited(answer, change)

    def forged(self, answer: bytes) -> bytes:
        inner = json.loads(answer)["response"]
        return Signed(easy_paisa_account()).sealed(inner, forged=True).encode()

    def money_sent(self, sent: Seen | PostForm) -> Money:
        if not isinstance(sent, Seen):
            return _rupees(fields_of_form(sent)["amount"])
        fields = json.loads(sent.body)
        if self._is_guide:
            return Money.of(fields["amount"], "pkr")
        return _rupees(fields.get("request", fields)["transactionAmount"])

    def notice(self, request: StartRequest, said: str, *, money: Money | None = None) -> RawNotice:  # noqa: ARG002 (it names no amount)
        now = datetime.now(UTC)
        if self._is_guide:
            status = _GUIDE_STATUSES.get(End(said), said) if isinstance(said, End) else said
            told = {
                "transactionId": request.reference,
                "transactionStatus": status,
                "mobileNumber": request.payer.phone,
                "cnic": request.payer.cnic,
                "storePassword": STORE_PASSWORD,
            }
            return RawNotice(body=json.dumps(told).encode(), headers={}, received_at=now)
        query = urlencode({"url": f"{_IPN}/{ACCOUNT_NUMBER}/{request.reference}", "msisdn": request.payer.phone})
        return RawNotice(body=b"", headers={}, received_at=now, query=query)

    def _sealed(self, body: dict[str, object]) -> bytes:
        envelope = Signed(easy_paisa_account()) if self.signs_answers else Plain()
        return envelope.sealed(body, forged=False).encode()


def _rupees(text: str) -> Money:
    paisa = Decimal(text) * 100
    assert paisa == int(paisa), text
    return Money.of(int(paisa), "pkr")


EASY_PAISA_CASES = [
    *(EasyPaisaCase(dialect) for dialect in Dialect),
    EasyPaisaCase(Dialect.REST_V4, PaymentType.OVER_THE_COUNTER),
]
