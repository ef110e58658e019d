"""Events: what webhooks tell, to be asked for."""

import json

from flask import Response

from payproc.outgoing import feed
from payproc.outgoing.feed import FeedPage, Whose
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act
from web.api.blueprints import authenticated, problems
from web.auth import application, current_user, needs
from web.json import json_answer
from web.schemas.events import EventAnswer, EventPath, EventsAnswer, EventsQuery

blueprint = authenticated(
    "events",
    "What happened, oldest first: the same that webhooks tell.",
    prefix="/api/v1/events",
    refusals=problems(422, 503),
)


@blueprint.get("/", responses={"200": EventsAnswer})
@needs(Act.SEE_EVENTS)
def list_events(query: EventsQuery) -> Response:
    """List events, oldest first: a shop's own, or everybody's for staff. They are kept for 30 days.

    Keep `next_after` with what you did, and ask from there on: nothing is left out, in whatever order it was committed.
    An `after` that is no longer kept is 422 `event_not_kept`.
    """
    types = None if query.type is None else feed.types_of(query.type)
    whose = Whose(shop_id=_shop_id(), payment_id=query.payment_id)
    page = feed.page(application().database, whose, after=query.after, types=types, limit=query.limit)
    return json_answer(_text_of(page))


@blueprint.get("/<event_id>", responses={"200": EventAnswer, **problems(404)})
@needs(Act.SEE_EVENTS)
def show(path: EventPath) -> Response:
    """Show an event as it was told."""
    return json_answer(feed.one(application().database, Whose(shop_id=_shop_id()), path.event_id).text)


def _shop_id() -> str | None:
    """Return whose events the caller sees: their own; None where they see everybody's."""
    user = current_user()
    return None if permissions.reaches_all(Act.SEE_EVENTS, user=user) else user.id


def _text_of(page: FeedPage) -> str:
    # Put together, not written anew: an event's data stays letter for letter what was signed.
    events = ",".join(event.text for event in page.events)
    return f'{{"events":[{events}],"next_after":{json.dumps(page.next_after)},"is_more":{json.dumps(page.is_more)}}}'
