"""What people do to the books: nothing by one of them alone."""

from typing import assert_never

from sqlalchemy.orm import Session

from payproc.database.models import JournalKind, LedgerDraft, User
from payproc.domain.provenance import Provenance, Source
from payproc.records import payments
from payproc.records.ledger import drafts


def approve_draft(session: Session, draft_id: str, *, by: User) -> LedgerDraft:
    """Book what another person has drafted. Locks are taken payment first.

    Raises NotFound, and Conflict where it is booked, or drafted by the same person, or comes too late.
    """
    known = session.get(LedgerDraft, draft_id)
    if known is not None and known.payment_id is not None:
        payments.locked(session, known.payment_id)
    draft = drafts.approvable(session, draft_id, by=by)
    drafts.approve(session, draft, _booked(session, draft), by=by)
    return draft


def _booked(session: Session, draft: LedgerDraft) -> str:
    match draft.kind:
        case JournalKind.ADJUSTMENT | JournalKind.REVERSAL:
            return drafts.book_draft(session, draft)
        case JournalKind.SALE_UNDONE:
            assert draft.payment_id is not None
            provenance = Provenance(source=Source.OPERATOR, evidence=draft.id)
            return payments.undo_sale(session, draft.payment_id, provenance=provenance, reason=draft.reason)
        case (
            JournalKind.SALE | JournalKind.REFUND | JournalKind.REFUND_UNDONE | JournalKind.LINE | JournalKind.CLEARING
        ):
            raise AssertionError(f"nobody drafts a {draft.kind}")
        case _:
            assert_never(draft.kind)
