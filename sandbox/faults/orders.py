"""Failures a test or a person orders in advance; each is used up by the calls it breaks."""

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from sandbox.store import Json

WEBHOOK = "webhook"
SMTP = "smtp"
ANY_API_CALL = "*"


class ApiFault(StrEnum):
    """What may go wrong with a call to a gateway, and whether it was executed."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    ERROR_500_BEFORE = "error_500_before"
    ERROR_500_AFTER = "error_500_after"
    ERROR_502_AFTER = "error_502_after"
    RATE_LIMIT_429 = "rate_limit_429"
    CONFLICT_409 = "conflict_409"
    BALANCE_SHORT = "balance_short"
    DROP_CONNECTION = "drop_connection"
    HTML_200 = "html_200"
    TRUNCATED_JSON = "truncated_json"
    BAD_SIGNATURE = "bad_signature"
    SLOW = "slow"


class WebhookFault(StrEnum):
    """What may go wrong with the delivery of an event or a notice."""

    DROP = "drop"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    SHUFFLE = "shuffle"
    BAD_SIGNATURE = "bad_signature"
    OLD_SIGNATURE = "old_signature"


class MailFault(StrEnum):
    """What may go wrong with the mail server."""

    REFUSE = "refuse"
    DOWN = "down"
    LOGIN = "login"
    SENDER = "sender"
    MAILBOX = "mailbox"
    QUOTA = "quota"
    SLOW = "slow"


# How long a fault lasts when the order does not say, in seconds.
USUAL_SECONDS = {
    ApiFault.TIMEOUT_BEFORE: 60.0,
    ApiFault.TIMEOUT_AFTER: 60.0,
    ApiFault.SLOW: 1.0,
    ApiFault.RATE_LIMIT_429: 1.0,
    WebhookFault.DELAY: 5.0,
    WebhookFault.SHUFFLE: 2.0,
    MailFault.SLOW: 1.0,
}

Fault = ApiFault | WebhookFault | MailFault

# The faults of each operation.
Possible = Mapping[str, frozenset[Fault]]


@dataclass(frozen=True)
class Order:
    """A fault waiting for its calls; `times` of None lasts until it is cleared.

    Of the calls that match it breaks one in `every`: the last of so many; `passed` says how many went well since.
    """

    id: int
    operation: str
    fault: Fault
    times: int | None
    seconds: float
    every: int = 1
    passed: int = 0


class UnknownFaultError(ValueError):
    """An order for a fault or an operation that does not exist."""


class Faults:
    """The orders still open, oldest first."""

    def __init__(self, *, calls: Possible, notices: Possible) -> None:
        self._lock = threading.Lock()
        self._calls = calls
        self._possible: Possible = {
            **calls,
            **notices,
            SMTP: frozenset(MailFault),
            ANY_API_CALL: frozenset[Fault]().union(*calls.values()),
        }
        self._orders: list[Order] = []
        self._next_id = 1

    def order(
        self, operation: str, fault: str, *, times: int | None = 1, seconds: float | None = None, every: int = 1
    ) -> Order:
        """Break `times` calls of the operation, the last of `every` so many; `seconds` of None is the fault's usual."""
        chosen = self._chosen(operation, fault)
        if every < 1:
            raise ValueError("every is 1 or more")
        length = USUAL_SECONDS.get(chosen, 0.0) if seconds is None else seconds
        with self._lock:
            made = Order(self._next_id, operation, chosen, times, length, every)
            self._next_id += 1
            self._orders.append(made)
        return made

    def take(self, operation: str, *, only: frozenset[Fault] | None = None) -> Order | None:
        """Use up one call of the oldest matching order, if there is one."""
        with self._lock:
            for place, order in enumerate(self._orders):
                if self._matches(order, operation) and (only is None or order.fault in only):
                    if order.passed + 1 < order.every:
                        self._orders[place] = replace(order, passed=order.passed + 1)
                        return None
                    self._use_up(place, order)
                    return order
        return None

    def listed(self) -> list[Json]:
        """Return the open orders as JSON."""
        with self._lock:
            return [asdict(order) for order in self._orders]

    def clear(self) -> None:
        """Cancel every open order."""
        with self._lock:
            self._orders.clear()

    def _use_up(self, place: int, order: Order) -> None:
        if order.times == 1:
            del self._orders[place]
        else:
            left = None if order.times is None else order.times - 1
            self._orders[place] = replace(order, times=left, passed=0)

    def _matches(self, order: Order, operation: str) -> bool:
        if order.operation == ANY_API_CALL:
            # Not every gateway knows every fault: such a call must not use the order up.
            return order.fault in self._calls.get(operation, frozenset())
        return order.operation == operation

    def _chosen(self, operation: str, fault: str) -> Fault:
        possible = self._possible.get(operation)
        if possible is None:
            known = ", ".join(sorted(self._possible))
            raise UnknownFaultError(f"no operation {operation!r}; there are {known}")
        for candidate in possible:
            if candidate == fault:
                return candidate
        known = ", ".join(sorted(possible))
        raise UnknownFaultError(f"no fault {fault!r} for {operation}; there are {known}")
