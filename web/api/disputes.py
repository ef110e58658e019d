"""Disputes, as the provider told of them."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from payproc.records import disputes
from web.auth import application, current_user, require_caller
from web.json import json_answer, text_of
from web.schemas.disputes import DisputeAnswer, DisputesAnswer, DisputesQuery
from web.schemas.problem import Problem

blueprint = APIBlueprint(
    "disputes",
    __name__,
    url_prefix="/api/v1/disputes",
    abp_tags=[Tag(name="disputes", description="What customers' banks ask back.")],
    abp_security=[{"bearer": []}],
    abp_responses={"401": Problem, "422": Problem, "503": Problem},
)
blueprint.before_request(require_caller)


@blueprint.get("/", responses={"200": DisputesAnswer})
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
