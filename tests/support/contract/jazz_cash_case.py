"""JazzCash in each of its dialects."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from payproc.domain.money import Money
from payproc.providers.answers import PostForm
from payproc.providers.base import Provider
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.jazz_cash.endpoints import Preset, endpoints_of
from payproc.providers.jazz_cash.provider import JazzCashProvider
from payproc.providers.jazz_cash.settings import Dialect, JazzCashConfig
from payproc.providers.notices import RawNotice
from payproc.providers.requests import StartMode, StartRequest
from sandbox.jazzcash.secure_hash import FIELD, signed
from tests.support.contract.case import Edit, End, Operation, fields_of_form
from tests.support.contract.played import MERCHANT, MERCHANT_PASSWORD, MPIN, RETURN_URL, SALT
from tests.support.contract.scripted import Seen
from tests.support.contract.wallet_case import WalletCase

_CODES = {End.PAID: "000", End.DECLINED: "095", End.PENDING: "157", End.REVERSED: "122"}
# Paid is another code once the gateway is asked.
_CODES_WHEN_ASKED = _CODES | {End.PAID: "121"}


class JazzCashCase(WalletCase):
    method = JAZZ_CASH
    folder = "jazzcash"
    operations: ClassVar = {Operation.START: "jazzcash push", Operation.REFUND: "jazzcash refund"}
    # 121 is the inquiry's word for paid and not the push's. Of 999 and 199 the gateway itself is not sure.
    strange_to_start = ("777", "121", "999", "199", "paid")
    strange_to_inquiry = ("777", "999", "199", "paid")

    def __init__(self, dialect: Dialect) -> None:
        by_call = dialect in (Dialect.MWALLET_1_1, Dialect.MWALLET_2_0)
        super().__init__(dialect.value, mode=StartMode.SINGLE_SHOT if by_call else StartMode.FORM_POST)
        self._is_guide = dialect is Dialect.GUIDE
        self.signs_notices = self.signs_answers = not self._is_guide
        self.refunds = by_call

    @property
    def secrets(self) -> tuple[str, ...]:
        return MERCHANT_PASSWORD, SALT, MPIN

    def config(self, base_url: str, *, patience: timedelta, notify_url: str) -> JazzCashConfig:
        return JazzCashConfig(
            dialect=Dialect(self.dialect),
            merchant_id=MERCHANT,
            password=MERCHANT_PASSWORD,
            integrity_salt=SALT,
            merchant_mpin=MPIN,
            endpoints=endpoints_of(Preset.CLASSIC, live=False, base_url=base_url),
            return_url=RETURN_URL,
            notify_url=notify_url,
            live_mode=False,
            push_timeout=patience,
            read_timeout=patience,
        )

    def made(self, config: JazzCashConfig) -> Provider:
        return JazzCashProvider(config, self.http())

    def start_answer(self, request: StartRequest, said: str) -> bytes:
        code = _CODES[said] if isinstance(said, End) else said
        return json.dumps(signed(self._about(request, code) | {"pp_MobileNumber": request.payer.phone}, SALT)).encode()

    def inquiry_answer(self, request: StartRequest, said: str, *, money: Money | None = None) -> bytes:
        code = _CODES_WHEN_ASKED[said] if isinstance(said, End) else said
        amount = str((money or request.money).amount_minor)
        if self._is_guide:
            told = {"pp_txn_id": request.reference, "pp_response_code": code, "pp_amount": amount}
            return json.dumps(told).encode()
        told = {
            "pp_ResponseCode": "000",
            "pp_PaymentResponseCode": code,
            "pp_PaymentResponseMessage": f"Asked of {request.payer.phone}",
            "pp_TxnRefNo": request.reference,
            "pp_Amount": amount,
        }
        return json.dumps(signed(told, SALT)).encode()

    def edited(self, answer: bytes, change: Edit) -> bytes:
        fields = change(json.loads(answer))
        return json.dumps(signed(fields, SALT) if self.signs_answers else fields).encode()

    def forged(self, answer: bytes) -> bytes:
        return json.dumps(_signed_by_another(json.loads(answer))).encode()

    def money_sent(self, sent: Seen | PostForm) -> Money:
        fields = json.loads(sent.body) if isinstance(sent, Seen) else fields_of_form(sent)
        return Money.of(int(fields["pp_amount" if self._is_guide else "pp_Amount"]), "pkr")

    def notice(self, request: StartRequest, said: str, *, money: Money | None = None) -> RawNotice:
        code = _CODES[said] if isinstance(said, End) else said
        if self._is_guide:
            told = {
                "pp_txn_id": request.reference,
                "pp_response_code": code,
                "pp_amount": str((money or request.money).amount_minor),
                "pp_password": MERCHANT_PASSWORD,
                "msisdn": request.payer.phone,
                "cnic": request.payer.cnic,
            }
            return _delivered(json.dumps(told).encode())
        # The form with which the browser returns: of the two kinds it is the one that names an amount.
        told = self._about(request, code, money=money) | {"ppmpf_1": request.payer.phone, "ppmpf_2": request.payer.cnic}
        return _delivered(urlencode(signed(told, SALT)).encode())

    def badly_signed(self, raw: RawNotice) -> list[RawNotice]:
        changes: list[Edit] = [
            lambda fields: {name: value for name, value in fields.items() if name != FIELD},
            lambda fields: fields | {FIELD: ""},
            _signed_by_another,
        ]
        return [_changed(raw, change) for change in changes]

    def of_another_amount(self, raw: RawNotice) -> RawNotice:
        return _changed(raw, lambda fields: fields | {"pp_Amount": "100"})

    def _about(self, request: StartRequest, code: str, *, money: Money | None = None) -> dict[str, str | None]:
        return {
            "pp_Amount": str((money or request.money).amount_minor),
            "pp_MerchantID": MERCHANT,
            "pp_ResponseCode": code,
            "pp_ResponseMessage": f"The customer is {request.payer.phone}",
            "pp_RetreivalReferenceNo": "260901000007",
            "pp_TxnCurrency": "PKR",
            "pp_TxnRefNo": request.reference,
            "pp_TxnType": "MWALLET",
            "pp_Version": "1.1",
        }


def _signed_by_another(fields: dict[str, Any]) -> dict[str, object]:
    return signed(fields, "anothersalt")


def _changed(raw: RawNotice, change: Edit) -> RawNotice:
    if raw.body.startswith(b"{"):
        return replace(raw, body=json.dumps(change(json.loads(raw.body))).encode())
    fields = dict(parse_qsl(raw.body.decode(), keep_blank_values=True))
    return replace(raw, body=urlencode(change(fields)).encode())


def _delivered(body: bytes) -> RawNotice:
    return RawNotice(body=body, headers={}, received_at=datetime.now(UTC))


JAZZ_CASH_CASES = [JazzCashCase(dialect) for dialect in Dialect]
