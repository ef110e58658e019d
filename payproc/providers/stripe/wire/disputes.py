"""Stripe's words for disputes, read. Pure functions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from payproc.domain.settlement import RemoteDispute
from payproc.domain.states import DisputeStatus
from payproc.providers.stripe.wire import balance, checkout

Json = Mapping[str, Any]

_STATUSES = {
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY_UNDER_REVIEW,
    "warning_closed": DisputeStatus.INQUIRY_CLOSED,
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "prevented": DisputeStatus.PREVENTED,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "appeal_needs_response": DisputeStatus.APPEAL_NEEDS_RESPONSE,
    "appeal_under_review": DisputeStatus.APPEAL_UNDER_REVIEW,
}


def remote(dispute: Json, *, reported_at: datetime) -> RemoteDispute | None:
    """Read a dispute as it stood at `reported_at` (UTC); None for what has no id."""
    provider_id = checkout.text(dispute.get("id"))
    if provider_id is None:
        return None
    evidence = dispute.get("evidence_details")
    return RemoteDispute(
        provider_id=provider_id,
        references=checkout.payment_references(dispute),
        money=checkout.money(dispute.get("amount"), dispute.get("currency")),
        # A word we do not know may want an answer: held, and shown to a person.
        status=_STATUSES.get(str(dispute.get("status")), DisputeStatus.UNKNOWN),
        reported_at=reported_at,
        charge_refundable=checkout.flag(dispute.get("is_charge_refundable")),
        lines=balance.lines(dispute.get("balance_transactions")),
        payment_id=checkout.marked_payment(dispute),
        reason=checkout.text(dispute.get("reason")),
        evidence_due_at=checkout.moment(evidence.get("due_by")) if isinstance(evidence, Mapping) else None,
        created_at=checkout.moment(dispute.get("created")),
    )
