"""The wire of the wallets: what ordered faults do to a call, and the log of it."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response

from sandbox.faults import injection
from sandbox.faults.injection import NO_ANSWER, hang_up, truncated
from sandbox.faults.orders import ApiFault, Fault, Order, WebhookFault
from sandbox.wallets.magic import Manner
from sandbox.wallets.service import WalletService
from sandbox.wallets.transactions import Dialect

# What JazzCash's firewall says in place of the gateway's answer; it does not say what was executed.
FIREWALL_PAGE = (
    "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your"
    " administrator.<br><br>Your support ID is: 4207849484429473165<br><br>"
    "<a href='javascript:history.back();'>[Go Back]</a></body></html>"
)


# No wallet knows idempotency keys, so none is ever in use.
PLAIN_CALL: frozenset[Fault] = frozenset(ApiFault) - {
    ApiFault.CONFLICT_409,
    ApiFault.BALANCE_SHORT,
    ApiFault.BAD_SIGNATURE,
}
SIGNED_CALL: frozenset[Fault] = PLAIN_CALL | {ApiFault.BAD_SIGNATURE}
PLAIN_NOTICE: frozenset[Fault] = frozenset({WebhookFault.DROP, WebhookFault.DUPLICATE, WebhookFault.DELAY})
SIGNED_NOTICE: frozenset[Fault] = PLAIN_NOTICE | {WebhookFault.BAD_SIGNATURE}


@dataclass
class Call:
    """What a handler is told of its call, and how it asks for silence."""

    dialect: Dialect
    # The answer is to carry a signature of somebody else's.
    forged: bool = False
    # Seconds to hold the connection before closing it without an answer.
    hold: float | None = None


Handler = Callable[[Call], Response]


def served(service: WalletService, operation: str, dialect: Dialect, handler: Handler) -> Callable[..., Response]:
    """Return a view of the handler that obeys faults and is logged."""

    def view() -> Response:
        order = service.faults.take(operation)
        call = Call(dialect, forged=order is not None and order.fault is ApiFault.BAD_SIGNATURE)
        response = _stand_in(order)
        if response is None:
            if order is not None and order.fault is ApiFault.SLOW:
                service.stopping.wait(order.seconds)
            response = _with_fault(order, handler(call))
        if call.hold is not None:
            response = Response(status=NO_ANSWER)
        # Written before a connection is held open: a test wants to see the call while it hangs.
        service.journal.write(operation, dialect, response.status_code, order)
        if response.status_code == NO_ANSWER:
            hang_up(_seconds(call, order), service.stopping)
        return response

    return view


def in_manner(service: WalletService, call: Call, manner: Manner, answer: Response) -> Response:
    """Return what the number of a push leaves of the answer."""
    match manner:
        case Manner.PLAIN:
            return answer
        case Manner.HELD:
            call.hold = service.times.hold
            return answer
        case Manner.FIREWALL_PAGE:
            return Response(FIREWALL_PAGE, 200, mimetype="text/html")
        case Manner.TRUNCATED:
            return truncated(answer)


def _seconds(call: Call, order: Order | None) -> float:
    if call.hold is not None:
        return call.hold
    return 0 if order is None else order.seconds


def _stand_in(order: Order | None) -> Response | None:
    if order is None:
        return None
    match order.fault:
        case ApiFault.ERROR_500_BEFORE:
            return _internal()
        case ApiFault.RATE_LIMIT_429:
            return injection.retry_after(Response("Too Many Requests", 429, mimetype="text/plain"), order)
        case _:
            return injection.stand_in(order)


def _with_fault(order: Order | None, response: Response) -> Response:
    if order is not None and order.fault is ApiFault.ERROR_500_AFTER:
        return _internal()
    return injection.with_fault(order, response)


def _internal() -> Response:
    return Response("<html><body>500 Internal Server Error</body></html>", 500, mimetype="text/html")
