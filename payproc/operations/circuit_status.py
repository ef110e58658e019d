"""Where the workers' circuit breakers are written down, so that the front can show them."""

from datetime import timedelta

import structlog
from sqlalchemy import Interval, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from payproc.database.engine import Database
from payproc.database.models import Circuit
from payproc.domain.payment_methods import PaymentMethod

log = structlog.get_logger()

# A breaker in use opens anew at each failed probe. What nobody has confirmed for this long was a worker that died.
_BELIEVED_FOR = timedelta(minutes=10)


class CircuitStatusStore:
    """Keeps the last state of each circuit breaker."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, method: PaymentMethod, operation: str, state: str) -> None:
        """Write a new state down. A database in trouble does not stop a call: the breaker works without it."""
        log.warning("circuit changed", provider=method, operation=operation, state=state)
        row = insert(Circuit).values(provider=method, operation=operation, state=state)
        changed = row.on_conflict_do_update(
            index_elements=[Circuit.provider, Circuit.operation],
            set_={"state": row.excluded.state, "changed_at": func.now()},
        )
        try:
            with self._database.transaction() as session:
                session.execute(changed)
        except SQLAlchemyError as trouble:
            log.warning("circuit not noted", error=type(trouble).__name__)


def states(session: Session) -> dict[str, str]:
    """Return the state of each breaker by "provider operation"; one that nobody has spoken of lately is closed."""
    lately = Circuit.changed_at > func.now() - literal(_BELIEVED_FOR, Interval)
    rows = session.execute(select(Circuit.provider, Circuit.operation, Circuit.state, lately))
    return {f"{provider} {operation}": state if fresh else "closed" for provider, operation, state, fresh in rows}
