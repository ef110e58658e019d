"""Ask the provider how an open payment stands, on a schedule, until it has ended or a person takes over."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from payproc import jobs, payments
from payproc.application import Application
from payproc.models import Payment, ReviewKind, Source
from payproc.payments import Told
from payproc.providers.base import PaymentMethod, Reference
from payproc.reviews import is_with_a_person, open_review
from payproc.settings import Schedule, Settings
from payproc.states import OPEN

_GRACE = timedelta(hours=1)  # after a session's end Stripe may still be settling what was begun before it
_DAILY_AFTER = timedelta(hours=24)
_GIVE_UP_AFTER = timedelta(days=10)  # no method we offer settles later; from here a person looks

_SCHEDULES: dict[PaymentMethod, Callable[[Settings], Schedule]] = {
    PaymentMethod.STRIPE: lambda settings: settings.poll_schedule_stripe,
}
_ASKED_BY: dict[PaymentMethod, Reference] = {
    PaymentMethod.STRIPE: Reference.STRIPE_SESSION,
}


def inquire_payment(app: Application, job: jobs.Begun) -> None:
    """Run a `payment.inquire` job.

    Raises ProviderUnavailable or RequestRefused. Running out of polls never fails a payment.
    """
    with app.database.transaction() as session:
        payment = session.get_one(Payment, job.subject)
        if payment.status not in OPEN:
            jobs.finish(session, job)
            return
        if not can_ask(payment):
            # Without an id of the provider's there is nothing to ask about: it must be started (again) first.
            jobs.finish(session, job)
            jobs.stage(session, jobs.Kind.START_PAYMENT, payment.id, method=payment.payment_method)
            return
        ref = payments.payment_ref(payment)
        provider = app.provider(payment.payment_method)
    outcome = provider.inquire(ref)
    with app.database.transaction() as session:
        told = Told(source=Source.POLL, evidence=job.id)
        payment = payments.apply_outcome(session, job.subject, outcome, told=told)
        jobs.finish(session, job)
        if payment.status in OPEN and not is_with_a_person(session, payment.id):
            stage_next(session, payment, polled=job.payload.get("polled", 0) + 1, settings=app.settings)


def stage_next(session: Session, payment: Payment, *, polled: int, settings: Settings) -> None:
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
    jobs.stage(
        session,
        jobs.Kind.INQUIRE_PAYMENT,
        payment.id,
        method=payment.payment_method,
        due_at=next_poll(
            now,
            polled=polled,
            created_at=payment.created_at,
            expires_at=payment.expires_at,
            schedule=_SCHEDULES[payment.payment_method](settings),
        ),
        payload={"polled": polled},
    )


def next_poll(
    now: datetime, *, polled: int, created_at: datetime, expires_at: datetime | None, schedule: Schedule
) -> datetime:
    """Say when to ask next: by the schedule, its last step repeating, jittered; daily once it is late (all UTC)."""
    over = (expires_at + _GRACE) if expires_at else created_at + _DAILY_AFTER
    step = schedule[min(polled, len(schedule) - 1)]
    if now > over:
        step = timedelta(days=1)
    return now + step * (0.9 + secrets.randbelow(200) / 1000)


def can_ask(payment: Payment) -> bool:
    """Whether the provider has given the id that an inquiry names; another of its ids does not do."""
    return bool(getattr(payment, _ASKED_BY[payment.payment_method]))
