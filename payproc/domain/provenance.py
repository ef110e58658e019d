"""Who said a thing, and what proves it."""

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Who told us a fact."""

    API = "api"
    NOTICE = "notice"
    POLL = "poll"
    RECONCILE = "reconcile"
    OPERATOR = "operator"


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Who told us something, and what proves it: the id of a notice, a call, a job, a run or a user."""

    source: Source
    evidence: str | None = None
