"""Disputes, as the provider told of them."""

from flask import Response

from payproc.records import disputes
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.auth import application, current_user, needs
from web.json import json_answer, text_of
from web.schemas.disputes import DisputeAnswer, DisputesAnswer, DisputesQuery

blueprint = authenticated(
    "disputes", "What customers' banks ask back.", prefix="/api/v1/disputes", refusals=problems(422, 503)
)


@blueprint.get("/", responses={"200": DisputesAnswer})
@needs(Act.SEE_PAYMENT)
def list_disputes(query: DisputesQuery) -> Response:
    """List disputes, newest first: of one's own payments, or everybody's for staff."""
    with application().database.transaction() as session:
        page = disputes.page_of_disputes(
            session,
            user=current_user(),
            payment_id=query.payment_id,
            is_open=query.is_open,
            limit=query.limit,
            cursor=query.cursor,
        )
        shown = [DisputeAnswer.of(dispute) for dispute in page.disputes]
    return json_answer(text_of(DisputesAnswer(disputes=shown, next_cursor=page.next_cursor)))
