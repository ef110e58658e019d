"""The provider that lives in tests: if it keeps the contract, the contract is the interface and not three vendors."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from payproc.domain.money import Money
from payproc.providers.answers import PostForm
from payproc.providers.base import Provider
from payproc.providers.notices import RawNotice
from payproc.providers.requests import StartMode, StartRequest
from tests.support.contract.case import Begun, Case, End, Operation
from tests.support.contract.played import Played
from tests.support.contract.scripted import Seen
from tests.support.fakes.fake.provider import FakeProvider
from tests.support.fakes.fake.settings import FAKE, FakeConfig
from tests.support.fakes.gateway import KEY, Json, signed_notice

_SIGNATURE = "fake-signature"


class FakeCase(Case):
    method = FAKE
    dialect = "plain"
    mode = StartMode.SINGLE_SHOT
    signs_notices = True
    refunds = True
    strange_to_start = ("settled", "PAID", "ok")
    strange_to_inquiry = ("settled", "PAID", "ok")

    @property
    def secrets(self) -> tuple[str, ...]:
        return (KEY,)

    def config(self, base_url: str, *, patience: timedelta, notify_url: str) -> FakeConfig:  # noqa: ARG002 (it is told elsewhere)
        return FakeConfig(base_url=base_url, key=KEY, patience=patience)

    def made(self, config: FakeConfig) -> Provider:
        return FakeProvider(config, self.http())

    def gateway_url(self, played: Played) -> str:
        return played.fake.url

    def bring_about(self, played: Played, begun: Begun, end: End) -> list[RawNotice]:
        if end is End.REVERSED:
            played.fake.become(begun.request.reference, "reversed")
        return []

    def debits(self, played: Played, begun: Begun) -> int:
        return played.fake.charges[begun.request.reference].debits

    def refunded(self, played: Played, begun: Begun) -> int:
        return played.fake.charges[begun.request.reference].refunded

    def lose_answers(self, played: Played, operation: Operation, *, times: int) -> None:  # noqa: ARG002 (whichever comes)
        played.fake.loses_answers = times

    def delivery(self, played: Played, begun: Begun, wanted: Callable[[RawNotice], bool]) -> RawNotice:
        body, headers = played.fake.notice(begun.request.reference)
        raw = RawNotice(body=body, headers=headers, received_at=datetime.now(UTC))
        assert wanted(raw)
        return raw

    def start_answer(self, request: StartRequest, said: str) -> bytes:
        return json.dumps(_told(request, said, request.money)).encode()

    def inquiry_answer(self, request: StartRequest, said: str, *, money: Money | None = None) -> bytes:
        return json.dumps(_told(request, said, money or request.money)).encode()

    def money_sent(self, sent: Seen | PostForm) -> Money:
        assert isinstance(sent, Seen)
        fields = json.loads(sent.body)
        return Money.of(fields["amount"], fields["currency"])

    def notice(self, request: StartRequest, said: str, *, money: Money | None = None) -> RawNotice:
        told = _told(request, said, money or request.money)
        key = f"ntc_{request.reference}_{said}_{told['amount']}"
        gossip = {"id": key, "phone": request.payer.phone, "cnic": request.payer.cnic, "key": KEY}
        body, headers = signed_notice(told | gossip)
        return RawNotice(body=body, headers=headers, received_at=datetime.now(UTC))

    def badly_signed(self, raw: RawNotice) -> list[RawNotice]:
        _, others = signed_notice(json.loads(raw.body), key="another-key")
        return [replace(raw, headers={}), replace(raw, headers={_SIGNATURE: ""}), replace(raw, headers=others)]

    def of_another_amount(self, raw: RawNotice) -> RawNotice:
        return replace(raw, body=json.dumps(json.loads(raw.body) | {"amount": 100}).encode())


def _told(request: StartRequest, said: str, money: Money) -> Json:
    return {
        "reference": request.reference,
        "status": str(said),
        "amount": money.amount_minor,
        "currency": money.currency.code,
    }
