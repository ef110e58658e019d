"""Where the workers' circuit breakers are written down, so that the front can show them."""

from datetime import timedelta

import structlog
from sqlalchemy import Interval, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.database.engine import Database
from payproc.database.models import Circuit
from payproc.domain.payment_methods import PaymentMethod

log = structlog.get_logger()

# A breaker in use opens anew at each failed probe. What nobody has confirmed for this long was a worker that died.
_BELIEVED_FOR = timedelta(minutes=10)
# Short for who waits, and long for a gateway that has just come back: what failed for an hour comes in so many seconds.
_SPREAD = timedelta(seconds=4)


class CircuitStatusStore:
    """Keeps the last state of each circuit breaker."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, method: PaymentMethod, operation: str, state: str) -> None:
        """Write a new state down; what waited for a provider that answers again goes on.

        A database in trouble does not stop a call: the breaker works without it.
        """
        log.warning("circuit changed", provider=method, operation=operation, state=state)
        row = insert(Circuit).values(provider=method, operation=operation, state=state)
        changed = row.on_conflict_do_update(
            index_elements=[Circuit.provider, Circuit.operation],
            set_={"state": row.excluded.state, "changed_at": func.now()},
        )
        try:
            with self._database.transaction() as session:
                session.execute(changed)
                if state == "closed":
                    jobs.go_on(session, method, within=_SPREAD)
        except SQLAlchemyError as trouble:
            log.warning("circuit not noted", error=type(trouble).__name__)

    def is_closed(self, method: PaymentMethod, operation: str) -> bool:
        """Whether the last word of any worker is that this gateway answers; a database in trouble knows of none."""
        found = select(Circuit.state).where(Circuit.provider == method, Circuit.operation == operation)
        try:
            with self._database.transaction() as session:
                return session.scalar(found) == "closed"
        except SQLAlchemyError:
            return False


def states(session: Session) -> dict[str, str]:
    """Return the state of each breaker by "provider operation"; one that nobody has spoken of lately is closed."""
    lately = Circuit.changed_at > func.now() - literal(_BELIEVED_FOR, Interval)
    rows = session.execute(select(Circuit.provider, Circuit.operation, Circuit.state, lately))
    return {f"{provider} {operation}": state if fresh else "closed" for provider, operation, state, fresh in rows}
