"""What is about to be done for a payment, and when."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.database.models import Job, JobState
from payproc.jobs import Kind


def next_steps(session: Session, payment_id: str) -> Mapping[str, datetime]:
    """Return when each kind of work about the payment itself is due (UTC), of what is staged and not done."""
    staged = select(Job.kind, Job.due_at).where(Job.subject == payment_id, Job.state == JobState.READY)
    return {Kind(kind): due_at for kind, due_at in session.execute(staged)}
