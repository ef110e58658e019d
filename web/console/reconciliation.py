"""The console: what operators look at in a browser. It only shows; deciding is for the command line.

Everything is drawn here, and no page needs a script.
"""

from datetime import UTC, datetime

from flask import Blueprint, Response, render_template, request
from sqlalchemy.orm import Session

from payproc.database.models import FindingKind, Loop, ReconciliationFinding
from payproc.operations.timeline import timeline
from payproc.reconcile import report
from payproc.reconcile.classification import Severity, kinds_of, severity_of
from payproc.reconcile.report import REPAIRED_OVER, Wanted
from payproc.records import payments
from web.api.reconciliation import exported
from web.auth import application, current_user
from web.console import formatting
from web.console.chart import NARROW, WIDE, chart_of
from web.console.signing_in import require_operator

blueprint = Blueprint(
    "console",
    __name__,
    url_prefix="/console",
    template_folder="templates",
    static_folder="static",
    static_url_path="/assets",
)

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS = "console.static"
_FINDINGS_SHOWN = 50  # of each kind of urgency
_RUNS_SHOWN = 10


@blueprint.before_request
def _sign_in() -> Response | None:
    # The page that asks for the key wants its looks before it has it.
    return None if request.endpoint == _ASSETS else require_operator()


@blueprint.after_request
def _close(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["X-Robots-Tag"] = "noindex"
    if request.endpoint != _ASSETS:
        answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/reconciliation")
def reconciliation() -> str:
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


@blueprint.get("/reconciliation.csv")
def findings() -> Response:
    """Hand out every open finding."""
    return exported(Wanted(is_open=True))


@blueprint.get("/payments/<payment_id>")
def payment(payment_id: str) -> str:
    """Show a payment's timeline: what the API has, for a browser that has no token to send it."""
    with application().database.transaction() as session:
        found = payments.visible_payment(session, payment_id, user=current_user())
        entries = timeline(session, found)
    amount = found.money
    return render_template("console/payment.html", payment=found, amount=amount, entries=entries, formatting=formatting)


def _open_findings(session: Session) -> list[ReconciliationFinding]:
    """Return the newest open findings, the critical ones first."""
    critical = kinds_of(Severity.CRITICAL)
    return [
        finding
        for kinds in (critical, frozenset(FindingKind) - critical)
        for finding in report.findings(session, Wanted(is_open=True, kinds=kinds), limit=_FINDINGS_SHOWN).findings
    ]
