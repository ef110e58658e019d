"""What endpoints are sent, as the OpenAPI document says it.

`webhooks.json` holds an example of each, which a test makes by what makes the real ones.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from payproc.outgoing.webhooks.event_types import EventType

_HEADERS = {
    "webhook-id": ("The event's id: the same at every try.", "evt_01kaw5m0v7e1cbb4wsy0s9p6jd"),
    "webhook-timestamp": ("When this try was sent, in seconds since 1970.", "1769860800"),
    "webhook-signature": (
        "`v1,` and the HMAC-SHA256 of id, timestamp and body, in base64; two of them while a secret is rotated.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
}


def webhooks() -> dict[str, Any]:
    """Return the section `webhooks`: for each type of event what is posted."""
    return {event_type: {"post": _operation(event_type)} for event_type in EventType}


def _operation(event_type: EventType) -> dict[str, Any]:
    return {
        "tags": ["events"],
        "summary": event_type.purpose,
        "operationId": f"webhook_{event_type.replace('.', '_')}",
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
                "example": value,
            }
            for name, (description, value) in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _schema(event_type), "example": _examples()[event_type]}},
        },
        "responses": {
            "2XX": {"description": "It was taken. Anything else, a redirect too, and it is sent again."},
            "410": {"description": "Nothing is wanted any more: the endpoint is disabled."},
        },
    }


def _schema(event_type: EventType) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": event_type.value},
            "timestamp": {"type": "string", "format": "date-time", "description": "When it happened."},
            "data": {
                "type": "object",
                "required": sorted(_examples()[event_type]["data"]),
                "description": "How what it is about stood then. More names may come.",
            },
        },
    }


@cache
def _examples() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return found
