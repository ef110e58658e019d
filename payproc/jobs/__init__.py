"""The job table: stage, dispatch, claim, finish, retry later, bury.

PostgreSQL is the record, Celery the doorbell. A row is staged in the transaction that causes the work. The relay
*dispatches*: it leases due rows and sends their ids. A worker *claims*: it trades the message's token for a token of
its own, so a message delivered twice starts once, and holds the row by renewing its lease while it runs. Whatever dies,
a lease runs out and the row is due again.

All durations are measured by the database's clock: hosts disagree, the database does not disagree with itself.
"""

from payproc.jobs.due import JUST_NOW, Dispatched, dispatch, looking, recall
from payproc.jobs.hold import moment
from payproc.jobs.kinds import USUAL_LIMITS, Kind, Policy, Queue, Turn, provider_queue, push_queue
from payproc.jobs.leases import (
    MOST_CRASHES,
    Claimed,
    Later,
    LeaseLost,
    NotReached,
    await_turn,
    await_turns,
    backoff,
    bury,
    bury_by_hand,
    check_held,
    claim,
    count_crash,
    finish,
    finish_all,
    renew,
    requeue,
    resume_later,
    retry_all_later,
    retry_later,
    secure,
)
from payproc.jobs.queue import (
    READY,
    STAGED,
    bringing_forward,
    bringing_forward_apart,
    first_job,
    go_on,
    is_open,
    stage,
    stage_apart,
    staging_first,
    withdraw,
    withdrawing,
)

__all__ = [
    "JUST_NOW",
    "MOST_CRASHES",
    "READY",
    "STAGED",
    "USUAL_LIMITS",
    "Claimed",
    "Dispatched",
    "Kind",
    "Later",
    "LeaseLost",
    "NotReached",
    "Policy",
    "Queue",
    "Turn",
    "await_turn",
    "await_turns",
    "backoff",
    "bringing_forward",
    "bringing_forward_apart",
    "bury",
    "bury_by_hand",
    "check_held",
    "claim",
    "count_crash",
    "dispatch",
    "finish",
    "finish_all",
    "first_job",
    "go_on",
    "is_open",
    "looking",
    "moment",
    "provider_queue",
    "push_queue",
    "recall",
    "renew",
    "requeue",
    "resume_later",
    "retry_all_later",
    "retry_later",
    "secure",
    "stage",
    "stage_apart",
    "staging_first",
    "withdraw",
    "withdrawing",
]
