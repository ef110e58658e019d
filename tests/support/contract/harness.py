"""One case between its two ends: the provider on one side, its gateway played or scripted on the other."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property

import requests

from payproc.domain.ids import Prefix, new_id
from payproc.domain.money import Money
from payproc.domain.settlement import RefundOutcome
from payproc.errors import PayprocError
from payproc.providers.answers import Outcome, PostForm, StartResult, Verdict
from payproc.providers.base import FindingStarts, PostingForms, Provider, Refunding
from payproc.providers.notices import Hint, Ignored, Notice, ParsedNotice, Proven, RawNotice
from payproc.providers.requests import PaymentRef, PreparedCall, RefundRequest, StartMode, StartRequest, StoredCall
from tests.support.contract.case import PATIENCE, Begun, Case, End, Operation
from tests.support.contract.played import Played
from tests.support.contract.scripted import Failure, ScriptedGateway, Seen

# Where nobody will answer.
_SOON = timedelta(seconds=0.1)


class Harness:
    """No dataclass: hypothesis writes out whatever a dataclass holds, and here that is the whole simulator."""

    def __init__(self, case: Case, *, played: Played, script: ScriptedGateway) -> None:
        self.case = case
        self.played = played
        self.script = script

    def __repr__(self) -> str:
        return f"Harness({self.case})"

    @cached_property
    def provider(self) -> Provider:
        """The provider, with its gateway played by the simulator."""
        return self.case.provider(self.case.gateway_url(self.played), notify_url=self.played.listener.url)

    @cached_property
    def scripted(self) -> Provider:
        """The provider, with its gateway answering what the test says."""
        return self.case.provider(self.script.url)

    # --- At the played gateway

    def begin(self, end: End = End.PAID) -> Begun:
        """Bring a payment to the gateway, whose payer will do this."""
        request = self.case.known(self.provider, self.case.request(end))
        if self.case.mode is StartMode.FORM_POST:
            form = form_of(self.provider, request)
            assert post(form).status_code == 303
            return Begun(request=request, ref=self.case.ref(request), form=form)
        call = self.call(request)
        result = self.provider.start(call)
        ref = self.case.ref(request, references=result.references)
        return Begun(request=request, ref=ref, call=call, outcome=result.outcome)

    def ended(self, end: End) -> Begun:
        """Bring a payment to the gateway and to this end."""
        begun = self.begin(end)
        self.case.bring_about(self.played, begun, end)
        return begun

    def paid(self) -> Begun:
        """Bring a payment to the gateway, have it paid, and learn the ids that the gateway then has of it."""
        begun = self.ended(End.PAID)
        references = {**begun.ref.references, **self.inquire(begun).references}
        return replace(begun, ref=replace(begun.ref, references=references))

    def call(self, request: StartRequest) -> StoredCall:
        return _stored(self.provider.prepare_start(request), request)

    def inquire(self, begun: Begun) -> Outcome:
        return self.provider.inquire(begun.ref)

    def debits(self, begun: Begun) -> int:
        return self.case.debits(self.played, begun)

    def refunded(self, begun: Begun) -> int:
        return self.case.refunded(self.played, begun)

    def lose_answers(self, operation: Operation, *, times: int = 1) -> None:
        self.case.lose_answers(self.played, operation, times=times)

    def told_paid(self, begun: Begun) -> RawNotice:
        """The delivery that told of the payment: the one that proves it, or a hint where nothing is proven."""
        return self.case.delivery(self.played, begun, self._tells_of_it)

    def _tells_of_it(self, raw: RawNotice) -> bool:
        reading = read_notice(self.provider, raw)
        if isinstance(reading, Hint):
            return True
        return isinstance(reading, Notice) and reading.outcome.verdict is Verdict.PAID

    def answer_of(self, raw: RawNotice) -> Mapping[str, str] | None:
        """What the gateway hears of a delivery; None stands for our usual words."""
        verified = self.provider.verify_notice(raw).notice
        return verified.answer if isinstance(verified, Proven | Hint) else None

    # --- At the scripted gateway

    def start_answered(self, said: str) -> StartResult:
        request = self.case.request()
        self.script.says(self.case.start_answer(request, said))
        return self.scripted.start(self.call(request))

    def inquiry_answered(self, said: str, *, money: Money | None = None) -> Outcome:
        request = self.case.request()
        self.script.says(self.case.inquiry_answer(request, said, money=money))
        return self.scripted.inquire(self.case.ref(request))

    def failing(self, failure: Failure) -> Provider:
        """The provider, with a gateway that fails like this."""
        patience = _SOON if failure is Failure.SILENCE else PATIENCE
        return self.case.provider(self.script.failing(failure), patience=patience)

    def sent(self, request: StartRequest) -> Seen | PostForm:
        """What leaves the building to begin a payment: our call as it came, or the browser's form."""
        if self.case.mode is StartMode.FORM_POST:
            return form_of(self.scripted, request)
        self.script.says(self.case.start_answer(request, End.PENDING))
        self.scripted.start(self.call(request))
        return self.script.seen[-1]

    # --- Refunds

    @property
    def finding(self) -> FindingStarts:
        provider = self.provider
        assert isinstance(provider, FindingStarts)
        return provider

    @property
    def refunding(self) -> Refunding:
        return as_refunding(self.provider)

    def refund_request(self, begun: Begun, amount_minor: int) -> RefundRequest:
        return RefundRequest(
            refund_id=new_id(Prefix.REFUND),
            payment=begun.ref,
            money=self.case.money(amount_minor),
        )

    def refund(self, request: RefundRequest) -> RefundOutcome:
        return self.refunding.refund(self.refund_call(request))

    def refund_call(self, request: RefundRequest) -> StoredCall:
        prepared = self.refunding.prepare_refund(request)
        return StoredCall(
            parameters=prepared.parameters,
            idempotency_key=request.refund_id,
            first_sent_at=request.payment.created_at,
            dialect=request.payment.dialect,
        )


def _stored(prepared: PreparedCall, request: StartRequest) -> StoredCall:
    return StoredCall(
        # As PostgreSQL hands them back: the order of their names is not kept.
        parameters=json.loads(json.dumps(prepared.parameters, sort_keys=True)),
        idempotency_key=f"start of {request.payment_id}",
        first_sent_at=request.created_at,
        dialect=request.dialect,
        payer=request.payer,
    )


def form_of(provider: Provider, request: StartRequest) -> PostForm:
    assert isinstance(provider, PostingForms)
    return provider.form(request)


def as_refunding(provider: Provider) -> Refunding:
    assert isinstance(provider, Refunding)
    return provider


def post(form: PostForm) -> requests.Response:
    """Do what a browser does with a form, up to the gateway's own page."""
    return requests.post(form.url, data=dict(form.fields), timeout=5, allow_redirects=False)


def overdue(ref: PaymentRef) -> PaymentRef:
    return replace(ref, overdue=True)


def read_notice(provider: Provider, raw: RawNotice) -> ParsedNotice | Hint:
    """What a delivery says on its whole way: a hint at once, anything proven from what may be kept of it."""
    verified = provider.verify_notice(raw)
    if isinstance(verified.notice, Hint | Ignored):
        return verified.notice
    try:
        read = provider.parse_stored(verified.redacted)
    except PayprocError as unreadable:
        # By then the provider has been told that it arrived.
        raise AssertionError("a delivery was accepted that cannot be read") from unreadable
    assert not isinstance(read, Ignored), "a delivery was accepted that is ignored when it is read"
    assert (verified.notice.key, verified.notice.kind) == (read.key, read.kind)
    return read
