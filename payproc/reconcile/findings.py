"""Differences: written down once, repaired where that is allowed, closed when they are gone."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations

from payproc.database.models import (
    Dispute,
    FindingKind,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    Refund,
    ReviewKind,
    SeenKey,
    SeenKind,
)
from payproc.outgoing.mail import outbox
from payproc.reconcile.classification import Severity, is_mended, kinds_of
from payproc.records.reviews import close_finding, open_review

# A run over a broken account must not fill the row: the counts are whole, the examples are not.
_LONGEST_SAMPLE = 500


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that two records tell differently. `subject_at` is when it was made (UTC)."""

    kind: FindingKind
    detail: str
    subject_at: datetime
    ours: str = ""
    theirs: str = ""
    payment_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a run remembers to have come across."""

    kind: SeenKind | FindingKind
    ours: str = ""
    theirs: str = ""
    payload: Mapping[str, Any] | None = None


def seen_by(found: Difference | ReconciliationFinding) -> Seen:
    """Return what a run remembers of a difference that it meets: what tells it from any other."""
    return Seen(kind=found.kind, ours=found.ours, theirs=found.theirs)


def payment_id_of(row: Payment | Refund | Dispute) -> str:
    """Return the id of the payment that a row is, or is of."""
    return row.id if isinstance(row, Payment) else row.payment_id


def record(
    session: Session,
    run: ReconciliationRun,
    difference: Difference,
    *,
    repair: Callable[[], object] | None = None,
) -> None:
    """Write a difference down, after repairing it where that is allowed and `repair` says how.

    One that is open already stays the one row it is, and one that a person has accepted stays closed for as long as it
    is told in the same words. A dry run changes nothing but its own row.
    """
    mending = repair if is_mended(difference.kind, by=run.loop) else None
    if mending is None and _is_accepted(session, run, difference):
        count(run, "accepted", difference.kind)
        return
    count(run, "found" if mending is None else "repaired", difference.kind)
    if run.dry_run:
        _sample(run, difference, repair="none" if mending is None else "would be made")
        return
    note(session, run, [seen_by(difference)])
    finding_id = _write(session, run, difference)
    if mending is not None:
        mending()
        _repaired(session, run, difference)
    elif finding_id is not None:
        about = difference.payment_id
        open_review(session, ReviewKind.FINDING, finding_id, payment_id=about, detail=difference.detail)


def _is_accepted(session: Session, run: ReconciliationRun, difference: Difference) -> bool:
    finding = ReconciliationFinding
    accepted = exists().where(
        finding.accepted_at.is_not(None),
        finding.provider == run.provider,
        finding.kind == difference.kind,
        finding.ours == difference.ours,
        finding.theirs == difference.theirs,
        finding.detail == difference.detail,
    )
    return bool(session.scalar(select(accepted)))


def tell(
    session: Session,
    run: ReconciliationRun,
    kind: FindingKind,
    row: Payment | Refund | Dispute | None,
    *,
    theirs: str = "",
    at: datetime,
    detail: str,
    repair: Callable[[], object] | None = None,
) -> None:
    """Record what is told otherwise of a row of ours, or of none; `at` is when that was made (UTC)."""
    ours, payment_id = (row.id, payment_id_of(row)) if row else ("", None)
    difference = Difference(kind=kind, ours=ours, theirs=theirs, payment_id=payment_id, subject_at=at, detail=detail)
    record(session, run, difference, repair=repair)


def _write(session: Session, run: ReconciliationRun, difference: Difference) -> str | None:
    written: str | None = session.scalar(
        insert(ReconciliationFinding)
        .values(provider=run.provider, loop=run.loop, run_id=run.id, **asdict(difference))
        .on_conflict_do_nothing(
            index_elements=["provider", "kind", "ours", "theirs"],
            index_where=ReconciliationFinding.closed_at.is_(None),
        )
        .returning(ReconciliationFinding.id)
    )
    return written


def stage_mails(session: Session, run: ReconciliationRun, *, operator_mail: str) -> None:
    """Stage a mail to the operators about each critical difference that the run has opened."""
    finding = ReconciliationFinding
    opened = select(finding.id).where(
        finding.run_id == run.id, finding.closed_at.is_(None), finding.kind.in_(kinds_of(Severity.CRITICAL))
    )
    for finding_id in session.scalars(opened.order_by(finding.id)):
        outbox.stage_finding(session, finding_id, operator_mail=operator_mail)


# What a run looks for in all of our rows, whenever what it is about was made.
_OF_ANY_AGE = (FindingKind.IN_SUSPENSE,)


def close_what_is_gone(session: Session, run: ReconciliationRun) -> int:
    """Close the findings about this run's window that it did not come across again; return how many."""
    finding = ReconciliationFinding
    met = is_seen(run.id, finding.kind, ours=finding.ours, theirs=finding.theirs)
    query = select(finding).where(
        finding.loop == run.loop,
        finding.provider == run.provider,
        finding.closed_at.is_(None),
        finding.kind.in_(_OF_ANY_AGE)
        | ((finding.subject_at >= run.window_begin) & (finding.subject_at < run.window_end)),
        ~met,
    )
    gone = session.scalars(query.order_by(finding.id)).all()
    for each in gone:
        close_finding(session, each, resolution="no longer there")
    return len(gone)


# One parameter for a page of them: rows of values are compiled anew each time, which takes longer than writing them.
_NOTE = text("""
    INSERT INTO reconciliation_marks (run_id, kind, ours, theirs, payload)
    SELECT :run_id, kind, ours, theirs, payload
    FROM jsonb_to_recordset(CAST(:seen AS jsonb)) AS seen (kind text, ours text, theirs text, payload jsonb)
    ON CONFLICT DO NOTHING
""")


def note(session: Session, run: ReconciliationRun, seen: Iterable[Seen]) -> None:
    """Note what the run has come across."""
    rows = [asdict(each) for each in seen]
    if rows:
        session.execute(_NOTE, {"run_id": run.id, "seen": json.dumps(rows)})


def note_rows(session: Session, run: ReconciliationRun, ids: Iterable[str]) -> None:
    """Note rows of ours that the run has come across."""
    note(session, run, [Seen(kind=SeenKind.ROW, ours=each) for each in ids])


def is_seen(
    run_id: str,
    kind: SQLCoreOperations[FindingKind] | SeenKind,
    *,
    ours: SQLCoreOperations[str] | str = "",
    theirs: SQLCoreOperations[str] | str = "",
) -> ColumnElement[bool]:
    """Say in a query whether the run has come across what is named so."""
    seen = SeenKey
    return exists().where(seen.run_id == run_id, seen.kind == kind, seen.ours == ours, seen.theirs == theirs)


def _repaired(session: Session, run: ReconciliationRun, difference: Difference) -> None:
    known = {"provider": run.provider, "kind": difference.kind, "ours": difference.ours, "theirs": difference.theirs}
    finding = session.scalars(select(ReconciliationFinding).filter_by(**known, closed_at=None)).one()
    close_finding(session, finding, resolution="repaired")
    finding.repaired_at = finding.closed_at


def count(run: ReconciliationRun, group: str, name: str, by: int = 1) -> None:
    """Add to one of the run's counts."""
    # A new dictionary each time: SQLAlchemy does not see a change inside the old one.
    counts = {key: dict(value) for key, value in run.counts.items()}
    inner = counts.setdefault(group, {})
    inner[name] = inner.get(name, 0) + by
    run.counts = counts


def _sample(run: ReconciliationRun, difference: Difference, *, repair: str) -> None:
    if len(run.sample) < _LONGEST_SAMPLE:
        row = {name: getattr(difference, name) for name in ("kind", "ours", "theirs", "detail")}
        run.sample = [*run.sample, row | {"repair": repair}]
