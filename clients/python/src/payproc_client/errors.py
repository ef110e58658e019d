"""What can go wrong, as classes: by the `code` of a problem where it has one of its own, else by its status."""

from collections.abc import Mapping
from typing import Any, ClassVar


class PayprocError(Exception):
    """Base of all. `code` is stable and for programs, the message for people; `problem` is the whole answer.

    `request_id` names the request in the processor's log; `field` is what to change of it, where one is to blame.
    """

    codes: ClassVar[tuple[str, ...]] = ()
    statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(
        self, message: str, *, code: str = "", status: int = 0, problem: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.status = code, status
        self.problem: Mapping[str, Any] = problem or {}
        self.request_id: str | None = self.problem.get("request_id")
        self.field: str | None = self.problem.get("field")


class NotAnswered(PayprocError):
    """Nobody answered, or not in words that can be read. What was asked for under a key may have been done."""


class NotAuthenticated(PayprocError):
    """No key, or none that is accepted."""

    statuses = (401,)


class NotAllowed(PayprocError):
    """A good key that may not do this."""

    statuses = (403,)


class NotFound(PayprocError):
    """No such thing, or not yours."""

    statuses = (404,)


class Conflict(PayprocError):
    """Right words, wrong moment."""

    statuses = (409,)


class InvalidRequest(PayprocError):
    """The words are wrong: change them."""

    statuses = (400, 413, 414, 415, 422)


class TooManyRequests(PayprocError):
    """The same again, after a while."""

    statuses = (429,)


class Unavailable(PayprocError):
    """The processor cannot now: the same again, after a while."""

    statuses = (500, 502, 503, 504)


class OrderNotFound(NotFound):
    """No such order."""

    codes = ("order_not_found",)


class PaymentNotFound(NotFound):
    """No such payment."""

    codes = ("payment_not_found",)


class RefundNotFound(NotFound):
    """No such refund."""

    codes = ("refund_not_found",)


class PaymentMethodUnavailable(NotFound):
    """This payment method is not set up."""

    codes = ("payment_method_unavailable",)


class OrderExists(Conflict):
    """Another order has this reference."""

    codes = ("order_exists",)


class OrderPaid(Conflict):
    """The order is paid."""

    codes = ("order_paid",)


class OrderClosed(Conflict):
    """The order is closed."""

    codes = ("order_closed",)


class OrderExpired(Conflict):
    """The order's time is over."""

    codes = ("order_expired",)


class PaymentEnded(Conflict):
    """The payment has ended."""

    codes = ("payment_ended",)


class PaymentDisputed(Conflict):
    """The customer's bank asks for this payment back, and decides."""

    codes = ("payment_disputed",)


class PaymentNotRefundable(Conflict):
    """There is nothing to give back of this payment."""

    codes = ("payment_not_refundable",)


class RefundExceedsPayment(Conflict):
    """More than is left of the payment."""

    codes = ("refund_exceeds_payment",)


class RefundInFlight(Conflict):
    """Another refund of this payment is on its way."""

    codes = ("refund_in_flight",)


class RefundWindowOver(Conflict):
    """The payment is too old to be given back."""

    codes = ("refund_window_over",)


class IdempotencyKeyInUse(Conflict):
    """The first request under this key is still being carried out."""

    codes = ("idempotency_key_in_use",)


class IdempotencyKeyReused(InvalidRequest):
    """This key came before, with another body."""

    codes = ("idempotency_key_reused",)


def _below(base: type[PayprocError]) -> list[type[PayprocError]]:
    return [found for each in base.__subclasses__() for found in (each, *_below(each))]


_BY_CODE = {code: each for each in _below(PayprocError) for code in each.codes}
_BY_STATUS = {status: each for each in PayprocError.__subclasses__() for status in each.statuses}


def error_of(status: int, problem: Mapping[str, Any]) -> PayprocError:
    """Make the error that a problem stands for."""
    code = str(problem.get("code") or "")
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, PayprocError)
    message = str(problem.get("detail") or problem.get("title") or f"answered {status}")
    return kind(message, code=code, status=status, problem=problem)
