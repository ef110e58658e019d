"""Apply what was accepted: effect and finish in one transaction, or wait, or give up and ask a person."""

from datetime import timedelta
from typing import assert_never

from sqlalchemy import Interval, cast, func, select
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Notice as NoticeRow
from payproc.database.models import NoticeState, Payment, ReviewKind
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Provenance, Source
from payproc.domain.references import References
from payproc.domain.states import PaymentStatus
from payproc.flows import poll
from payproc.providers.answers import Verdict
from payproc.providers.notices import (
    DisputeNotice,
    FailedPayout,
    FraudWarning,
    Ignored,
    Notice,
    Postponed,
    RefundNotice,
)
from payproc.records import disputes, outcomes, payments, remote_refunds
from payproc.records.reviews import close_if_open, open_review
from payproc.settings.types import ForeignNotices

_POSTPONED_FOR = timedelta(days=1)
# The run over the money leaves out the last ten minutes; by then it sees even a payout made the moment it failed.
_BOOKS_AFTER = timedelta(minutes=11)

AnyNotice = Notice | RefundNotice | DisputeNotice | FraudWarning


def apply_notice(app: Application, job: jobs.Claimed) -> None:
    """Run a `notice.apply` job: effect and finish in one transaction."""
    with app.database.transaction() as session:
        row = session.get_one(NoticeRow, job.subject, with_for_update=True)
        if row.state not in (NoticeState.NEW, NoticeState.PARKED):
            jobs.finish(session, job)
            return
        reading = app.provider(PaymentMethod(row.provider)).parse_stored(row.body)
        match reading:
            case Ignored():
                _settle_notice(session, row, NoticeState.IGNORED, reason=reading.reason)
                jobs.finish(session, job)
            case Postponed():
                _park_notice(session, job, row, reason=reading.reason, after=_POSTPONED_FOR)
            case FailedPayout():
                jobs.stage(session, jobs.Kind.RECONCILE_MONEY, row.id, due_at=row.received_at + _BOOKS_AFTER)
                _settle_notice(session, row, NoticeState.APPLIED)
                jobs.finish(session, job)
            case Notice() | RefundNotice() | DisputeNotice() | FraudWarning():
                _apply_to_its_payment(app, session, job, row=row, notice=reading)
            case _:
                assert_never(reading)


def _apply_to_its_payment(
    app: Application, session: Session, job: jobs.Claimed, *, row: NoticeRow, notice: AnyNotice
) -> None:
    payment = _payment_of(session, notice, method=PaymentMethod(row.provider))
    if payment is None:
        _wait_for_payment(app, session, job, row=row, notice=notice)
        return
    provenance = Provenance(source=Source.NOTICE, evidence=row.id)
    if payment.dialect not in notice.dialects or payment.environment != app.settings.environment:
        problem = f"a notice came that cannot be about a payment by {payment.dialect} in {payment.environment}"
        outcomes.note_mismatch(session, payment.id, problem, provenance=provenance)
    else:
        _apply_to_payment(app, session, payment, notice, provenance=provenance)
    row.payment_id = payment.id
    _settle_notice(session, row, NoticeState.APPLIED)
    jobs.finish(session, job)


def _apply_to_payment(
    app: Application, session: Session, payment: Payment, notice: AnyNotice, *, provenance: Provenance
) -> None:
    match notice:
        case Notice():
            _apply_payment_notice(app, session, payment, notice, provenance=provenance)
        case RefundNotice():
            remote_refunds.record_remote(session, payment, notice.refund, provenance=provenance)
            _ask_whether_paid(session, payment)
        case DisputeNotice():
            disputes.record_remote(
                session, payment, notice.dispute, provenance=provenance, operator_mail=app.settings.operator_mail
            )
            _ask_whether_paid(session, payment)
        case FraudWarning():
            _apply_fraud_warning(session, payment, notice)
        case _:
            assert_never(notice)


def _apply_fraud_warning(session: Session, payment: Payment, warning: FraudWarning) -> None:
    if not warning.actionable:
        close_if_open(session, ReviewKind.FRAUD_WARNING, payment.id, resolution="no refund averts it any more")
        return
    open_review(
        session,
        ReviewKind.FRAUD_WARNING,
        payment.id,
        payment_id=payment.id,
        detail=(
            f"The card's network warns that {payment.id} ({payment.money}) may be fraud: hold what was sold. A refund "
            "now averts the dispute that usually follows, and its fee."
        ),
    )


def _apply_payment_notice(
    app: Application, session: Session, payment: Payment, notice: Notice, *, provenance: Provenance
) -> None:
    payment = outcomes.apply_outcome(session, payment.id, notice.outcome, provenance=provenance)
    if notice.outcome.verdict is Verdict.UNKNOWN:
        # A status that we have no word for: what it means, we ask.
        poll.stage_now(session, payment)
    else:
        poll.stage_final_poll(app, session, payment)


def _ask_whether_paid(session: Session, payment: Payment) -> None:
    # Only what was paid can be refunded or disputed: the event that says it was paid is late, or lost.
    if payment.status not in (PaymentStatus.COMPLETED, PaymentStatus.REFUNDED):
        poll.stage_now(session, payment)


def _payment_of(session: Session, notice: AnyNotice, *, method: PaymentMethod) -> Payment | None:
    references, payment_id = _ids_of(notice)
    found = payments.find_by_reference(session, references)
    if found is None and isinstance(notice, Notice):
        found = payments.find_by_our_reference(session, notice.reference, method=method)
    if found is None and payment_id:
        # A notice may beat the answer that carries the provider's id. Ours was committed before the call.
        found = session.get(Payment, payment_id)
    # One provider's word never moves another's payment.
    return found if found is not None and found.payment_method == method else None


def _ids_of(notice: AnyNotice) -> tuple[References, str | None]:
    match notice:
        case Notice():
            return notice.references, notice.payment_id
        case RefundNotice():
            return notice.refund.references, notice.refund.payment_id
        case DisputeNotice():
            return notice.dispute.references, notice.dispute.payment_id
        case FraudWarning():
            return notice.references, None
        case _:
            assert_never(notice)


def _wait_for_payment(
    app: Application, session: Session, job: jobs.Claimed, *, row: NoticeRow, notice: AnyNotice
) -> None:
    reason = "no payment of ours has these ids"
    if not notice.marked and isinstance(notice, Notice):
        # Everything that we have a customer pay bears our id: what does not is somebody else's, and never ours.
        _settle_foreign(app, session, job, row=row)
        return
    waiting_since = func.coalesce(NoticeRow.replayed_at, NoticeRow.received_at)
    age: timedelta = session.scalars(
        select(cast(func.now() - waiting_since, Interval)).where(NoticeRow.id == row.id)
    ).one()
    left = app.settings.orphan_notice_after - age
    if left > timedelta(0):
        references, _ = _ids_of(notice)
        # A payment that learns one of these meanwhile wakes it; one that has just done so does not see it yet, and the
        # first waits are short.
        row.awaits = [named for named in references.values() if named]
        wait = jobs.backoff(job.attempts, base=app.settings.retry_base, jitter=0)
        _park_notice(session, job, row, reason=reason, after=min(wait, left))
        return
    if not notice.marked:
        # A refund made in the dashboard, a dispute: nobody marks these, so they had time to find their payment.
        _settle_foreign(app, session, job, row=row)
        return
    _settle_notice(session, row, NoticeState.DEAD, reason=reason)
    _ask_about_orphan(session, row, reason)
    jobs.finish(session, job)


def _settle_foreign(app: Application, session: Session, job: jobs.Claimed, *, row: NoticeRow) -> None:
    reason = "it bears no mark of ours, and no payment of ours has its ids"
    _settle_notice(session, row, NoticeState.IGNORED, reason=reason)
    if app.settings.foreign_notices is ForeignNotices.REVIEW:
        _ask_about_orphan(session, row, reason)
    jobs.finish(session, job)


def _ask_about_orphan(session: Session, row: NoticeRow, reason: str) -> None:
    open_review(
        session,
        ReviewKind.ORPHAN_NOTICE,
        row.id,
        detail=f"{row.provider} told of {row.kind} ({row.key}), but {reason}: perhaps a charge made elsewhere.",
    )


def _park_notice(session: Session, job: jobs.Claimed, row: NoticeRow, *, reason: str, after: timedelta) -> None:
    row.state = NoticeState.PARKED
    row.reason = reason
    jobs.retry_later(session, job, error=reason, after=after)


def _settle_notice(session: Session, row: NoticeRow, state: NoticeState, *, reason: str | None = None) -> None:
    row.state = state
    row.reason = reason
    row.settled_at = session.scalars(select(func.now())).one()


def bury_notice(session: Session, notice_id: str, *, error: str) -> None:
    """Mark a notice dead whose job was buried, so that it counts as settled only with its reason."""
    row = session.get(NoticeRow, notice_id, with_for_update=True)
    if row is not None and row.state in (NoticeState.NEW, NoticeState.PARKED):
        _settle_notice(session, row, NoticeState.DEAD, reason=error)


def replay_notice(session: Session, notice_id: str) -> NoticeRow:
    """Apply a stored notice once more, as if it had just come. Applying twice changes nothing twice."""
    row = session.get_one(NoticeRow, notice_id, with_for_update=True)
    row.state = NoticeState.NEW
    row.reason = None
    row.settled_at = None
    row.replayed_at = session.scalars(select(func.now())).one()
    jobs.stage(session, jobs.Kind.APPLY_NOTICE, row.id)
    return row
