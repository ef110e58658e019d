"""The books, for the merchant's staff."""

from contextlib import ExitStack
from datetime import datetime

from flask import Response

from payproc.records.identity.permissions import Act
from payproc.records.ledger.exports import WRITERS, ExportFormat
from payproc.records.ledger.journal import balances, entries
from web.api.blueprints import authenticated, problems
from web.auth import application, needs
from web.json import json_answer, text_of
from web.schemas.staff.ledger import BalanceAnswer, LedgerAnswer, LedgerQuery

_MEDIA_TYPES = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.BEANCOUNT: "text/plain; charset=utf-8",
}

blueprint = authenticated(
    "ledger", "What money moved, in double entry.", prefix="/api/v1/ledger", refusals=problems(422, 503)
)


@blueprint.get("", responses={"200": LedgerAnswer})
@needs(Act.SEE_BOOKS)
def show(query: LedgerQuery) -> Response:
    """Show what stands on each account, or export every entry as CSV or for beancount. Staff only."""
    if query.format != "json":
        return _export(ExportFormat(query.format), query.at)
    with application().database.transaction() as session:
        shown = [BalanceAnswer.of(balance) for balance in balances(session, at=query.at)]
    return json_answer(text_of(LedgerAnswer(at=query.at, balances=shown)))


def _export(export_format: ExportFormat, at: datetime | None) -> Response:
    with ExitStack() as stack:
        session = stack.enter_context(application().database.transaction())
        # Asked before the answer begins: afterwards a database that is down could no longer be answered as 503.
        found = entries(session, at=at)
        answer = Response(WRITERS[export_format](found), content_type=_MEDIA_TYPES[export_format])
        answer.headers["Content-Disposition"] = f'attachment; filename="ledger.{export_format}"'
        # The transaction, and with it a connection, lasts as long as the reader takes: staff alone may read.
        answer.call_on_close(stack.pop_all().close)
    return answer
