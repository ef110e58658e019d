"""The events as a list to be read on and on: for a shop that was down, and for whoever would rather ask than be told.

An event has no place in the feed when it is written. A number given there would show a later commit's before an earlier
one's, and who had read past it would never see the earlier. Places are given when the feed is read, by one reader at a
time: whatever is committed by then gets the next ones, and whatever commits afterwards gets later ones.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from payproc.database.engine import Database
from payproc.errors import InvalidRequest, NotFound
from payproc.outgoing.webhooks.event_types import EventType
from payproc.outgoing.webhooks.sending import signing

# The most that one look gives places to, and the most it looks at for a few types: some 20 ms of work each.
_AT_ONCE = 1000
_ALL_OF = ".*"
# Held to the end of a transaction, and so until what it placed can be seen. One for everybody: with one for each shop
# a reader of all could see a place of one shop before an earlier one of another.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('events', 0))"
# A backlog is taken shop by shop, as its index has it. Among what is taken, an event never comes before an earlier one
# of its subject: their times are of their transactions' beginnings, and those overlap while one waits for the other.
_PLACE = """
WITH found AS MATERIALIZED (
    SELECT id, subject, sequence, at FROM events WHERE position IS NULL {whose}
    ORDER BY shop_id, at, id LIMIT {at_once}
), ordered AS MATERIALIZED (
    SELECT id, max(at) OVER (PARTITION BY subject ORDER BY sequence) AS told_at, subject, sequence FROM found
    ORDER BY told_at, subject, sequence
), numbered AS MATERIALIZED (
    SELECT id, nextval('event_positions') AS position FROM ordered
), placed AS (
    UPDATE events SET position = numbered.position FROM numbered
    WHERE events.id = numbered.id AND events.position IS NULL
    RETURNING 1
)
SELECT count(*) FROM placed
"""
_IS_ANY_UNPLACED = "SELECT EXISTS (SELECT FROM events WHERE position IS NULL {whose})"
_COLUMNS = "id, type, at, sequence"
_LOOK = f"""
SELECT {_COLUMNS}, CASE WHEN type = ANY (%(types)s) THEN data END
FROM events WHERE position > %(after)s {{whose}} ORDER BY {{order}} LIMIT {{limit}}
"""  # noqa: S608 (our own words)
_PLACE_OF = "SELECT position FROM events WHERE id = %(id)s {whose}"
_ONE = f"SELECT {_COLUMNS}, data FROM events WHERE id = %(id)s {{whose}}"  # noqa: S608 (our own words)
_RECENT = f"""
SELECT {_COLUMNS}, data FROM events
WHERE at > now() - %(within)s::interval AND type = ANY (%(types)s) AND id <> ALL (%(known)s) {{whose}}
ORDER BY at, id LIMIT {_AT_ONCE}
"""  # noqa: S608 (our own words)
_BEFORE_ALL = 0


@dataclass(frozen=True, kw_only=True)
class Whose:
    """Whose events: one shop's, or everybody's where there is none; of one payment, where there is one."""

    shop_id: str | None = None
    payment_id: str | None = None

    @property
    def condition(self) -> str:
        """Return it as SQL that names its parameters. What is not asked is left out, so that an index answers."""
        # Between, and not equal to: of rows that are known to be one shop's PostgreSQL would take any index in the
        # order of their times or places, and pass over a month of everybody's to find the few that are meant.
        shop = "" if self.shop_id is None else "AND shop_id BETWEEN %(shop_id)s AND %(shop_id)s"
        return shop if self.payment_id is None else f"{shop} AND payment_id = %(payment_id)s"

    @property
    def order(self) -> str:
        """Return the order of places as SQL, as the index has it that finds them. A payment's are few, and sorted."""
        if self.payment_id is not None:
            return "position + 0"
        return "position" if self.shop_id is None else "shop_id, position"

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what the condition names."""
        return {"shop_id": self.shop_id, "payment_id": self.payment_id}


@dataclass(frozen=True, kw_only=True)
class FeedEvent:
    """An event as it is read. `data` is JSON text, as it was frozen."""

    id: str
    type: str
    at: datetime
    sequence: int
    data: str = field(repr=False)

    @property
    def body(self) -> str:
        """What an endpoint is sent of it."""
        return signing.body_of(self.type, at=self.at, data=self.data)

    @property
    def text(self) -> str:
        """The same, with the id that stands in an endpoint's headers, and its place among its subject's."""
        return f'{{"id":{json.dumps(self.id)},"sequence":{self.sequence},{self.body[1:]}'


@dataclass(frozen=True, kw_only=True)
class FeedPage:
    """Some events, oldest first. `next_after` is where the next page begins, and there `is_more` of it now."""

    events: Sequence[FeedEvent]
    next_after: str | None
    is_more: bool


def types_of(wanted: str | None) -> Sequence[str]:
    """Return the types that are meant by one, by such as `payment.*`, or by nothing: all.

    Raises InvalidRequest for a word that none has.
    """
    if wanted is None:
        return list(EventType)
    about = wanted.removesuffix(_ALL_OF)
    found = [each for each in EventType if each == wanted or (wanted != about and each.partition(".")[0] == about)]
    if not found:
        raise InvalidRequest(f"There is no type of event {wanted}.", code="event_type_unknown", field="type")
    return found


def page(
    database: Database,
    whose: Whose,
    *,
    after: str | None,
    types: Sequence[str] | None = None,
    limit: int,
    at_once: int = _AT_ONCE,
) -> FeedPage:
    """Return the events after another one, at most `limit` of some types, or of all.

    Only so much is placed and looked `at_once`: it may hold fewer than there are, even none, and then `is_more`.
    Raises InvalidRequest for an `after` that is not there, or not theirs.
    """
    is_all_placed = _place(database, whose, at_once=at_once)
    begin = _begin(database, whose, after, at_once=at_once)
    if begin is None:
        # It was never read past, and too much stands before it to be given places at once.
        return FeedPage(events=(), next_after=after, is_more=True)
    most = limit + 1 if types is None else at_once
    looked = database.rows(
        _LOOK.format(whose=whose.condition, order=whose.order, limit=most),
        {"after": begin, "types": list(types or EventType), **whose.parameters},
    )
    events: list[FeedEvent] = []
    for seen, row in enumerate(looked, start=1):
        after = row[0]
        if row[-1] is not None:
            events.append(_told(row))
        if len(events) == limit:
            return FeedPage(events=events, next_after=after, is_more=seen < len(looked) or not is_all_placed)
    return FeedPage(events=events, next_after=after, is_more=len(looked) == most or not is_all_placed)


def _place(database: Database, whose: Whose, *, at_once: int) -> bool:
    """Give places to what has none, as far as is done at once; return whether that was all."""
    if not _is_any_unplaced(database, whose):
        return True
    statement = _PLACE.format(whose=whose.condition, at_once=at_once)
    # The lock before the statement, which then sees what the one before it has placed. Twice harms nobody: what was
    # placed has its place.
    [(placed,)] = database.rows(statement, whose.parameters, after=LOCK)
    return bool(placed < at_once)


def _is_any_unplaced(database: Database, whose: Whose) -> bool:
    return bool(database.single_statement(_IS_ANY_UNPLACED.format(whose=whose.condition), whose.parameters))


def _begin(database: Database, whose: Whose, after: str | None, *, at_once: int) -> int | None:
    """Return the place of an event, None where it has none yet; before all where none is named."""
    if after is None:
        return _BEFORE_ALL
    of_shop = Whose(shop_id=whose.shop_id)
    place = _place_of(database, of_shop, after)
    if place is None and whose.payment_id is not None:
        # It may be another payment's, and then nothing has placed it.
        _place(database, of_shop, at_once=at_once)
        place = _place_of(database, of_shop, after)
    return place


def _place_of(database: Database, whose: Whose, event_id: str) -> int | None:
    found = database.rows(_PLACE_OF.format(whose=whose.condition), {"id": event_id, **whose.parameters})
    if not found:
        said = f"There is no event {event_id}, or it is too old to be kept: begin without `after`."
        raise InvalidRequest(said, code="event_not_kept", field="after")
    place: int | None = found[0][0]
    return place


def one(database: Database, whose: Whose, event_id: str) -> FeedEvent:
    """Return an event.

    Raises NotFound where it is not there, or not theirs.
    """
    found = database.rows(_ONE.format(whose=whose.condition), {"id": event_id, **whose.parameters})
    if not found:
        raise NotFound(f"There is no event {event_id}.", code="event_not_found", subject=event_id)
    return _told(found[0])


def recent(
    database: Database, whose: Whose, *, types: Sequence[str], within: timedelta, known: Collection[str]
) -> Sequence[FeedEvent]:
    """Return what was written `within` a time and is not `known`, without giving it places: for who looks on.

    It is complete as long as `within` is longer than a transaction.
    """
    parameters = {"within": within, "types": list(types), "known": list(known), **whose.parameters}
    return [_told(row) for row in database.rows(_RECENT.format(whose=whose.condition), parameters)]


def _told(row: tuple[Any, ...]) -> FeedEvent:
    event_id, event_type, at, sequence, data = row
    return FeedEvent(id=event_id, type=event_type, at=at, sequence=sequence, data=data)
