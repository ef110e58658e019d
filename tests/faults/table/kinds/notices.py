"""Webhooks on their way, and the mail server."""

from tests.faults.table.grounds import Grounds
from tests.faults.table.row import Fault

_SECONDS = 4


def _ordered(title: str, operation: str, fault: str, **more: object) -> Fault:
    def happen(grounds: Grounds) -> None:
        grounds.fault(operation, fault, **more)
        grounds.hold(_SECONDS)

    return Fault(title=title, happen=happen, undo=lambda grounds: grounds.no_faults())


FAULTS = (
    _ordered("webhooks: each twice", "webhook", "duplicate"),
    _ordered("webhooks: out of order, up to 3 s", "webhook", "shuffle", seconds=3),
    _ordered("webhooks: dropped by their sender", "webhook", "drop"),
    _ordered("webhooks: 5 s late", "webhook", "delay", seconds=5),
    _ordered("mail server: hangs up on everybody", "smtp", "down"),
    _ordered("mail server: two seconds a letter", "smtp", "slow", seconds=2),
    _ordered("mail server: refuses every third letter", "smtp", "refuse", every=3),
)
