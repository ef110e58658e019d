"""What each event type means for us."""

from collections.abc import Callable, Mapping
from typing import Any

from payproc.domain.ids import Prefix
from payproc.domain.references import References
from payproc.providers.answers import Outcome
from payproc.providers.notices import (
    DisputeNotice,
    FailedPayout,
    FraudWarning,
    Ignored,
    Notice,
    ParsedNotice,
    Postponed,
    Proven,
    RefundNotice,
)
from payproc.providers.stripe.wire import checkout, disputes, refunds

Json = Mapping[str, Any]

_Reader = Callable[[Json], tuple[References, Outcome]]


def _session(found: Json) -> tuple[References, Outcome]:
    return checkout.session_references(found), checkout.session_outcome(found)


def _intent(found: Json) -> tuple[References, Outcome]:
    return checkout.intent_references(found), checkout.intent_outcome(found)


def _failed_session(found: Json) -> tuple[References, Outcome]:
    # The event says it failed; the session inside still says "complete, unpaid" and has no intent to look at.
    return checkout.session_references(found), checkout.failed_session_outcome(found)


# Every type in Stripe's "Types of events" (API reference, November 2026) that moves a payment of Checkout's.
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

# Each carries the whole refund; `charge.refund.updated` is the older name of `refund.updated`.
_REFUNDS = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
_DISPUTES = "charge.dispute."
_FAILED_PAYOUT = "payout.failed"
_FRAUD_WARNINGS = ("radar.early_fraud_warning.created", "radar.early_fraud_warning.updated")
# What Stripe's list of events is asked for, which takes no more than twenty and no `charge.dispute.*`.
KINDS = (
    *_READERS,
    *sorted(_REFUNDS),
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    *_FRAUD_WARNINGS,
    _FAILED_PAYOUT,
)
_READ_ELSEWHERE = {
    "charge.refunded": "each refund is told by an event of its own",
    "payout.": "payouts that arrive are read from Stripe's list once a day",
}


def named(event: Json, *, live_mode: bool) -> Proven | Ignored:
    """Name an event that has the right shape, and say whether it concerns a payment of ours."""
    key, kind = event["id"], event["type"]
    reason = _why_ignored(event, kind, live_mode=live_mode)
    return Proven(key=key, kind=kind) if reason is None else Ignored(key=key, kind=kind, reason=reason)


def _why_ignored(event: Json, kind: str, *, live_mode: bool) -> str | None:
    if event.get("livemode") is not live_mode:
        return "the event is of the other mode (live or test)"
    if event.get("account"):
        return "the event is of a connected account"
    if kind in KINDS or kind in _REFUNDS or kind.startswith(_DISPUTES):
        return None
    reasons = (reason for start, reason in _READ_ELSEWHERE.items() if kind.startswith(start))
    return next(reasons, "the event type concerns no payment")


def read(event: Json, *, live_mode: bool) -> ParsedNotice:
    """Read a snapshot event that has the right shape."""
    event_named = named(event, live_mode=live_mode)
    if isinstance(event_named, Ignored):
        return event_named
    key, kind, found = event_named.key, event_named.kind, event["data"]["object"]
    if kind in _REFUNDS:
        return _refund(key, kind, found)
    if kind.startswith(_DISPUTES):
        return _dispute(key, kind, found, created=event.get("created"))
    if kind == _FAILED_PAYOUT:
        return FailedPayout(key=key, kind=kind)
    if kind in _FRAUD_WARNINGS:
        return _fraud_warning(key, kind, found)
    references, outcome = _READERS[kind](found)
    payment_id = _our_id(found)
    return Notice(
        key=key,
        kind=kind,
        payment_id=payment_id,
        references=references,
        outcome=outcome,
        dialects=_DIALECTS,
        marked=payment_id is not None,
    )


def _our_id(found: Json) -> str | None:
    # Only what our key writes is evidence. A session's `client_reference_id` is not: whoever opens a Payment Link
    # writes it into the address. Others who share the account use our field too, for ids of their own.
    written = checkout.marked_payment(found)
    return written if written is not None and written.startswith(f"{Prefix.PAYMENT}_") else None


def _refund(key: str, kind: str, found: Json) -> ParsedNotice:
    refund = refunds.remote(found)
    if refund is None or refund.money is None:
        return Postponed(key=key, kind=kind, reason="its refund has no id or amount that we can read")
    marked = refund.refund_id is not None
    return RefundNotice(key=key, kind=kind, refund=refund, dialects=_DIALECTS, marked=marked)


def _fraud_warning(key: str, kind: str, found: Json) -> FraudWarning:
    return FraudWarning(
        key=key,
        kind=kind,
        references=checkout.payment_references(found),
        # A word that cannot be read asks a person rather than nobody.
        actionable=found.get("actionable") is not False,
        dialects=_DIALECTS,
    )


def _dispute(key: str, kind: str, found: Json, *, created: object) -> ParsedNotice:
    reported_at = checkout.moment(created)
    dispute = disputes.remote(found, reported_at=reported_at) if reported_at else None
    if dispute is None or dispute.money is None:
        return Postponed(key=key, kind=kind, reason="its dispute has no id, time or amount that we can read")
    return DisputeNotice(key=key, kind=kind, dispute=dispute, dialects=_DIALECTS)
