"""Whether a delivery is Stripe's, and recent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import stripe

from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.notices import RawNotice
from payproc.providers.stripe.wire import events

# Stripe's own default. The SDK checks the past side only; a clock from the future is as wrong.
_TOLERANCE_SECONDS = 300


def verified_event(raw: RawNotice, secrets: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the event of a delivery that one of `secrets` signed within five minutes of now, either way.

    Raises BadSignature for a missing, wrong, old or future signature, NoticeMalformed for a signed body that is
    no event.
    """
    header = raw.headers.get("stripe-signature", "")
    try:
        # Decoded as the SDK does it: the signature covers the bytes, so a body that is not text has none.
        body = raw.body.decode("utf-8")
    except UnicodeDecodeError:
        raise NoticeMalformed("The body is not UTF-8.") from None
    # The SDK compares in constant time, and that comparison raises TypeError for anything but ASCII.
    signed = header.isascii() and any(
        _signed_by(secret, body=body, header=header, now=raw.received_at) for secret in secrets
    )
    if not signed:
        raise BadSignature("The Stripe-Signature header does not fit this body, or is too old or in the future.")
    return events.parsed_event(raw.body)


def _signed_by(secret: str, *, body: str, header: str, now: datetime) -> bool:
    try:
        # The age is checked below against `now`, both ways; the SDK would read its own clock, one way.
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except stripe.SignatureVerificationError:
        return False
    # Whole numbers: a time of three hundred digits is too large for a float.
    return abs(int(now.timestamp()) - _signed_at(header)) <= _TOLERANCE_SECONDS


def _signed_at(header: str) -> int:
    # Exactly the SDK's reading of the header. Were ours kinder to a stray space, " t=now,t=then" would show us
    # another time than the one that was signed, and an old delivery could be replayed.
    return next(int(part.split("=", 2)[1]) for part in header.split(",") if part.split("=", 2)[0] == "t")
