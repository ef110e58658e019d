"""A statement from a wallet's portal against our rows: each movement there once, its fee into the ledger.

Nothing is believed of a file that moves a payment: what it says is paid is asked of the gateway, whose answer counts.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.database import models
from payproc.database.models import (
    FindingKind,
    Loop,
    Payment,
    ReconciliationFinding,
    ReconciliationRun,
    RunState,
    SeenKey,
    SeenKind,
)
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.settlement import LineKind
from payproc.errors import InvalidRequest
from payproc.flows import poll
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.listing import Listing, Window
from payproc.reconcile import findings, runs
from payproc.reconcile.classification import told_payment
from payproc.reconcile.findings import Seen
from payproc.reconcile.objects import pages
from payproc.reconcile.runs import Batch, Step, Steps, Work
from payproc.reconcile.statements import files, refunds
from payproc.reconcile.statements.fields import LineType, StatementLine
from payproc.reconcile.statements.files import Statement
from payproc.reconcile.statements.lines import Known, settlement_line
from payproc.records.ledger import journal
from payproc.records.ledger.journal import Recorded

_LINES_AT_ONCE = 500
_OURS_AT_ONCE = 200


def import_statement(
    app: Application,
    method: PaymentMethod,
    path: Path,
    *,
    dry_run: bool = False,
    progress: Callable[[ReconciliationRun, Statement], None] = lambda _run, _statement: None,
    lines_at_once: int = _LINES_AT_ONCE,
) -> ReconciliationRun:
    """Check a statement and import it; the same file once more changes nothing, unless a line of it waited.

    Raises StatementInvalid with every bad line, and then nothing is imported; Conflict while another import is going
    on; OperationNotSupported or InvalidRequest for a method that has no statements.
    """
    if isinstance(app.provider(method), Listing):
        raise InvalidRequest(f"{method} lists what it has, and needs no statement.", field="method")
    statement = files.check(path)
    run = _begun(app, method, statement, dry_run=dry_run)
    return runs.resume(
        app, run.id, steps(statement, lines_at_once=lines_at_once), progress=lambda moved: progress(moved, statement)
    )


def _begun(app: Application, method: PaymentMethod, statement: Statement, *, dry_run: bool) -> ReconciliationRun:
    window = Window(begin=statement.begin, end=statement.end)
    # A dry run must not stand in the way of the real one, nor of the next dry one.
    name = f"dry:{statement.sha256}" if dry_run else statement.sha256
    for again in count():
        period = f"{name}:{again}" if again else name
        run = runs.begin(app, Loop.STATEMENT, method, period=period, window=window, dry_run=dry_run)
        if run.state is RunState.RUNNING or not (dry_run or _left_something(run)):
            return run
    raise AssertionError("unreachable")


def _left_something(run: ReconciliationRun) -> bool:
    # A line whose payment was not completed here was not booked: imported again, the file books it.
    return run.state is RunState.ABANDONED or bool(run.counts.get("lines", {}).get("waiting"))


def steps(statement: Statement, *, lines_at_once: int) -> Steps:
    """Say how a checked statement is gone through."""
    return (
        Step(name="lines", fetch=partial(_fetch_lines, statement, lines_at_once), settle=_settle_lines),
        Step(name="charges made twice", fetch=_fetch_doubled, settle=_settle_doubled),
        Step(name="our payments", fetch=_fetch_unlisted, settle=_settle_unlisted),
        Step(name="refunds", fetch=refunds.fetch, settle=refunds.settle),
        Step(name="what it does not speak of", fetch=lambda *_: Batch(items=(), cursor=None), settle=_keep_unspoken),
    )


def _fetch_lines(statement: Statement, limit: int, _work: Work, cursor: str | None) -> Batch[StatementLine]:
    lines, following = files.read(statement, cursor=cursor, limit=limit)
    return Batch(items=lines, cursor=following)


def _settle_lines(session: Session, work: Work, run: ReconciliationRun, batch: Batch[StatementLine]) -> None:
    moved = [line for line in batch.items if line.moved]
    if len(moved) < len(batch.items):
        findings.count(run, "lines", "not paid", by=len(batch.items) - len(moved))
    known = Known(session, work, moved)
    named = [(line, known.payment_of(line)) for line in moved]
    findings.note(session, run, [seen for line, payment in named for seen in _seen(line, payment)])
    for line, payment in named:
        if payment is None:
            _report_unknown(session, run, line)
        elif line.type is LineType.SALE:
            _settle_sale(session, run, known, payment, line)


def _seen(line: StatementLine, payment: Payment | None) -> Iterator[Seen]:
    yield Seen(kind=SeenKind.LINE, theirs=line.id)
    if payment is not None and line.type is LineType.SALE:
        yield Seen(kind=SeenKind.SALE, ours=payment.id, theirs=line.id)
    elif payment is not None:
        # Refunds have no name of their own at a wallet: they are compared together, payment by payment.
        yield refunds.seen_of(payment, line)


def _report_unknown(session: Session, run: ReconciliationRun, line: StatementLine) -> None:
    detail = (
        f"{run.provider} has a {line.type} of {line.money} as {line.transaction_id} "
        f"({line.reference or 'no reference'}), which no payment of ours names."
    )
    findings.tell(session, run, FindingKind.MISSING_LOCAL, None, theirs=line.id, at=line.at, detail=detail)


def _settle_sale(session: Session, run: ReconciliationRun, known: Known, payment: Payment, line: StatementLine) -> None:
    found = told_payment(payment, Outcome(verdict=Verdict.PAID, money=line.money))
    if found is not None:
        next_step = "; the gateway is asked" if found.kind is FindingKind.MISSED_EVENT else ""
        _tell(session, run, payment, line, found.kind, found.sentence + next_step)
    if payment.completed_at is not None:
        _book(session, run, known, payment, line)
        return
    findings.count(run, "lines", "waiting")
    if not run.dry_run:
        poll.stage_now(session, payment)


def _book(session: Session, run: ReconciliationRun, known: Known, payment: Payment, line: StatementLine) -> None:
    settled = settlement_line(line)
    before = known.kept(line)
    if before is not None and (before.gross, before.fee) != (settled.gross, settled.fee):
        sentence = "it was imported before with another amount or fee, and what was booked then stands"
        _tell(session, run, payment, line, FindingKind.LEDGER_IMBALANCE, sentence)
    if run.dry_run:
        return
    # Our books have the sale once: what a second charge moved is for a person to explain.
    answers = known.unmet_sale(payment)
    done = journal.record_line(session, run.provider, settled, answers=answers, payment_id=payment.id)
    if done is not Recorded.KNOWN:
        known.note_charge(payment)
    findings.count(run, "lines", done)


def _tell(
    session: Session, run: ReconciliationRun, payment: Payment, line: StatementLine, kind: FindingKind, sentence: str
) -> None:
    detail = f"{payment.id} ({line.transaction_id}): {sentence}."
    findings.tell(session, run, kind, payment, theirs=line.id, at=line.at, detail=detail)


def _fetch_doubled(work: Work, _cursor: str | None) -> Batch[tuple[str, list[str]]]:
    """Find the payments of this statement that were charged more than once, by it or by an earlier one."""
    listed = select(SeenKey.ours.label("payment_id"), SeenKey.theirs.label("line_id")).where(
        SeenKey.run_id == work.run_id, SeenKey.kind == SeenKind.SALE
    )
    kept = select(models.SettlementLine.payment_id, models.SettlementLine.line_id).where(
        models.SettlementLine.provider == work.method,
        models.SettlementLine.kind == LineKind.CHARGE,
        models.SettlementLine.payment_id.in_(select(listed.subquery().c.payment_id)),
    )
    charges = listed.union(kept).subquery()
    doubled = (
        select(charges.c.payment_id, func.array_agg(charges.c.line_id))
        .group_by(charges.c.payment_id)
        .having(func.count() > 1)
        .order_by(charges.c.payment_id)
    )
    with work.app.database.transaction() as session:
        rows = [(payment_id, sorted(lines)) for payment_id, lines in session.execute(doubled)]
    return Batch(items=rows, cursor=None)


def _settle_doubled(session: Session, _work: Work, run: ReconciliationRun, batch: Batch[tuple[str, list[str]]]) -> None:
    for payment_id, lines in batch.items:
        payment = session.get_one(Payment, payment_id)
        at = payment.completed_at or payment.created_at
        detail = f"{payment.id} was charged {len(lines)} times: {', '.join(lines)}."
        findings.tell(session, run, FindingKind.DUPLICATE_CHARGE, payment, at=at, detail=detail)


def _fetch_unlisted(work: Work, cursor: str | None) -> Batch[Payment]:
    sold = select(SeenKey.ours).where(SeenKey.run_id == work.run_id, SeenKey.kind == SeenKind.SALE)
    # Begun and completed within its days: what we heard of late, the statement before may have.
    within = (Payment.created_at >= work.window.begin) & (Payment.completed_at < work.window.end)
    wanted = work.is_of_gateway & within & Payment.id.not_in(sold)
    return pages.next_of_ours(work, Payment, wanted, cursor, limit=_OURS_AT_ONCE)


def _settle_unlisted(session: Session, _work: Work, run: ReconciliationRun, batch: Batch[Payment]) -> None:
    for payment in batch.items:
        assert payment.completed_at is not None
        detail = (
            f"{payment.id} ({payment.reference}) is {payment.status} here, and the statement of {run.provider} over "
            "its day has no sale of it."
        )
        findings.tell(session, run, FindingKind.MISSING_REMOTE, payment, at=payment.completed_at, detail=detail)


def _keep_unspoken(session: Session, _work: Work, run: ReconciliationRun, _batch: Batch[None]) -> None:
    """Leave what was found about lines of other statements open.

    A run closes what it does not find again. A part of a day has not the lines of the whole one, and proves nothing of
    them; and a payment that was charged twice does not become one that was not.
    """
    if run.dry_run:
        return
    finding = ReconciliationFinding
    spoken = findings.is_seen(run.id, SeenKind.LINE, theirs=finding.theirs)
    unspoken = select(literal(run.id), finding.kind, finding.ours, finding.theirs).where(
        finding.loop == run.loop,
        finding.provider == run.provider,
        finding.closed_at.is_(None),
        or_((finding.theirs != "") & ~spoken, finding.kind == FindingKind.DUPLICATE_CHARGE),
    )
    keys = insert(SeenKey).from_select(["run_id", "kind", "ours", "theirs"], unspoken)
    session.execute(keys.on_conflict_do_nothing())
