"""How much a difference matters, by its kind (stripe.md §6.3)."""

from enum import StrEnum
from typing import assert_never

from payproc.database.models import FindingKind


class Severity(StrEnum):
    """What a difference asks of whoever reads of it, the worst first."""

    CRITICAL = "critical"  # one of the two records is wrong about money, or about whose it is: at once
    LOOK = "look"  # a person has to look, or to be told
    NOTE = "note"  # mended by itself, and worth counting


def severity_of(kind: FindingKind) -> Severity:
    """Say how much a kind matters."""
    match kind:
        case FindingKind.LOCAL_AHEAD | FindingKind.LIVEMODE_MISMATCH:
            return Severity.CRITICAL
        case FindingKind.MISSED_EVENT | FindingKind.STUCK | FindingKind.REFUND_MISSING_LOCAL:
            return Severity.NOTE
        case (
            FindingKind.MISSING_LOCAL
            | FindingKind.MISSING_REMOTE
            | FindingKind.AMOUNT_MISMATCH
            | FindingKind.CURRENCY_MISMATCH
            | FindingKind.STATUS_MISMATCH
            | FindingKind.REFUND_AMOUNT_MISMATCH
            | FindingKind.REFUND_FAILED_LATE
            | FindingKind.DUPLICATE_CHARGE
            | FindingKind.DISPUTE_UNKNOWN
            | FindingKind.LEDGER_IMBALANCE
            | FindingKind.FEE_MISSING
            | FindingKind.PAYOUT_SUM_MISMATCH
            | FindingKind.FX_UNEXPLAINED
            | FindingKind.UNREADABLE
        ):
            return Severity.LOOK
        case _:
            assert_never(kind)


def kinds_of(severity: Severity) -> frozenset[FindingKind]:
    """Return the kinds of one severity."""
    return frozenset(kind for kind in FindingKind if severity_of(kind) is severity)
