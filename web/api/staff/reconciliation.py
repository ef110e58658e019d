"""What reconciliation did and found, for the merchant's staff."""

from contextlib import ExitStack

from flask import Response

from payproc.reconcile import report
from payproc.reconcile.report import Wanted
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.auth import application, needs
from web.json import json_answer, text_of
from web.schemas.base import PageQuery
from web.schemas.staff.reconciliation import (
    DriftAnswer,
    DriftDayAnswer,
    DriftQuery,
    FindingAnswer,
    FindingsAnswer,
    FindingsQuery,
    RunAnswer,
    RunDetailAnswer,
    RunPath,
    RunsAnswer,
)

blueprint = authenticated(
    "reconciliation",
    "Our rows held against what providers have.",
    prefix="/api/v1/reconciliation",
    refusals=problems(422, 503),
)


@blueprint.get("", responses={"200": RunsAnswer})
@needs(Act.SEE_RECONCILIATION)
def runs(query: PageQuery) -> Response:
    """List the runs, newest first. Staff only."""
    with application().database.transaction() as session:
        page = report.runs(session, limit=query.limit, cursor=query.cursor)
    shown = [RunAnswer.of(run) for run in page.runs]
    return json_answer(text_of(RunsAnswer(runs=shown, next_cursor=page.next_cursor)))


@blueprint.get("/findings", responses={"200": FindingsAnswer})
@needs(Act.SEE_RECONCILIATION)
def findings(query: FindingsQuery) -> Response:
    """List the differences that were found, newest first, or export them all as CSV. Staff only."""
    wanted = Wanted(is_open=query.is_open, kinds=frozenset({query.kind}) if query.kind else None)
    if query.format == "csv":
        return exported(wanted)
    with application().database.transaction() as session:
        page = report.findings(session, wanted, limit=query.limit, cursor=query.cursor)
    shown = [FindingAnswer.of(finding) for finding in page.findings]
    return json_answer(text_of(FindingsAnswer(findings=shown, next_cursor=page.next_cursor)))


@blueprint.get("/drift", responses={"200": DriftAnswer})
@needs(Act.SEE_RECONCILIATION)
def drift(query: DriftQuery) -> Response:
    """Count each day's findings by kind: opened, repaired, and open at its end. Staff only."""
    with application().database.transaction() as session:
        shown = [DriftDayAnswer.of(day) for day in report.drift(session, days=query.days)]
    return json_answer(text_of(DriftAnswer(days=shown)))


@blueprint.get("/<run_id>", responses={"200": RunDetailAnswer, **problems(404)})
@needs(Act.SEE_RECONCILIATION)
def run(path: RunPath) -> Response:
    """Show one run. Staff only."""
    with application().database.transaction() as session:
        found = report.run(session, path.run_id)
    return json_answer(text_of(RunDetailAnswer.of(found)))


def exported(wanted: Wanted) -> Response:
    """Answer with findings as CSV, as they come out of the database."""
    with ExitStack() as stack:
        session = stack.enter_context(application().database.transaction())
        # Asked before the answer begins: afterwards a database that is down could no longer be answered as 503.
        found = report.every_finding(session, wanted)
        # A HEAD, or a reader who hangs up, leaves rows unread.
        stack.callback(found.close)
        answer = Response(report.as_csv(found), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = 'attachment; filename="findings.csv"'
        # The transaction, and with it a connection, lasts as long as the reader takes: staff alone may read.
        answer.call_on_close(stack.pop_all().close)
    return answer
