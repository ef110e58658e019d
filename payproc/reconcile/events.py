"""Notices that never arrived: whatever the provider's own list has goes into the same inbox, where most are known."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from payproc.database.models import ReconciliationRun
from payproc.flows.inbox import accept
from payproc.providers.listing import RemoteEvent, Window
from payproc.reconcile import findings
from payproc.reconcile.objects import pages
from payproc.reconcile.runs import Batch, Step, Steps, Work

# An event may become visible late, and the inbox knows what it has: looking twice costs a page.
OVERLAP = timedelta(hours=1)
# The provider forgets events after thirty days; what is older, the objects tell.
_REMEMBERED = timedelta(days=29)
_FIRST_LOOK = timedelta(days=1)


def window(now: datetime, last_end: datetime | None) -> Window:
    """Say which events to list: since the last look, with an overlap (UTC)."""
    since = now - _FIRST_LOOK if last_end is None else last_end - OVERLAP
    return Window(begin=max(since, now - _REMEMBERED), end=now)


def fetch(work: Work, cursor: str | None) -> Batch[RemoteEvent]:
    """Ask for one page of events."""
    return pages.page_of(work, lambda: work.listing.list_events(work.window, cursor=cursor))


def settle(session: Session, work: Work, run: ReconciliationRun, batch: Batch[RemoteEvent]) -> None:
    """Put what never arrived into the inbox; the jobs that apply it are staged with it."""
    pages.report_unreadable(session, run, batch.unreadable)
    if run.dry_run:
        new = accept.unknown_keys(session, work.method, [event.key for event in batch.items])
        findings.count(run, "events", "would be kept", by=len(new))
        return
    kept = sum(accept.keep_listed(work.app, session, work.method, event) for event in batch.items)
    findings.count(run, "events", "kept", by=kept)


STEPS: Steps = (Step(name="events", fetch=fetch, settle=settle),)
