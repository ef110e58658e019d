"""How the connections to PostgreSQL are divided: every pool is a share of DATABASE_CONNECTIONS, so their sum is known.

At the limit of the server nothing says which process goes without: work is begun whose failure cannot be noted, and the
operator's own psql is turned away.
"""

from dataclasses import dataclass

from payproc.settings.fields import Servers

# A relay, and a command or a migration beside everything else.
_SINGLES = 2
# A web process accepts notices from a pool of their own, which is half as large as that of its transactions.
_WEB_SHARES = 3
# Beside a job's transaction its lease is renewed, and neither may wait for the other.
_LEAST_SHARE = 2


@dataclass(frozen=True, kw_only=True)
class Pools:
    """How many connections one process may open: for transactions, and for single statements beside them."""

    transactions: int
    statements: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.transactions + self.statements


ONE = Pools(transactions=1)


def _share(settings: Servers) -> int:
    shares = settings.worker_processes + _WEB_SHARES * settings.web_processes
    return (settings.database_connections - _SINGLES) // shares


def web_pools(settings: Servers) -> Pools:
    """Return the pools of one web process."""
    share = _share(settings)
    return Pools(transactions=(_WEB_SHARES - 1) * share, statements=share)


def worker_pools(settings: Servers) -> Pools:
    """Return the pools of one process of a worker. Its threads share them: a transaction is a few milliseconds long."""
    return Pools(transactions=_share(settings))


def total(settings: Servers) -> int:
    """Add up what all processes together may open."""
    web = settings.web_processes * web_pools(settings).total
    return web + settings.worker_processes * worker_pools(settings).total + _SINGLES


def connection_problems(settings: Servers) -> list[str]:
    """Name what is wrong where the sum leaves a process without connections to work with."""
    if _share(settings) >= _LEAST_SHARE:
        return []
    needed = _LEAST_SHARE * (settings.worker_processes + _WEB_SHARES * settings.web_processes) + _SINGLES
    processes = f"{settings.web_processes} processes of web and {settings.worker_processes} of workers"
    return [f"DATABASE_CONNECTIONS is {settings.database_connections}, and {processes} need {needed}"]


def room_problems(settings: Servers, *, room: int) -> list[str]:
    """Name what is wrong where the server takes fewer connections, `room`, than all processes together may open."""
    if total(settings) <= room:
        return []
    return [f"DATABASE_CONNECTIONS: the database takes {room}, and all processes together open {total(settings)}"]
