"""Carry refunds to their provider: intent, call, outcome. In doubt, ask; never send one twice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from sqlalchemy.orm import Session

from payproc import calls, jobs, refunds
from payproc.application import Application
from payproc.calls import Intent
from payproc.errors import OperationNotSupported, OutcomeUncertain, ProviderUnavailable, RequestRefused
from payproc.models import Payment, Refund, ReviewKind, Source
from payproc.money import Money
from payproc.payments import Told
from payproc.provider_words import payment_ref
from payproc.providers.base import Operation, Provider, Refunding, RefundOutcome, RefundRequest, RefundVerdict
from payproc.reviews import open_review
from payproc.states import RefundStatus

# A gateway without an id for refunds tells little: a person knows sooner than an eleventh answer would.
_ASK_AGAIN_AFTER = (timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))


@dataclass(frozen=True, kw_only=True)
class _Errand:
    provider: Refunding
    request: RefundRequest


def send_refund(app: Application, job: jobs.Begun) -> None:
    """Run a `refund.send` job.

    Raises ProviderUnavailable, after which it is tried again: it was surely not sent.
    """
    errand, intent = _intend(app, job)
    if intent is None:
        return
    if not intent.fresh:
        # An earlier run wrote this call down and did not live to tell whether it was sent.
        _leave_in_doubt(app, job)
        return
    try:
        outcome = errand.provider.refund(intent.call)
    except OutcomeUncertain:
        _leave_in_doubt(app, job)
    except ProviderUnavailable as unavailable:
        with app.database.transaction() as session:
            calls.record_refusal(session, intent, f"not sent: {unavailable.message}")
        raise
    except RequestRefused as refused:
        _refuse(app, job, intent, refused)
    else:
        with app.database.transaction() as session:
            calls.record_answer(session, intent, outcome.verdict)
            _apply(session, job, outcome, told=Told(source=Source.API, evidence=intent.id), asked=0)


def inquire_refund(app: Application, job: jobs.Begun) -> None:
    """Run a `refund.inquire` job.

    Raises ProviderUnavailable. Running out of questions never fails a refund: then a person is asked.
    """
    with app.database.transaction() as session:
        refund = session.get_one(Refund, job.subject)
        if refund.status not in refunds.IN_FLIGHT:
            jobs.finish(session, job)
            return
        errand = _errand(app, session, refund)
    outcome = errand.provider.inquire_refund(errand.request)
    with app.database.transaction() as session:
        told = Told(source=Source.POLL, evidence=job.id)
        _apply(session, job, outcome, told=told, asked=job.payload.get("asked", 0) + 1)


def _intend(app: Application, job: jobs.Begun) -> tuple[_Errand, Intent | None]:
    with app.database.transaction() as session:
        refund = session.get_one(Refund, job.subject, with_for_update=True)
        errand = _errand(app, session, refund)
        if refund.status not in refunds.IN_FLIGHT:
            jobs.finish(session, job)
            return errand, None
        payment = session.get_one(Payment, refund.payment_id)
        intent = calls.intend(
            session,
            Operation.REFUND,
            refund.id,
            provider=payment.payment_method,
            environment=payment.environment,
            dialect=payment.dialect,
            plan=lambda: errand.provider.plan_refund(errand.request),
        )
        return errand, intent


def _errand(app: Application, session: Session, refund: Refund) -> _Errand:
    payment = session.get_one(Payment, refund.payment_id)
    request = RefundRequest(
        refund_id=refund.id,
        payment=payment_ref(payment),
        money=Money.of(refund.amount_minor, refund.currency),
        already=refunds.given_back(session, payment),
    )
    return _Errand(provider=_refunding(app.provider_of(payment), payment), request=request)


def _refunding(provider: Provider, payment: Payment) -> Refunding:
    if not isinstance(provider, Refunding):
        raise OperationNotSupported(f"{payment.payment_method} gives nothing back by a call.", subject=payment.id)
    return provider


def _leave_in_doubt(app: Application, job: jobs.Begun) -> None:
    with app.database.transaction() as session:
        _ask_later(session, job, asked=0)


def _refuse(app: Application, job: jobs.Begun, intent: Intent, refused: RequestRefused) -> None:
    with app.database.transaction() as session:
        if refused.refusal.settles_call:
            calls.record_refusal(session, intent, refused.message)
            told = Told(source=Source.API, evidence=intent.id)
            refunds.settle(
                session, job.subject, RefundStatus.FAILED, told=told, code=refused.code, message=refused.message
            )
            jobs.finish(session, job)
            return
    raise refused


def _apply(session: Session, job: jobs.Begun, outcome: RefundOutcome, *, told: Told, asked: int) -> None:
    match outcome.verdict:
        case RefundVerdict.SUCCEEDED:
            refunds.settle(session, job.subject, RefundStatus.SUCCEEDED, told=told)
        case RefundVerdict.FAILED:
            code, message = outcome.failure_code, outcome.failure_message
            refunds.settle(session, job.subject, RefundStatus.FAILED, told=told, code=code, message=message)
        case RefundVerdict.CANCELLED:
            refunds.settle(session, job.subject, RefundStatus.CANCELLED, told=told)
        case RefundVerdict.PENDING | RefundVerdict.UNKNOWN | RefundVerdict.NOT_FOUND:
            _ask_later(session, job, asked=asked)
            return
        case _:
            assert_never(outcome.verdict)
    jobs.finish(session, job)


def _ask_later(session: Session, job: jobs.Begun, *, asked: int) -> None:
    jobs.finish(session, job)
    refund = session.get_one(Refund, job.subject)
    payment = session.get_one(Payment, refund.payment_id)
    if asked >= len(_ASK_AGAIN_AFTER):
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
        return
    jobs.stage(
        session,
        jobs.Kind.INQUIRE_REFUND,
        refund.id,
        method=payment.payment_method,
        due_at=datetime.now(UTC) + _ASK_AGAIN_AFTER[asked],
        payload={"asked": asked},
    )
