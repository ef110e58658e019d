"""Ask the provider how a payment stands, on a schedule, until it has ended or a person takes over."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Payment, ReviewKind
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import OPEN
from payproc.flows.hints_turn import HINTED, PAID, hints_turn
from payproc.flows.provider_requests import GRACE, NAMED, end_of, payment_ref
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.requests import StartMode
from payproc.records import outcomes, payments
from payproc.records.reviews import awaits_operator, open_review
from payproc.settings import Schedule

_GIVE_UP_AFTER = timedelta(days=10)  # no method we offer settles later; from here a person looks
_FINAL_POLL_AFTER = timedelta(days=1)


def inquire_payment(app: Application, job: jobs.Claimed) -> None:
    """Run a `payment.inquire` job.

    A payment that failed is asked about as well: a hint says that it may have been paid after all. Raises
    ProviderUnavailable or RequestRefused. Running out of polls never fails a payment.
    """
    with app.database.transaction() as session:
        payment = session.get_one(Payment, job.subject)
        if job.payload.get(HINTED) and not _hints_turn(session, job, payment):
            return
        provider = app.provider_of(payment)
        ref = payment_ref(payment, named=job.payload.get(NAMED))
        if payment.status in PAID:
            jobs.finish(session, job)
            return
        if not provider.can_inquire(ref):
            # Without an id of the provider's there is nothing to ask about: it must be started (again) first.
            jobs.finish(session, job)
            if payment.status in OPEN:
                jobs.stage(session, jobs.Kind.START_PAYMENT, payment.id, method=payment.payment_method)
            return
        payment.polled_at = func.now()
    outcome = provider.inquire(ref)
    with app.database.transaction() as session:
        provenance = Provenance(source=Source.POLL, evidence=job.id)
        payment = outcomes.apply_outcome(session, job.subject, outcome, provenance=provenance)
        jobs.finish(session, job)
        stage_after(app, session, payment, polled=job.payload.get("polled", 0) + 1, named=ref.named)


def _hints_turn(session: Session, job: jobs.Claimed, payment: Payment) -> bool:
    # Here and not only where hints are staged: a hint that came while an inquiry ran has the same job run once more.
    wait = hints_turn(session, payment)
    if wait is None:
        jobs.finish(session, job)
    elif wait:
        jobs.await_turn(session, job, error="asked a moment ago", after=wait)
    return wait == timedelta(0)


def stage_after(app: Application, session: Session, payment: Payment, *, polled: int, named: str | None = None) -> None:
    """Stage what is to be asked after an answer: an open payment by its schedule, a failed one once more."""
    if payment.status in OPEN:
        if not awaits_operator(session, payment.id):
            stage_next(app, session, payment, polled=polled, named=named)
        return
    stage_final_poll(app, session, payment)


def stage_final_poll(app: Application, session: Session, payment: Payment) -> None:
    """Have a wallet asked once more, a day after it said that nothing was paid.

    It may still take the money of a payment it called failed, and its notice of that may be lost.
    """
    ended_unpaid = payment.status not in OPEN | PAID
    if not ended_unpaid or app.provider_of(payment).start_mode(payment.dialect) is StartMode.IDEMPOTENT:
        return
    # Counted from the end and not kept in the job: a hint or a returning browser brings that very job forward.
    due_at = payments.ended_at(session, payment) + _FINAL_POLL_AFTER
    if due_at > session.scalars(select(func.now())).one():
        jobs.stage(session, jobs.Kind.INQUIRE_PAYMENT, payment.id, method=payment.payment_method, due_at=due_at)


def stage_now(session: Session, payment: Payment) -> None:
    """Have the provider asked at once."""
    jobs.stage(session, jobs.Kind.INQUIRE_PAYMENT, payment.id, method=payment.payment_method)


def stage_after_start(app: Application, session: Session, payment: Payment, outcome: Outcome | None) -> None:
    """Stage the first question about a payment that has just begun: now, where its start left it unclear."""
    if outcome is not None and outcome.verdict is Verdict.UNKNOWN and payment.status in OPEN:
        stage_now(session, payment)
        return
    stage_after(app, session, payment, polled=0)


def stage_next(app: Application, session: Session, payment: Payment, *, polled: int, named: str | None = None) -> None:
    """Stage the poll after `polled` polls, or hand a payment over that nobody could settle in ten days."""
    now = datetime.now(UTC)
    if now - payment.created_at > _GIVE_UP_AFTER:
        open_review(
            session,
            ReviewKind.UNSETTLED,
            payment.id,
            payment_id=payment.id,
            detail=f"{payment.id} has been {payment.status} for ten days; look it up at the provider.",
        )
        return
    schedule = app.provider_of(payment).poll_schedule(payment.dialect)
    jobs.stage(
        session,
        jobs.Kind.INQUIRE_PAYMENT,
        payment.id,
        method=payment.payment_method,
        due_at=next_poll(now, polled=polled, end=end_of(payment), schedule=schedule),
        payload={"polled": polled} | ({} if named is None else {NAMED: named}),
    )


def first_poll(app: Application, payment: Payment, *, ends_in: timedelta) -> dict[str, Any]:
    """Return the first question about a payment that has begun as it was made, for `jobs.STAGED`."""
    now = datetime.now(UTC)
    schedule = app.provider_of(payment).poll_schedule(payment.dialect)
    return jobs.first_job(
        jobs.Kind.INQUIRE_PAYMENT,
        payment.id,
        method=payment.payment_method,
        due_at=next_poll(now, polled=0, end=now + ends_in, schedule=schedule),
        payload={"polled": 0},
    )


def next_poll(now: datetime, *, polled: int, end: datetime, schedule: Schedule) -> datetime:
    """Say when to ask next: by the schedule, its last step repeating, jittered; daily once it is over (all UTC)."""
    step = timedelta(days=1) if now > end + GRACE else schedule[min(polled, len(schedule) - 1)]
    return now + step * (0.9 + secrets.randbelow(200) / 1000)
