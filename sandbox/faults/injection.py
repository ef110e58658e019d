"""How an ordered API fault looks on the wire, where it looks the same for every gateway."""

import math
import socket
from contextlib import suppress
from threading import Event

from flask import Response, request

from sandbox.faults.orders import ApiFault, Order

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
        case ApiFault.HTML_200:
            return Response(HTML, 200, mimetype="text/html")
        case _:
            return None


def with_fault(order: Order | None, response: Response) -> Response:
    """Return what the caller gets of the answer to a call that was executed."""
    if order is None:
        return response
    match order.fault:
        case ApiFault.TIMEOUT_AFTER:
            return Response(status=NO_ANSWER)
        case ApiFault.ERROR_502_AFTER:
            return Response("<html><body>502 Bad Gateway</body></html>", 502, mimetype="text/html")
        case ApiFault.TRUNCATED_JSON:
            return truncated(response)
        case _:
            return response


def retry_after(response: Response, order: Order) -> Response:
    """Name the wait of a 429, in whole seconds; an order of 0 seconds names none."""
    if order.seconds > 0:
        response.headers["Retry-After"] = str(math.ceil(order.seconds))
    return response


def truncated(response: Response) -> Response:
    """Return the first half of the answer, under its own status."""
    whole = response.get_data()
    return Response(whole[: len(whole) // 2], response.status_code, mimetype="application/json")


def hang_up(seconds: float, stopping: Event) -> None:
    """Hold the connection for so many seconds, then close it without a byte of an answer."""
    stopping.wait(seconds)
    connection = request.environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # the caller may have hung up first
            connection.shutdown(socket.SHUT_RDWR)
