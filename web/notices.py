"""Webhooks: verify, store once, answer, work later. No broker, no ORM, no session of a user."""

from datetime import UTC, datetime

import structlog
from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag

from payproc.errors import BadSignature, NoticeMalformed
from payproc.notices import accept_notice
from payproc.providers.base import PaymentMethod, RawNotice
from web.auth import application
from web.json import json_answer, text_of
from web.schemas import Problem, ReceivedAnswer

log = structlog.get_logger()

blueprint = APIBlueprint(
    "notices",
    __name__,
    url_prefix="/api/v1/payments",
    abp_tags=[Tag(name="notices", description="What providers tell us.")],
    abp_responses={"400": Problem, "403": Problem, "413": Problem, "503": Problem},
)

_RECEIVED = text_of(ReceivedAnswer())


@blueprint.post("/webhook/stripe", responses={"200": ReceivedAnswer})
def stripe() -> Response:
    """Take a signed Stripe event.

    200 means it is stored, now or before. 400: not an event. 403: not signed by our secret within five minutes.
    503: not stored, deliver it again.
    """
    raw = RawNotice(
        # The bytes themselves: the signature covers nothing that was parsed and written again.
        body=request.get_data(cache=False),
        headers={name.lower(): value for name, value in request.headers.items()},
        received_at=datetime.now(UTC),
    )
    app = application()
    try:
        stored = accept_notice(app.database, PaymentMethod.STRIPE, app.provider(PaymentMethod.STRIPE), raw)
    except (BadSignature, NoticeMalformed) as refused:
        log.warning("notice refused", code=refused.code, reason=refused.message, bytes=len(raw.body))
        raise
    log.debug("notice received", notice=stored, duplicate=stored is None)
    return json_answer(_RECEIVED)
