"""How an ordered API fault looks on the wire."""

import json
import socket
from contextlib import suppress
from threading import Event

from flask import Response, request

from sandbox.stripe.errors import ErrorType, RefusedError, internal
from sandbox.stripe.faults import ApiFault, Order

# Not HTTP: what the log shows for a call whose caller never sees an answer.
NO_ANSWER = 499

HTML = "<!doctype html><title>Welcome</title><p>This network asks you to sign in first.</p>"


def stand_in(order: Order | None) -> Response | None:
    """Return the answer given in place of executing, when the fault is one of those."""
    if order is None:
        return None
    match order.fault:
        case ApiFault.TIMEOUT_BEFORE | ApiFault.DROP_CONNECTION:
            return Response(status=NO_ANSWER)
        case ApiFault.ERROR_500_BEFORE:
            return _refused(internal())
        case ApiFault.RATE_LIMIT_429:
            return _rate_limited()
        case ApiFault.CONFLICT_409:
            return _refused(_conflict())
        case ApiFault.HTML_200:
            return Response(HTML, 200, mimetype="text/html")
        case _:
            return None


def spoiled(order: Order | None, response: Response) -> Response:
    """Return what the caller gets of the answer to a call that was executed."""
    if order is None:
        return response
    match order.fault:
        case ApiFault.TIMEOUT_AFTER:
            return Response(status=NO_ANSWER)
        case ApiFault.ERROR_502_AFTER:
            return Response("<html><body>502 Bad Gateway</body></html>", 502, mimetype="text/html")
        case ApiFault.TRUNCATED_JSON:
            whole = response.get_data()
            return Response(whole[: len(whole) // 2], response.status_code, mimetype="application/json")
        case _:
            return response


def hang_up(order: Order | None, stopping: Event) -> None:
    """Hold the connection for the fault's seconds, then close it without a byte of an answer."""
    stopping.wait(0 if order is None else order.seconds)
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # the caller may have hung up first
            connection.shutdown(socket.SHUT_RDWR)


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
