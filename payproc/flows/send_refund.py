"""Carry refunds to their provider: attempt, call, outcome. In doubt, ask; never send one twice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import CallState, Payment, Refund, ReviewKind
from payproc.domain.provenance import Provenance, Source
from payproc.domain.settlement import RefundOutcome, RefundVerdict, RemoteRefund
from payproc.domain.states import REFUND_OPEN, RefundFact, RefundStatus
from payproc.errors import OperationNotSupported, OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.flows.provider_requests import payment_ref, refund_mode_of
from payproc.providers.base import Provider, Refunding, ShowingRefunds
from payproc.providers.requests import Operation, RefundMode, RefundRequest
from payproc.records import provider_calls, refunded, refunds, remote_refunds
from payproc.records.provider_calls import Attempt
from payproc.records.reviews import open_review

# A gateway without an id for refunds tells little: a person knows sooner than an eleventh answer would.
_ASK_SINGLE_SHOT = (timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
# One with ids knows each, and a bank may take a month: asked daily, beside the webhook that usually tells.
_ASK_IDEMPOTENT = (timedelta(seconds=10), timedelta(minutes=10), timedelta(hours=1), *[timedelta(days=1)] * 45)


# What others must mend is none of these: such a refund waits.
_ENDS_REFUND = (
    Refusal.INPUT,
    Refusal.CUSTOMER_GONE,
    Refusal.BUG,
    Refusal.GIVEN_BACK,
    Refusal.CHARGED_BACK,
)


@dataclass(frozen=True, kw_only=True)
class RefundCall:
    """What a refund is sent or inquired about with."""

    provider: Refunding
    request: RefundRequest
    mode: RefundMode


def send_refund(app: Application, job: jobs.Claimed) -> None:
    """Run a `refund.send` job.

    Raises ProviderUnavailable, after which it is tried again: it was surely not sent.
    """
    prepared = _record_refund_attempt(app, job)
    if prepared is None:
        return
    call, attempt = prepared
    if not attempt.fresh and not _may_repeat(call, attempt, job):
        # An earlier run wrote this call down and did not live to tell whether it was sent.
        _leave_refund_in_doubt(app, job, call)
        return
    jobs.check_held(job)
    try:
        outcome = call.provider.refund(attempt.call)
    except OutcomeUncertain:
        _leave_refund_in_doubt(app, job, call)
    except ProviderUnavailable as unavailable:
        if call.mode is RefundMode.SINGLE_SHOT:
            # A call under a key stays as it is: the client library may have sent it twice, and only the second sending
            # surely did not arrive.
            with app.database.transaction() as session:
                provider_calls.record_refusal(session, attempt, f"not sent: {unavailable.message}")
        raise
    except RequestRefused as refused:
        _refuse_refund(app, job, call, attempt, refused)
    else:
        with app.database.transaction() as session:
            provider_calls.record_answer(session, attempt, outcome.provider_id or outcome.verdict)
            provenance = Provenance(source=Source.API, evidence=attempt.id)
            _apply_refund_outcome(session, job, call, outcome, provenance=provenance, asked=0)


def _may_repeat(call: RefundCall, attempt: Attempt, job: jobs.Claimed) -> bool:
    # The provider was asked and has no such refund, and it still knows the key: the same parameters make it once.
    looked = bool(job.payload.get("looked"))
    return looked and call.mode is RefundMode.IDEMPOTENT and not attempt.key_may_be_forgotten


def inquire_refund(app: Application, job: jobs.Claimed) -> None:
    """Run a `refund.inquire` job.

    Raises ProviderUnavailable. Running out of questions never fails a refund: then a person is asked.
    """
    with app.database.transaction() as session:
        refund = session.get_one(Refund, job.subject)
        if refund.status not in REFUND_OPEN:
            jobs.finish(session, job)
            return
        call = _refund_call(app, session, refund)
    outcome = call.provider.inquire_refund(call.request)
    with app.database.transaction() as session:
        provenance = Provenance(source=Source.POLL, evidence=job.id)
        _apply_refund_outcome(session, job, call, outcome, provenance=provenance, asked=job.payload.get("asked", 0) + 1)


def _record_refund_attempt(app: Application, job: jobs.Claimed) -> tuple[RefundCall, Attempt] | None:
    with app.database.transaction() as session:
        refund, payment = refunds.locked(session, job.subject)
        if refund.status is not RefundStatus.PENDING:
            jobs.finish(session, job)
            return None
        if refund_mode_of(app, payment) is RefundMode.MANUAL:
            refunds.hand_over(session, refund.id, provenance=Provenance(source=Source.API, evidence=job.id))
            jobs.finish(session, job)
            return None
        call = _refund_call(app, session, refund)
        attempt = provider_calls.record_attempt(
            session,
            Operation.REFUND,
            refund.id,
            job=job,
            payment=payment,
            prepare=lambda: call.provider.prepare_refund(call.request),
        )
        return call, attempt


def _refund_call(app: Application, session: Session, refund: Refund) -> RefundCall:
    payment = session.get_one(Payment, refund.payment_id)
    request = RefundRequest(
        refund_id=refund.id,
        payment=payment_ref(payment),
        money=refund.money,
        provider_id=refund.provider_refund_id,
    )
    provider = _refunding(app.provider_of(payment), payment)
    return RefundCall(provider=provider, request=request, mode=provider.refund_mode(payment.dialect))


def _refunding(provider: Provider, payment: Payment) -> Refunding:
    if not isinstance(provider, Refunding):
        raise OperationNotSupported(f"{payment.payment_method} gives nothing back by a call.", subject=payment.id)
    return provider


def _leave_refund_in_doubt(app: Application, job: jobs.Claimed, call: RefundCall) -> None:
    with app.database.transaction() as session:
        _inquire_later(session, job, call, asked=0)


def _refuse_refund(
    app: Application, job: jobs.Claimed, call: RefundCall, attempt: Attempt, refused: RequestRefused
) -> None:
    """Close a call that was not carried out; whether the customer lacks the money is a second question."""
    shown: tuple[RemoteRefund, ...] = ()
    if refused.refusal is Refusal.GIVEN_BACK and isinstance(call.provider, ShowingRefunds):
        shown = call.provider.refunds_of(call.request.payment)
    with app.database.transaction() as session:
        refund, payment = refunds.locked(session, job.subject)
        # A single shot was sent once, so that whatever is said is said of it.
        if call.mode is RefundMode.SINGLE_SHOT or refused.settles_call(sent_before=not attempt.fresh):
            provider_calls.record_refusal(session, attempt, refused.message)
        if refused.refusal in _ENDS_REFUND:
            provenance = Provenance(source=Source.API, evidence=attempt.id)
            for remote in shown:
                remote_refunds.record_remote(session, payment, remote, provenance=provenance)
            fact = _fact_of_refusal(session, payment, refused.refusal)
            refunds.apply_fact(
                session, refund.id, fact, provenance=provenance, code=refused.code, message=refused.message
            )
            jobs.finish(session, job)
            return
    raise refused


def _fact_of_refusal(session: Session, payment: Payment, refusal: Refusal) -> RefundFact:
    match refusal:
        case Refusal.CHARGED_BACK:
            return RefundFact.SUPERSEDED
        case Refusal.GIVEN_BACK if refunded.exceeds(session, payment):
            # Ours is still among what is held: what the others gave leaves no room for it.
            return RefundFact.SUPERSEDED
        case _:
            return RefundFact.FAILED


def _apply_refund_outcome(
    session: Session, job: jobs.Claimed, call: RefundCall, outcome: RefundOutcome, *, provenance: Provenance, asked: int
) -> None:
    refund = refunds.apply_outcome(session, job.subject, outcome, provenance=provenance)
    if refund.status not in REFUND_OPEN:
        jobs.finish(session, job)
        return
    unanswered = provider_calls.state_of(session, Operation.REFUND, refund.id) is CallState.SENT
    if outcome.verdict is RefundVerdict.NOT_FOUND and unanswered:
        _send_refund_again(session, job)
    else:
        _inquire_later(session, job, call, asked=asked)


def _send_refund_again(session: Session, job: jobs.Claimed) -> None:
    jobs.finish(session, job)
    refund = session.get_one(Refund, job.subject)
    payment = session.get_one(Payment, refund.payment_id)
    if not provider_calls.is_repeatable(session, Operation.REFUND, refund.id):
        _ask_person_about_refund(session, refund, payment)
        return
    jobs.stage(session, jobs.Kind.SEND_REFUND, refund.id, method=payment.payment_method, payload={"looked": True})


def _inquire_later(session: Session, job: jobs.Claimed, call: RefundCall, *, asked: int) -> None:
    jobs.finish(session, job)
    refund = session.get_one(Refund, job.subject)
    payment = session.get_one(Payment, refund.payment_id)
    schedule = _ASK_IDEMPOTENT if call.mode is RefundMode.IDEMPOTENT else _ASK_SINGLE_SHOT
    if asked >= len(schedule):
        _ask_person_about_refund(session, refund, payment)
        return
    jobs.stage(
        session,
        jobs.Kind.INQUIRE_REFUND,
        refund.id,
        method=payment.payment_method,
        due_at=datetime.now(UTC) + schedule[asked],
        payload={"asked": asked},
    )


def _ask_person_about_refund(session: Session, refund: Refund, payment: Payment) -> None:
    open_review(
        session,
        ReviewKind.REFUND_UNSETTLED,
        refund.id,
        payment_id=payment.id,
        detail=(
            f"Nobody knows whether refund {refund.id} of {payment.reference} was carried out: look it up in the "
            f"portal of {payment.payment_method}, then resolve this with --as refunded or not_refunded."
        ),
    )
