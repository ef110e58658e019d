"""Call an open payment off. The provider has the last word: it may have been paid in the meantime."""

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import CallState, Payment, User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import OPEN, TERMINAL, Fact
from payproc.errors import Conflict, OperationNotSupported, ProviderUnavailable
from payproc.flows.provider_requests import payment_ref
from payproc.providers.base import Cancelling
from payproc.providers.requests import Operation
from payproc.records import outcomes, payments, provider_calls
from payproc.records.identity.permissions import Act
from payproc.records.provider_calls import Attempt


def cancel_payment(app: Application, job: jobs.Claimed) -> None:
    """Run a `payment.cancel` job.

    Raises ProviderUnavailable or OutcomeUncertain, and RequestRefused for what an operator must mend.
    """
    with app.database.transaction() as session:
        payment = session.get_one(Payment, job.subject)
        provider = app.provider_of(payment)
    if not isinstance(provider, Cancelling):
        raise OperationNotSupported(f"{payment.payment_method} payments cannot be called off.", subject=job.subject)
    attempt = _record_cancel_attempt(app, job, provider)
    if attempt is None:
        return
    jobs.check_held(job)
    outcome = provider.cancel(attempt.call)
    with app.database.transaction() as session:
        provider_calls.record_answer(session, attempt, outcome.verdict)
        outcomes.apply_outcome(
            session, job.subject, outcome, provenance=Provenance(source=Source.API, evidence=attempt.id)
        )
        jobs.finish(session, job)


def _record_cancel_attempt(app: Application, job: jobs.Claimed, provider: Cancelling) -> Attempt | None:
    with app.database.transaction() as session:
        payment = payments.locked(session, job.subject)
        if payment.status not in OPEN:
            jobs.finish(session, job)
            return None
        match provider_calls.state_of(session, Operation.START, payment.id):
            case CallState.SENT:
                # A session may exist that we have not heard of: cancelling now would leave it payable.
                raise ProviderUnavailable("The start is still on its way.", subject=payment.id)
            case None | CallState.REFUSED:
                provenance = Provenance(source=Source.API, evidence=job.id)
                payments.apply_fact(session, payment.id, Fact.CANCELLED, provenance=provenance)
                jobs.finish(session, job)
                return None
            case CallState.ANSWERED:
                return provider_calls.record_attempt(
                    session,
                    Operation.CANCEL,
                    payment.id,
                    job=job,
                    payment=payment,
                    prepare=lambda: provider.prepare_cancel(payment_ref(payment)),
                )


def request_cancel(app: Application, session: Session, payment_id: str, *, user: User) -> Payment:
    """Stage the cancellation of an open payment; it may turn out to have been paid.

    Raises NotFound, NotAllowed, or Conflict when the payment has ended or its provider calls nothing off.
    """
    payment = payments.payment_for(session, Act.CANCEL_PAYMENT, payment_id, user=user)
    if payment.status in TERMINAL:
        raise Conflict(
            f"Payment {payment.id} is {payment.status}; only an open payment can be cancelled.",
            code="payment_ended",
            subject=payment.id,
        )
    if not isinstance(app.provider(payment.payment_method), Cancelling):
        raise Conflict(
            f"{payment.payment_method} takes no payment back; {payment.id} ends by itself when nobody pays it.",
            code="cancel_not_supported",
            subject=payment.id,
        )
    jobs.stage(session, jobs.Kind.CANCEL_PAYMENT, payment.id, method=payment.payment_method)
    return payment
