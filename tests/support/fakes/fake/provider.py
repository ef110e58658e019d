"""The fake gateway as a provider: pushes once, signed notices, refunds with ids."""

import json
from datetime import timedelta
from typing import Any

from payproc.domain.settlement import RefundOutcome
from payproc.errors import InvalidRequest, Refusal, RequestRefused
from payproc.providers.answers import Outcome, StartResult
from payproc.providers.notices import ParsedNotice, RawNotice, VerifiedNotice
from payproc.providers.requests import (
    Operation,
    PayerDetail,
    PaymentRef,
    PreparedCall,
    RefundMode,
    RefundRequest,
    StartMode,
    StartRequest,
    StoredCall,
)
from payproc.providers.transport.http import Call, Http
from tests.support.fakes.fake import wire
from tests.support.fakes.fake.settings import FakeConfig


class FakeProvider:
    """Provider and Refunding (`payproc.providers.base`) over a gateway that lives in tests."""

    dialect = wire.DIALECT
    only_currency: str | None = None

    def __init__(self, config: FakeConfig, http: Http) -> None:
        self._config = config
        self._http = http
        self.live_mode = config.live_mode

    def check(self, request: StartRequest) -> None:
        if request.money.currency.code != "pkr":
            raise InvalidRequest("Fake takes PKR only.", code="currency_unsupported", field="currency")
        if PayerDetail.PHONE in self.asks_payer(request.dialect) and not request.payer.phone:
            raise InvalidRequest("Fake needs the customer's phone.", code="phone_missing", field="phone")

    def asks_payer(self, dialect: str) -> frozenset[PayerDetail]:  # noqa: ARG002 (there is one)
        return frozenset({PayerDetail.PHONE})

    def start_mode(self, dialect: str) -> StartMode:  # noqa: ARG002 (there is one)
        return StartMode.SINGLE_SHOT

    def prepare_start(self, request: StartRequest) -> PreparedCall:
        return PreparedCall(operation=Operation.START, parameters=wire.charge_parameters(request))

    def start(self, call: StoredCall) -> StartResult:
        if not call.payer.phone:
            raise RequestRefused("The phone is no longer kept.", refusal=Refusal.INPUT, code="phone_missing")
        answer = self._sent("charge", "/charges", {**call.parameters, "phone": call.payer.phone})
        return wire.start_result(answer, reference=call.parameters["reference"])

    def inquire(self, ref: PaymentRef) -> Outcome:
        return wire.inquiry_outcome(self._asked("inquiry", "/charges/status", {"reference": ref.reference}), ref)

    def can_inquire(self, ref: PaymentRef) -> bool:  # noqa: ARG002 (the interface's own shape)
        return True

    def poll_schedule(self, dialect: str) -> tuple[timedelta, ...]:  # noqa: ARG002 (there is one)
        return (timedelta(minutes=1),)

    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        return wire.verified(raw, self._config.key)

    def parse_stored(self, body: bytes) -> ParsedNotice:
        return wire.parse_stored(body)

    def refund_mode(self, dialect: str) -> RefundMode:  # noqa: ARG002 (there is one)
        return RefundMode.SINGLE_SHOT

    def prepare_refund(self, request: RefundRequest) -> PreparedCall:
        return PreparedCall(operation=Operation.REFUND, parameters=wire.refund_parameters(request))

    def refund(self, call: StoredCall) -> RefundOutcome:
        answer = self._sent("refund", "/refunds", call.parameters)
        return wire.refund_outcome(answer, refund_id=call.parameters["id"])

    def inquire_refund(self, request: RefundRequest) -> RefundOutcome:
        answer = self._asked("refund inquiry", "/refunds/status", {"id": request.refund_id})
        return wire.refund_outcome(answer, refund_id=request.refund_id)

    def _sent(self, operation: str, path: str, words: dict[str, Any]) -> dict[str, Any]:
        return self._http.ask(self._call(operation, path, words, reading=False)).fields

    def _asked(self, operation: str, path: str, words: dict[str, Any]) -> dict[str, Any]:
        return self._http.ask(self._call(operation, path, words, reading=True)).fields

    def _call(self, operation: str, path: str, words: dict[str, Any], *, reading: bool) -> Call:
        body = json.dumps(words).encode()
        return Call(
            operation=operation,
            url=self._config.base_url + path,
            patience=self._config.patience,
            raw_body=body,
            headers={"Content-Type": "application/json", wire.SIGNATURE: wire.signed(body, self._config.key)},
            reading=reading,
        )
