"""Stripe's words for refunds and ours, both ways. Pure functions."""

from collections.abc import Mapping
from typing import Any

from payproc.domain.references import Reference
from payproc.domain.settlement import RefundOutcome, RefundVerdict, RemoteRefund
from payproc.providers.requests import RefundRequest
from payproc.providers.stripe.wire import checkout

Json = Mapping[str, Any]

# Stripe copies nothing from a charge to its refund: ours is known by what we set.
REFUND_ID = "refund_id"

# The one reason that ends by our doing alone: the account is to be topped up.
_BALANCE_SHORT = "insufficient_funds"

_VERDICTS = {
    "succeeded": RefundVerdict.SUCCEEDED,
    "pending": RefundVerdict.PENDING,
    "requires_action": RefundVerdict.PENDING,
    "failed": RefundVerdict.FAILED,
    "canceled": RefundVerdict.CANCELLED,
}


def parameters(request: RefundRequest) -> dict[str, Any]:
    """Words of POST /v1/refunds.

    No `reason`: of its three words `fraudulent` puts the customer on a block list, and ours is free text.
    """
    return {
        "payment_intent": request.payment.references[Reference.STRIPE_PAYMENT_INTENT],
        "amount": request.money.amount_minor,
        "metadata": {
            REFUND_ID: request.refund_id,
            checkout.PAYMENT_ID: request.payment.payment_id,
            "reference": request.payment.reference,
        },
    }


def outcome(refund: Json) -> RefundOutcome:
    """Read how a refund stands. `succeeded` means sent: a bank may return it for a month, and then it is `failed`."""
    status = str(refund.get("status"))
    verdict = _VERDICTS.get(status, RefundVerdict.UNKNOWN)
    waits_for = checkout.text(refund.get("pending_reason")) if verdict is RefundVerdict.PENDING else None
    ended = verdict in (RefundVerdict.FAILED, RefundVerdict.CANCELLED)
    return RefundOutcome(
        verdict=verdict,
        provider_id=checkout.text(refund.get("id")),
        pending_reason=waits_for,
        awaits_merchant=waits_for == _BALANCE_SHORT,
        failure_code=(checkout.text(refund.get("failure_reason")) or status) if ended else None,
    )


def remote(refund: Json) -> RemoteRefund | None:
    """Read a refund as Stripe shows it; None for what has no id."""
    provider_id = checkout.text(refund.get("id"))
    if provider_id is None:
        return None
    metadata = checkout.metadata(refund)
    return RemoteRefund(
        provider_id=provider_id,
        references=checkout.payment_references(refund),
        money=checkout.money(refund.get("amount"), refund.get("currency")),
        outcome=outcome(refund),
        refund_id=checkout.text(metadata.get(REFUND_ID)),
        payment_id=checkout.marked_payment(refund),
        reason=checkout.text(refund.get("reason")),
        created_at=checkout.moment(refund.get("created")),
    )
