"""What reconciliation did and found."""

from datetime import UTC, datetime

from flask import Response, render_template
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Loop, ReconciliationFinding
from payproc.reconcile import report
from payproc.reconcile.classification import Severity, kinds_of, severity_of
from payproc.reconcile.report import REPAIRED_OVER, Wanted
from web.api.staff.reconciliation import exported
from web.auth import application
from web.console import formatting
from web.console.chart import NARROW, WIDE, chart_of

_FINDINGS_SHOWN = 50  # of each kind of urgency
_RUNS_SHOWN = 10


def page() -> str:
    """Show what reconciliation did and found."""
    with application().database.transaction() as session:
        days = report.drift(session, days=REPAIRED_OVER.days)
        summary = report.summary(session)
        found = _open_findings(session)
        runs = report.runs(session, limit=_RUNS_SHOWN).runs
    done = {last.loop for last in summary.last_runs}
    return render_template(
        "console/reconciliation.html",
        days=days,
        charts=[chart_of(days, size) for size in (WIDE, NARROW)],
        quiet=not any(each.kinds for each in days),
        summary=summary,
        never=[loop for loop in (Loop.EVENTS, Loop.OBJECTS, Loop.MONEY) if loop not in done],
        found=found,
        runs=runs,
        now=datetime.now(UTC),
        Severity=Severity,
        severity_of=severity_of,
        formatting=formatting,
    )


def findings() -> Response:
    """Hand out every open finding."""
    return exported(Wanted(is_open=True))


def _open_findings(session: Session) -> list[ReconciliationFinding]:
    """Return the newest open findings, the critical ones first."""
    critical = kinds_of(Severity.CRITICAL)
    return [
        finding
        for kinds in (critical, frozenset(FindingKind) - critical)
        for finding in report.findings(session, Wanted(is_open=True, kinds=kinds), limit=_FINDINGS_SHOWN).findings
    ]
