"""The wallets, which list nothing: payments past their end are asked about, and of those that ended a sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Interval, and_, exists, func, literal, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import SQLCoreOperations
from structlog.contextvars import bound_contextvars

from payproc.database.models import FindingKind, Loop, Payment, ReconciliationFinding, ReconciliationRun, SeenKind
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import OPEN, TERMINAL
from payproc.errors import UnreadableAnswer
from payproc.flows.provider_requests import GRACE, USUAL_LIFE, payment_ref
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.listing import Window
from payproc.reconcile import findings
from payproc.reconcile.classification import PAID, Contradiction, asked_payment
from payproc.reconcile.findings import Difference
from payproc.reconcile.objects import pages
from payproc.reconcile.runs import Batch, Step, Steps, Work
from payproc.records import outcomes, payments
from payproc.records.reviews import close_finding, has_open_mismatch

# A wallet gives money back weeks later, and says so only to who asks.
_LENGTH = timedelta(days=45)
# What is younger may still be on its way to us by a notice: nothing is late yet.
_SETTLING = timedelta(minutes=10)
_AT_ONCE = 20
_UNDECIDED = frozenset({Verdict.UNKNOWN, Verdict.PENDING, Verdict.PROCESSING})


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which of those that ended are asked about: whose draw, an MD5, is `below`, and at `most` so many."""

    # One in ten: each comes up every few hours while that is few, and within a week where a shop has fifty thousand.
    # Sixteenths of an MD5 name the tenth: 0x1999… of 0xffff….
    below: str = "1999999999999999"
    most: int = 300
    at_once: int = _AT_ONCE


def window(now: datetime) -> Window:
    """Say which creation times to ask about (UTC)."""
    return Window(begin=now - _LENGTH, end=now - _SETTLING)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A payment of ours, and what the gateway said of it; None where it said nothing that we can read."""

    payment_id: str
    outcome: Outcome | None


def _fetch_open(work: Work, cursor: str | None) -> Batch[Fetched]:
    end = func.coalesce(Payment.expires_at, Payment.created_at + literal(USUAL_LIFE, Interval))
    # Before its end a payment is its poller's concern.
    overdue = Payment.status.in_(OPEN) & (end < func.now() - literal(GRACE, Interval))
    return _fetch_by_id(work, cursor, overdue & _in_window(work))


def _fetch_questioned(work: Work, cursor: str | None) -> Batch[Fetched]:
    # What a run does not find again is closed: so each run looks at all that is open, whatever its sample.
    in_question = exists().where(_waits_for_an_answer(Payment.id))
    return _fetch_by_id(work, cursor, Payment.status.in_(TERMINAL) & in_question)


def _waits_for_an_answer(payment_id: SQLCoreOperations[str] | str) -> ColumnElement[bool]:
    finding = ReconciliationFinding
    # A statement that says "paid" is not believed: what it found is settled by the gateway's own answer.
    by_statement = and_(finding.loop == Loop.STATEMENT, finding.kind == FindingKind.MISSED_EVENT)
    is_open = and_(finding.payment_id == payment_id, finding.closed_at.is_(None))
    return is_open & or_(finding.loop == Loop.WALLETS, by_statement)


def _fetch_by_id(work: Work, cursor: str | None, wanted: ColumnElement[bool]) -> Batch[Fetched]:
    rows = pages.next_of_ours(work, Payment, _is_askable(work) & wanted, cursor, limit=_AT_ONCE).items
    return _asked(work, rows, place=lambda last, _: last.id)


def _fetch_sample(sampling: Sampling, work: Work, cursor: str | None) -> Batch[Fetched]:
    """Ask about the next of the sample: of those that ended, whose id and the run's period make a small number."""
    done, _, after = (cursor or "0|").partition("|")
    left = min(sampling.at_once, sampling.most - int(done))
    with work.app.database.transaction() as session:
        period = session.get_one(ReconciliationRun, work.run_id).period
        # Not by id: whoever is cut off by the cap today must not be tomorrow.
        draw = func.md5(Payment.id + period)
        ended = func.coalesce(Payment.completed_at, Payment.updated_at) < work.window.end
        wanted = _is_askable(work) & Payment.status.in_(TERMINAL) & _in_window(work) & ended
        query = select(Payment, draw).where(wanted, draw < sampling.below, draw > after)
        drawn = session.execute(query.order_by(draw).limit(left)).all()
    draws = {payment.id: place for payment, place in drawn}
    return _asked(
        work,
        [payment for payment, _ in drawn],
        place=lambda last, asked: (
            f"{int(done) + asked}|{draws[last.id]}" if int(done) + asked < sampling.most else None
        ),
    )


def _is_askable(work: Work) -> ColumnElement[bool]:
    return work.is_of_gateway & ~findings.is_seen(work.run_id, SeenKind.ROW, ours=Payment.id)


def _in_window(work: Work) -> ColumnElement[bool]:
    return and_(Payment.created_at >= work.window.begin, Payment.created_at < work.window.end)


def _asked(work: Work, rows: Sequence[Payment], *, place: Callable[[Payment, int], str | None]) -> Batch[Fetched]:
    """Ask about each, until the page's time is over; `place` says where to go on after so many."""
    clock = pages.PageClock()
    fetched: list[Fetched] = []
    for payment in rows:
        fetched.append(Fetched(payment_id=payment.id, outcome=_answer(work, payment)))
        if clock.is_over:
            break
    return Batch(items=fetched, cursor=place(rows[len(fetched) - 1], len(fetched)) if rows else None)


def _answer(work: Work, payment: Payment) -> Outcome | None:
    ref = payment_ref(payment)
    if not work.provider.can_inquire(ref):
        return None
    try:
        with bound_contextvars(payment=payment.id):
            return work.rate_limit.ask(lambda: work.provider.inquire(ref))
    except UnreadableAnswer:
        # Asked again it would be the same: it must not hold up everything behind it.
        return None


def _settle(session: Session, work: Work, run: ReconciliationRun, batch: Batch[Fetched]) -> None:
    assert work.run_id == run.id
    pages.lock(session, run, [each.payment_id for each in batch.items])
    for fetched in sorted(batch.items, key=lambda each: each.payment_id):
        # Read again: its notice may have come while the gateway was asked.
        payment = payments.locked(session, fetched.payment_id)
        findings.note_rows(session, run, [payment.id])
        if fetched.outcome is None or _says_nothing(session, payment, fetched.outcome):
            findings.note(session, run, map(findings.seen_by, _open_findings(session, run, payment)))
        else:
            _compare(session, run, payment, fetched.outcome)


def _says_nothing(session: Session, payment: Payment, outcome: Outcome) -> bool:
    if outcome.verdict is Verdict.PAID and outcome.money is None and payment.status not in PAID:
        # "Paid" without an amount takes nothing back of an answer that named another: a person decides.
        return has_open_mismatch(session, payment.id)
    return outcome.verdict is Verdict.UNKNOWN or (outcome.verdict in _UNDECIDED and payment.status not in PAID)


def _open_findings(session: Session, run: ReconciliationRun, payment: Payment) -> list[ReconciliationFinding]:
    finding = ReconciliationFinding
    query = select(finding).where(_waits_for_an_answer(payment.id), finding.provider == run.provider)
    return list(session.scalars(query.order_by(finding.id)))


def _compare(session: Session, run: ReconciliationRun, payment: Payment, outcome: Outcome) -> None:
    found = asked_payment(payment, outcome)
    difference = None if found is None else _difference(payment, found)
    if difference is not None:
        findings.record(session, run, difference, repair=partial(_repair, session, run, payment, outcome))
    if run.dry_run:
        return
    # Here and not only at the end of the run: a question may be older than its window.
    for finding in _open_findings(session, run, payment):
        if finding.loop is Loop.WALLETS:
            if difference is None or findings.seen_by(finding) != findings.seen_by(difference):
                close_finding(session, finding, resolution="no longer there")
        elif outcome.verdict is Verdict.PAID and payment.status in PAID:
            close_finding(session, finding, resolution="the gateway's own answer agrees")


def _repair(session: Session, run: ReconciliationRun, payment: Payment, outcome: Outcome) -> None:
    outcomes.apply_outcome(
        session, payment.id, outcome, provenance=Provenance(source=Source.RECONCILE, evidence=run.id)
    )


def _difference(payment: Payment, found: Contradiction) -> Difference:
    return Difference(
        kind=found.kind,
        ours=payment.id,
        theirs=payment.reference,
        payment_id=payment.id,
        subject_at=payment.created_at,
        detail=f"{payment.id} ({payment.reference}): {found.sentence}.",
    )


def steps(sampling: Sampling) -> Steps:
    """Say which payments are asked about, one kind after the other."""
    return (
        Step(name="open payments", fetch=_fetch_open, settle=_settle),
        Step(name="payments in question", fetch=_fetch_questioned, settle=_settle),
        Step(name="a sample of the ended", fetch=partial(_fetch_sample, sampling), settle=_settle),
    )


STEPS = steps(Sampling())
