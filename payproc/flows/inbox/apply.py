"""Apply what was accepted: effects and finishes in one transaction, or wait, or give up and ask a person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

import structlog
from sqlalchemy import String, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.deferring import at_once, defer, deferring
from payproc.database.engine import note_transaction_time, rows_within, transaction_time
from payproc.database.held import hold_all
from payproc.database.models import Notice as NoticeRow
from payproc.database.models import NoticeState, Payment, ReviewKind
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import PaymentStatus
from payproc.errors import PayprocError
from payproc.flows import poll
from payproc.flows.inbox.subjects import AboutPayment, ids_of, names_in, payment_of
from payproc.providers.answers import Verdict
from payproc.providers.notices import (
    DisputeNotice,
    FailedPayout,
    FraudWarning,
    Ignored,
    Notice,
    ParsedNotice,
    Postponed,
    RefundNotice,
)
from payproc.records import disputes, outcomes, remote_refunds
from payproc.records.reviews import close_if_open, open_review
from payproc.settings.types import ForeignNotices

_POSTPONED_FOR = timedelta(days=1)
# The run over the money leaves out the last ten minutes; by then it sees even a payout made the moment it failed.
_BOOKS_AFTER = timedelta(minutes=11)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """A stored notice that is locked, and what it says."""

    job: jobs.Claimed
    row: NoticeRow
    says: ParsedNotice


def apply_notice(app: Application, job: jobs.Claimed) -> None:
    """Run a `notice.apply` job: effect and finish in one transaction."""
    for trouble in apply_notices(app, [job]).values():
        raise trouble


def apply_notices(app: Application, claimed: Sequence[jobs.Claimed]) -> Mapping[str, PayprocError]:
    """Run `notice.apply` jobs: the effects and ends of all of them in one transaction.

    Returns those that cannot be read, by their jobs' ids: they change nothing, and hold up no other. Whatever else
    fails is raised, and none of them has any effect.
    """
    with app.database.transaction() as session, deferring(session):
        read, unreadable = _read_all(app, session, claimed)
        # Notices, then payments, then orders, each in the order of their ids: as wherever several are locked.
        about = [each.says for each in read if isinstance(each.says, AboutPayment)]
        hold_all(session, (name for notice in about for name in names_in(notice)))
        for each in read:
            with structlog.contextvars.bound_contextvars(job=each.job.id, subject=each.row.id):
                _apply(app, session, each)
    return unreadable


def _read_all(
    app: Application, session: Session, claimed: Sequence[jobs.Claimed]
) -> tuple[list[_Read], dict[str, PayprocError]]:
    rows = _locked_notices(session, [job.subject for job in claimed])
    read: list[_Read] = []
    unreadable: dict[str, PayprocError] = {}
    for job in claimed:
        row = rows[job.subject]
        if row.state not in (NoticeState.NEW, NoticeState.PARKED):
            jobs.finish(session, job)
            continue
        try:
            says = app.provider(PaymentMethod(row.provider)).parse_stored(row.body)
        except PayprocError as trouble:
            unreadable[job.id] = trouble
        else:
            read.append(_Read(job=job, row=row, says=says))
    return read, unreadable


_LOCK_NOTICES = (
    select(NoticeRow, func.now())
    .where(NoticeRow.id == any_(bindparam("ids", type_=ARRAY(String))))
    .order_by(NoticeRow.id)
    .with_for_update()
)


def _locked_notices(session: Session, ids: Sequence[str]) -> dict[str, NoticeRow]:
    rows = session.execute(_LOCK_NOTICES, {"ids": ids}).all()
    for _, now in rows:
        note_transaction_time(session, now)
    return {row.id: row for row, _ in rows}


def _apply(app: Application, session: Session, read: _Read) -> None:
    job, row, notice = read.job, read.row, read.says
    match notice:
        case Ignored():
            _settle_notice(session, row, NoticeState.IGNORED, reason=notice.reason)
            jobs.finish(session, job)
        case Postponed():
            _park_notice(session, job, row, reason=notice.reason, after=_POSTPONED_FOR)
        case FailedPayout():
            jobs.stage(session, jobs.Kind.RECONCILE_MONEY, row.id, due_at=row.received_at + _BOOKS_AFTER)
            _settle_notice(session, row, NoticeState.APPLIED)
            jobs.finish(session, job)
        case Notice():
            _apply_to_its_payment(app, session, job, row=row, notice=notice)
        case RefundNotice() | DisputeNotice() | FraudWarning():
            # These read what a notice before them may have booked or staged.
            with at_once(session):
                _apply_to_its_payment(app, session, job, row=row, notice=notice)
        case _:
            assert_never(notice)


def _apply_to_its_payment(
    app: Application, session: Session, job: jobs.Claimed, *, row: NoticeRow, notice: AboutPayment
) -> None:
    payment = payment_of(session, notice, method=PaymentMethod(row.provider))
    if payment is None:
        _wait_for_payment(app, session, job, row=row, notice=notice)
        return
    provenance = Provenance(source=Source.NOTICE, evidence=row.id)
    if payment.dialect not in notice.dialects or payment.environment != app.settings.environment:
        problem = f"a notice came that cannot be about a payment by {payment.dialect} in {payment.environment}"
        outcomes.note_mismatch(session, payment.id, problem, provenance=provenance)
    else:
        _apply_to_payment(app, session, payment, notice, provenance=provenance)
    _settle_notice(session, row, NoticeState.APPLIED, payment_id=payment.id)
    jobs.finish(session, job)


def _apply_to_payment(
    app: Application, session: Session, payment: Payment, notice: AboutPayment, *, provenance: Provenance
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


def _wait_for_payment(
    app: Application, session: Session, job: jobs.Claimed, *, row: NoticeRow, notice: AboutPayment
) -> None:
    reason = "no payment of ours has these ids"
    if not notice.marked and isinstance(notice, Notice):
        # Everything that we have a customer pay bears our id: what does not is somebody else's, and never ours.
        _settle_foreign(app, session, job, row=row)
        return
    left = app.settings.orphan_notice_after - (transaction_time(session) - (row.replayed_at or row.received_at))
    if left > timedelta(0):
        references, _ = ids_of(notice)
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


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """What became of a notice, and which payment it was about."""

    notice_id: str
    state: NoticeState
    reason: str | None
    payment_id: str | None


def _settle_notice(
    session: Session, row: NoticeRow, state: NoticeState, *, reason: str | None = None, payment_id: str | None = None
) -> None:
    settled = _Settled(notice_id=row.id, state=state, reason=reason, payment_id=payment_id or row.payment_id)
    defer(session, _settle_all, settled)


_SETTLE = """
    UPDATE notices SET state = settled.state, reason = settled.reason, payment_id = settled.payment, settled_at = now()
    FROM unnest(
        CAST(%(ids)s AS text[]), CAST(%(states)s AS text[]), CAST(%(reasons)s AS text[]), CAST(%(payments)s AS text[])
    ) AS settled (id, state, reason, payment)
    WHERE notices.id = settled.id
"""


def _settle_all(session: Session, settled: Sequence[_Settled]) -> None:
    rows_within(
        session,
        _SETTLE,
        {
            "ids": [each.notice_id for each in settled],
            "states": [each.state.value for each in settled],
            "reasons": [each.reason for each in settled],
            "payments": [each.payment_id for each in settled],
        },
    )


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
    row.replayed_at = transaction_time(session)
    jobs.stage(session, jobs.Kind.APPLY_NOTICE, row.id)
    return row
