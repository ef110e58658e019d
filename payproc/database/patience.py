"""How long a connection waits before it gives up: for a lock, for a statement, for whoever holds it, and for the wire.

Better an error that is tried again than a process that hangs, and others behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

# A server that is there and silent, or gone without a word, as one behind a network that was cut: what was sent and
# not acknowledged, or asked for and answered by no sign of life, is given up after fifteen seconds (libpq, "Database
# Connection Control Functions"; tcp(7), TCP_USER_TIMEOUT in milliseconds).
WIRE: Mapping[str, int] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """What the server waits for on behalf of one session; None is for ever."""

    lock: timedelta = timedelta(seconds=10)
    statement: timedelta | None = timedelta(seconds=30)
    # No call to a provider is made inside a transaction, so there is nothing that one may wait for: a process that
    # was stopped, or that nobody hears any more, must not keep its rows from all others.
    idle_in_transaction: timedelta = timedelta(seconds=30)

    @property
    def settings(self) -> Mapping[str, str]:
        """Write it as the server reads it, by the names of its settings."""
        waits = {
            "lock_timeout": self.lock,
            "statement_timeout": self.statement,
            "idle_in_transaction_session_timeout": self.idle_in_transaction,
        }
        return {name: _written(wait) for name, wait in waits.items() if wait is not None}


def _written(wait: timedelta) -> str:
    # In whole seconds where it is some: so an operator is told it.
    seconds, rest = divmod(wait, timedelta(seconds=1))
    return f"{wait // timedelta(milliseconds=1)}ms" if rest else f"{seconds}s"


OURS = Patience()
# To build an index may take as long as it takes. To wait for its table keeps all waiting who come after: give up long
# before any of those would, and let whoever called try again.
OF_A_MIGRATION = Patience(lock=timedelta(seconds=2), statement=None)
