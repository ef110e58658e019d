"""The outbox: a mail is a row and its job, in the transaction of what it tells. The same staged twice is one mail."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.deferring import defer
from payproc.database.engine import rows_within, transaction_time
from payproc.database.models import Dispute, Email, EmailKind, Payment, Refund, User
from payproc.domain.ids import Prefix, new_id
from payproc.domain.states import DisputeStatus

_NEWS = (Email.payment_id, Email.kind, Email.about)
_NOBODY = "nobody"


def stage_receipt(session: Session, payment: Payment) -> None:
    """Stage a receipt for the customer. A payment that completes twice (refund undone) gets no second one.

    One that was withdrawn unsent (sale undone) goes out when the payment completes after all.
    """
    defer(session, _stage_all, (EmailKind.RECEIPT, payment))


def stage_failure(session: Session, payment: Payment) -> None:
    """Stage word of a failed payment. What expired or was called off ended by the customer's own doing."""
    defer(session, _stage_all, (EmailKind.FAILURE, payment))


def stage_refund(session: Session, refund: Refund, payment: Payment) -> None:
    """Stage word that money was given back; to be called when the refund has succeeded."""
    _stage_for_customer(session, EmailKind.REFUND, payment, about=refund.id)


def stage_refund_failed(session: Session, refund: Refund, payment: Payment) -> bool:
    """Stage word that money could not be given back, perhaps after the customer was told that it had been.

    Returns whether it is new: it promises that we will be in touch, and whoever stages it asks a person to be.
    """
    return _stage_for_customer(session, EmailKind.REFUND_FAILED, payment, about=refund.id)


def stage_dispute(
    session: Session, dispute: Dispute, payment: Payment, *, told: DisputeStatus, operator_mail: str | None
) -> None:
    """Stage word of a dispute for the operators, once for each status its provider told, in whatever order.

    Without their address nothing is staged.
    """
    if operator_mail:
        _stage(session, EmailKind.DISPUTE, payment.id, about=f"{dispute.id}:{told}", recipient=operator_mail)


def stage_digest(session: Session, period: str, *, operator_mail: str) -> None:
    """Stage one digest for the operators, of the period that starts at `period` (ISO 8601, UTC)."""
    _stage(session, EmailKind.DIGEST, None, about=period, recipient=operator_mail)


def stage_finding(session: Session, finding_id: str, *, operator_mail: str) -> None:
    """Stage word of a difference that does not wait for the next digest."""
    _stage(session, EmailKind.FINDING, None, about=finding_id, recipient=operator_mail)


def stage_endpoint_disabled(session: Session, endpoint_id: str, *, recipient: str) -> None:
    """Stage word for an endpoint's owner that it is called no more; each time it is disabled is news."""
    at = transaction_time(session)
    _stage(session, EmailKind.WEBHOOK_DISABLED, None, about=f"{endpoint_id}:{at.isoformat()}", recipient=recipient)


_STAGE = f"""
    WITH wanted AS (
        SELECT * FROM unnest(
            CAST(%(ids)s AS text[]), CAST(%(kinds)s AS text[]), CAST(%(payments)s AS text[]), CAST(%(jobs)s AS text[])
        ) AS wanted (id, kind, payment_id, job)
    ), staged AS (
        INSERT INTO emails (id, payment_id, kind, recipient)
        SELECT wanted.id, payments.id, wanted.kind, users.email
        FROM wanted
        JOIN payments ON payments.id = wanted.payment_id
        JOIN users ON users.id = payments.user_id AND users.role = 'customer' AND users.erased_at IS NULL
        -- One that came untrue and was withdrawn has come true again.
        ON CONFLICT (payment_id, kind, about) DO UPDATE SET withdrawn_at = NULL WHERE emails.withdrawn_at IS NOT NULL
        RETURNING emails.id, emails.payment_id, emails.kind
    ), created AS (
        SELECT staged.id, job FROM staged JOIN wanted USING (payment_id, kind)
    )
    {jobs.staging_first(jobs.Kind.SEND_MAIL)}
"""  # noqa: S608 (our own words)


def _stage_all(session: Session, wanted: Sequence[tuple[EmailKind, Payment]]) -> None:
    rows_within(
        session,
        _STAGE,
        {
            "ids": [new_id(Prefix.EMAIL) for _ in wanted],
            "kinds": [kind.value for kind, _ in wanted],
            "payments": [payment.id for _, payment in wanted],
            "jobs": [new_id(Prefix.JOB) for _ in wanted],
        },
    )


def _stage_for_customer(session: Session, kind: EmailKind, payment: Payment, *, about: str = "") -> bool:
    user = session.get_one(User, payment.user_id)
    if user.address is None:
        return _note_untold(session, kind, payment.id, about=about)
    return _stage(session, kind, payment.id, about=about, recipient=user.address)


def _note_untold(session: Session, kind: EmailKind, payment_id: str, *, about: str) -> bool:
    """Write down that there was something to tell and nobody to tell it to; return whether it is new."""
    untold = insert(Email).values(
        payment_id=payment_id, kind=kind, about=about, recipient=_NOBODY, withdrawn_at=func.now()
    )
    noted = session.scalar(untold.on_conflict_do_nothing(index_elements=_NEWS).returning(Email.id))
    return noted is not None


def _stage(session: Session, kind: EmailKind, payment_id: str | None, *, about: str, recipient: str) -> bool:
    email_id = session.scalar(
        insert(Email)
        .values(payment_id=payment_id, kind=kind, about=about, recipient=recipient)
        .on_conflict_do_nothing(index_elements=_NEWS)
        .returning(Email.id)
    )
    if email_id is not None:
        jobs.stage(session, jobs.Kind.SEND_MAIL, email_id)
    return email_id is not None
