"""A snapshot event of the right shape."""

import json
from collections.abc import Mapping
from typing import Any

from payproc.errors import NoticeMalformed
from payproc.providers.stripe.wire import checkout

_LONGEST_NAME = 255


def parsed_event(body: bytes) -> Mapping[str, Any]:
    """Return the snapshot event in `body`.

    Raises NoticeMalformed for anything else: `[]` and `null` can be signed as well as an object can.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise NoticeMalformed("The body is not JSON.") from None
    if not isinstance(event, dict):
        raise NoticeMalformed("The body is not a JSON object.")
    named = event.get("object")
    if isinstance(named, str) and named.startswith("v2."):
        raise NoticeMalformed("This is a thin event; configure the endpoint for snapshot payloads.", code="notice_thin")
    data = event.get("data")
    shaped = (
        named == "event"
        and _names(event.get("id"))
        and _names(event.get("type"))
        and isinstance(data, dict)
        and isinstance(data.get("object"), dict)
    )
    if not shaped:
        raise NoticeMalformed("The body is not a Stripe event.")
    return event


def _names(value: object) -> bool:
    # Stripe's ids have 28 characters; one that our unique index cannot hold would be delivered again for ever.
    name = checkout.text(value)
    return name is not None and 0 < len(name) <= _LONGEST_NAME
