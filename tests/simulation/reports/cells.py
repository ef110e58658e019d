"""Which cells of the grids of states a run is to reach: all but those that no code can bring about."""

from collections.abc import Mapping

from payproc.domain.states import REFUND_TRANSITIONS, TRANSITIONS

# Grid, status and fact.
Cell = tuple[str, str, str]


def all_cells() -> set[Cell]:
    """Return every cell of both grids."""
    payments = {("payment", status.value, fact.value) for status, fact in TRANSITIONS}
    return payments | {("refund", status.value, fact.value) for status, fact in REFUND_TRANSITIONS}


def _refunds(fact: str, statuses: str) -> frozenset[Cell]:
    return frozenset(("refund", status, fact) for status in statuses.split())


# By the reason. Each is right to stand in its grid: it says what is to happen should the reason fall away.
NOT_BROUGHT_ABOUT: Mapping[str, frozenset[Cell]] = {
    "a refund is asked for as its row is made, and then it has no status yet": _refunds(
        "asked", "requested pending manual succeeded failed cancelled"
    ),
    "whatever moves a requested refund closes its question under the same lock, and only that question approves": (
        _refunds("approved", "pending manual succeeded failed cancelled")
    ),
    "the one that hands over asks under the payment's lock whether the refund is pending": _refunds(
        "handed_over", "manual succeeded failed cancelled"
    ),
    "only Stripe refuses a refund as given or charged back, the call under its key was never carried out then, and "
    "nobody else hears of the refund or is asked about it meanwhile": _refunds(
        "superseded", "manual succeeded failed cancelled"
    ),
    "a provider has a refund that waits for approval here only where a database was restored, and no run does that": (
        _refunds("under_way", "requested") | _refunds("succeeded", "requested") | _refunds("failed", "requested")
    ),
    "only a wallet's refund is given back by a person, and no wallet says that one of those is under way": _refunds(
        "under_way", "manual"
    ),
    "only Stripe says that a refund was cancelled, and a person gives back what is a wallet's": _refunds(
        "cancelled", "manual"
    ),
    "a payment is told of its refunds where it is completed, and of one undone where it is refunded, under its lock": (
        frozenset({("payment", "refunded", "refunded"), ("payment", "completed", "refund_undone")})
    ),
}


def unreachable() -> frozenset[Cell]:
    """Return the cells that no code can bring about."""
    return frozenset().union(*NOT_BROUGHT_ABOUT.values())


def reachable() -> frozenset[Cell]:
    """Return the cells that a long run must reach."""
    return frozenset(all_cells() - unreachable())
