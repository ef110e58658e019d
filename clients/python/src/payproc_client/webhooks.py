"""Whether a delivery is payproc's own: Standard Webhooks 1.0."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

_MARK = "whsec_"
# Who has recorded a delivery cannot send it again for long.
_TOLERANCE_SECONDS = 300


class WebhookRefused(Exception):
    """The delivery is not signed by this secret, or not now: answer 400 and do nothing."""


class Webhook:
    """An event that was delivered."""

    @staticmethod
    def verify(
        payload: bytes | str, headers: Mapping[str, str], secret: str | Iterable[str], *, now: float | None = None
    ) -> dict[str, Any]:
        """Return the event of a delivery that was signed with `secret`, or with one of several while it is rotated.

        `payload` is the body as it came, byte by byte. The event's id is the header `webhook-id`: the same in every
        attempt, and added here as `id`. `now` (Unix seconds) is for tests. Raises WebhookRefused.
        """
        body = payload.encode() if isinstance(payload, str) else payload
        named = {name.lower(): value for name, value in headers.items()}
        event_id, stamp = named.get("webhook-id", ""), named.get("webhook-timestamp", "")
        if not event_id or not stamp.isascii() or not stamp.isdigit():
            raise WebhookRefused("it has no webhook-id or webhook-timestamp")
        if abs((time.time() if now is None else now) - int(stamp[:18])) > _TOLERANCE_SECONDS:
            raise WebhookRefused("it is too old, or from the future: see this machine's clock")
        secrets = [secret] if isinstance(secret, str) else list(secret)
        signed = f"{event_id}.{stamp}.".encode() + body
        if not _is_signed(signed, named.get("webhook-signature", ""), secrets):
            raise WebhookRefused("no signature fits: is it this endpoint's secret, and the body as it came?")
        return {**_event(body), "id": event_id}


def _is_signed(signed: bytes, given: str, secrets: Iterable[str]) -> bool:
    wanted = [hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets]
    found = [_octets(each.removeprefix("v1,")) for each in given.split() if each.startswith("v1,")]
    # Every pair is compared, each in constant time.
    return any([hmac.compare_digest(one, other) for one in wanted for other in found])  # noqa: C419 (a generator would stop early)


def _key(secret: str) -> bytes:
    key = _octets(secret.removeprefix(_MARK))
    if not key:
        # With an empty key anybody can sign.
        raise WebhookRefused("the secret is none: it is whsec_ and base64")
    return key


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise WebhookRefused("its body is no event")
    return event
