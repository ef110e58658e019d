"""The fake provider, broken in one way each: a contract that none of them breaks would be worth nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from payproc.domain.settlement import RefundOutcome, RefundVerdict
from payproc.errors import OutcomeUncertain
from payproc.providers.answers import Outcome, StartResult, Verdict
from payproc.providers.base import Provider
from payproc.providers.notices import RawNotice, VerifiedNotice
from payproc.providers.requests import PaymentRef, PreparedCall, RefundRequest, StartRequest, StoredCall
from tests.support.contract.fake_case import FakeCase
from tests.support.fakes.fake import wire
from tests.support.fakes.fake.provider import FakeProvider
from tests.support.fakes.fake.settings import FakeConfig


class Guesses(FakeProvider):
    def inquire(self, ref: PaymentRef) -> Outcome:
        outcome = super().inquire(ref)
        return replace(outcome, verdict=Verdict.DECLINED) if outcome.verdict is Verdict.UNKNOWN else outcome


class Rounds(FakeProvider):
    def prepare_start(self, request: StartRequest) -> PreparedCall:
        prepared = super().prepare_start(request)
        return replace(prepared, parameters=prepared.parameters | {"amount": request.money.amount_minor // 100 * 100})


class SendsAgain(FakeProvider):
    def start(self, call: StoredCall) -> StartResult:
        try:
            return super().start(call)
        except OutcomeUncertain:
            return super().start(call)


class BelievesEverybody(FakeProvider):
    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        return wire.believed(raw)


class KeepsEverything(FakeProvider):
    def verify_notice(self, raw: RawNotice) -> VerifiedNotice:
        return replace(super().verify_notice(raw), redacted=raw.body)


class StoresThePhone(FakeProvider):
    def prepare_start(self, request: StartRequest) -> PreparedCall:
        prepared = super().prepare_start(request)
        return replace(prepared, parameters=prepared.parameters | {"phone": request.payer.phone})


class Boasts(FakeProvider):
    def inquire_refund(self, request: RefundRequest) -> RefundOutcome:  # noqa: ARG002 (it does not look)
        return RefundOutcome(verdict=RefundVerdict.SUCCEEDED)


class AsksWhilePlanning(FakeProvider):
    def prepare_start(self, request: StartRequest) -> PreparedCall:
        self._asked("inquiry", "/charges/status", {"reference": request.reference})
        return super().prepare_start(request)


class ShowsItsKey(FakeProvider):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self._config.key})"


class BrokenCase(FakeCase):
    def __init__(self, broken: type[FakeProvider]) -> None:
        self._broken = broken

    def __str__(self) -> str:
        return self._broken.__name__

    def made(self, config: FakeConfig) -> Provider:
        return self._broken(config, self.http())


@contextmanager
def found_out() -> Iterator[None]:
    """Hold a broken provider to a promise, and see that it does not stand."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        yield
