"""What is asked and answered about reconciliation, as the OpenAPI document shows it."""

from datetime import date, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field

from payproc.database.models import FindingKind, Loop, ReconciliationFinding, ReconciliationRun, RunState
from payproc.reconcile.classification import Severity, severity_of
from payproc.reconcile.report import DriftDay
from web.schemas.base import Answer, Asked, PageQuery, Query


class RunPath(Asked):
    """Which run."""

    run_id: str = Field(max_length=64, examples=["run_01kaw5m0v7e1cbb4wsy0s9p6jd"])


class FindingsQuery(PageQuery):
    """Which findings, and what they are written in; newest first."""

    is_open: bool | None = Field(
        default=None, alias="open", description="Only those that are still open, or only the closed ones."
    )
    kind: FindingKind | None = None
    format: Literal["json", "csv"] = Field(default="json", description="csv: all of them, without pages.")


class DriftQuery(Query):
    """How many days, up to today (UTC)."""

    days: int = Field(default=30, ge=1, le=366)


class RunAnswer(Answer):
    """One comparison of our rows with what a provider has."""

    id: str = Field(examples=["run_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    loop: Loop
    provider: str = Field(examples=["stripe"])
    period: str = Field(description="What it was started for; no period is run twice.")
    dry_run: bool
    state: RunState
    window_begin: datetime = Field(description="Things made from then on were compared,")
    window_end: datetime = Field(description="and until then.")
    counts: dict[str, dict[str, int]] = Field(
        description="How many were compared, found, repaired and closed.",
        examples=[{"compared": {"payments": 120}, "found": {"missing_local": 1}, "repaired": {"missed_event": 2}}],
    )
    calls: int = Field(description="Calls to the provider.")
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None = Field(description="Null until it is finished.", examples=[5300])

    @classmethod
    def of(cls, run: ReconciliationRun) -> Self:
        """Show a run."""
        took = None if run.finished_at is None else (run.finished_at - run.started_at) // timedelta(milliseconds=1)
        return cls.of_row(run, duration_ms=took)


class RunDetailAnswer(RunAnswer):
    """A run with what a dry one found."""

    sample: list[dict[str, Any]] = Field(description="Differences met by a dry run, which writes none down elsewhere.")


class RunsAnswer(Answer):
    """One page of runs, newest first."""

    runs: list[RunAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class FindingAnswer(Answer):
    """One thing that two records tell differently."""

    id: str = Field(examples=["fnd_01kaw5m0v7e1cbb4wsy0s9p6jd"])
    severity: Severity
    kind: FindingKind
    provider: str = Field(examples=["stripe"])
    loop: Loop
    ours: str = Field(description="Our id of it; empty where we have none.")
    theirs: str = Field(description="The provider's id of it; empty where it has none.")
    payment_id: str | None
    detail: str
    subject_at: datetime = Field(description="When the thing it is about was made.")
    run_id: str = Field(description="The run that opened it.")
    opened_at: datetime
    repaired_at: datetime | None
    closed_at: datetime | None

    @classmethod
    def of(cls, finding: ReconciliationFinding) -> "FindingAnswer":
        """Show a finding."""
        return cls.of_row(finding, severity=severity_of(finding.kind))


class FindingsAnswer(Answer):
    """One page of findings, newest first."""

    findings: list[FindingAnswer]
    next_cursor: str | None = Field(description="Null on the last page.")


class DriftOfKindAnswer(Answer):
    """What became of one kind on one day."""

    kind: FindingKind
    severity: Severity
    opened: int
    repaired: int
    open_at_end: int = Field(description="Today: open now.")


class DriftDayAnswer(Answer):
    """One day (UTC); kinds of which there was none are left out."""

    day: date
    kinds: list[DriftOfKindAnswer]

    @classmethod
    def of(cls, day: DriftDay) -> "DriftDayAnswer":
        """Show a day."""
        kinds = [DriftOfKindAnswer.of_row(each, severity=severity_of(each.kind)) for each in day.kinds]
        return cls(day=day.day, kinds=kinds)


class DriftAnswer(Answer):
    """Each day's findings, oldest day first; the last is today."""

    days: list[DriftDayAnswer]
