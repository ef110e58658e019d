"""The answers of Stripe's that a fault puts in place of executing."""

import json

from flask import Response

from sandbox.faults import injection
from sandbox.faults.orders import ApiFault, Order
from sandbox.stripe.errors import ErrorType, RefusedError, internal


def stand_in(order: Order | None) -> Response | None:
    """Return the answer given in place of executing, when the fault is one of those."""
    if order is None:
        return None
    match order.fault:
        case ApiFault.ERROR_500_BEFORE:
            return _refused(internal())
        case ApiFault.RATE_LIMIT_429:
            return injection.retry_after(_rate_limited(), order)
        case ApiFault.CONFLICT_409:
            return _refused(_conflict())
        case _:
            return injection.stand_in(order)


def _refused(refusal: RefusedError) -> Response:
    return Response(json.dumps(refusal.body()), refusal.status, mimetype="application/json")


def _rate_limited() -> Response:
    response = _refused(
        RefusedError(
            "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            status=429,
            code="rate_limit",
        )
    )
    response.headers["Stripe-Rate-Limited-Reason"] = "global-rate"
    return response


def _conflict() -> RefusedError:
    return RefusedError(
        "There is currently another in-progress request using this Idempotent Key.",
        status=409,
        code="idempotency_key_in_use",
        error_type=ErrorType.INVALID_REQUEST,
    )
