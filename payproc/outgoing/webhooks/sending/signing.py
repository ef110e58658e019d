"""What goes over the wire to an endpoint: the body, and the headers that vouch for it (Standard Webhooks 1.0)."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

_SECRET_MARK, _SECRET_BYTES = "whsec_", 32


def new_secret() -> str:
    """Draw an endpoint's secret, in the form in which receivers' libraries take it."""
    return _SECRET_MARK + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def body_of(event_type: str, *, at: datetime, data: str) -> str:
    """Return the body that tells an event. `data` is JSON text, and stands in it letter by letter as it was frozen."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f'{{"type":{json.dumps(event_type)},"timestamp":"{moment}","data":{data}}}'


def headers_of(event_id: str, body: str, *, signed_by: Sequence[str], now: datetime) -> Mapping[str, str]:
    """Return the headers of one try. While a secret is rotated each of two signs, and a receiver knows one of them."""
    signatures = (Webhook(secret).sign(event_id, now.astimezone(UTC), body) for secret in signed_by)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
