"""What each event type means for us."""

from collections.abc import Callable, Mapping
from typing import Any

from payproc.providers.base import Ignored, Notice, Outcome, Postponed, References, StoredReading
from payproc.providers.stripe import wire

Json = Mapping[str, Any]

_Reader = Callable[[Json], tuple[References, Outcome]]


def _session(found: Json) -> tuple[References, Outcome]:
    return wire.session_references(found), wire.session_outcome(found)


def _intent(found: Json) -> tuple[References, Outcome]:
    return wire.intent_references(found), wire.intent_outcome(found)


def _failed_session(found: Json) -> tuple[References, Outcome]:
    # The event says it failed; the session inside still says "complete, unpaid" and has no intent to look at.
    return wire.session_references(found), wire.failed_session_outcome(found)


# Every event of stripe.md §2.4 that concerns a payment.
_READERS: dict[str, _Reader] = {
    "checkout.session.completed": _session,
    "checkout.session.async_payment_succeeded": _session,
    "checkout.session.async_payment_failed": _failed_session,
    "checkout.session.expired": _session,
    "payment_intent.succeeded": _intent,
    "payment_intent.processing": _intent,
    "payment_intent.payment_failed": _intent,
    "payment_intent.canceled": _intent,
}

# Checkout is the only way we speak to Stripe.
_DIALECTS = frozenset({"checkout"})

_LATER = ("refund.", "charge.refund", "charge.dispute.", "radar.early_fraud_warning.", "payout.")


def read(event: Json, *, live_mode: bool) -> StoredReading:
    """Read a snapshot event that has the right shape."""
    key, kind = event["id"], event["type"]
    if event.get("livemode") is not live_mode:
        return Ignored(key=key, kind=kind, reason="the event is of the other mode (live or test)")
    if event.get("account"):
        return Ignored(key=key, kind=kind, reason="the event is of a connected account")
    if kind.startswith(_LATER):
        return Postponed(key=key, kind=kind, reason="refunds, disputes and payouts are not applied yet")
    reader = _READERS.get(kind)
    if reader is None:
        return Ignored(key=key, kind=kind, reason="the event type concerns no payment")
    found = event["data"]["object"]
    references, outcome = reader(found)
    return Notice(
        key=key,
        kind=kind,
        payment_id=_our_id(found),
        references=references,
        outcome=outcome,
        dialects=_DIALECTS,
    )


def _our_id(found: Json) -> str | None:
    metadata = found.get("metadata")
    named = metadata.get(wire.PAYMENT_ID) if isinstance(metadata, Mapping) else None
    return wire.text(named) or wire.text(found.get("client_reference_id"))
