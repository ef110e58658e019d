"""How a session is opened at an address, and what it is told; `?pooler=transaction` says that PgBouncer is there.

A pooler lends a session for a transaction, and another one for the next. So nothing may be prepared in one; and what a
session is to be told stands with its role, for a pooler takes no `options`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, make_url

POOLER = "pooler"

# A transaction that waits longer than this for a row, or runs longer than any of ours should, is stuck: better an error
# that is retried than a worker that hangs. Nothing of ours is worth compiling either: of what may read a large table
# PostgreSQL expects the worst, and compiles for longer than it then runs.
SESSION: Mapping[str, str] = {"timezone": "UTC", "lock_timeout": "10s", "statement_timeout": "30s", "jit": "off"}


def is_pooled(url: str) -> bool:
    """Tell whether sessions are lent there. Raises what SQLAlchemy does for what is no address."""
    return POOLER in make_url(url).query


def way(url: str, *, session: Mapping[str, str] = SESSION) -> tuple[URL, dict[str, Any]]:
    """Return the address itself, and what the driver is told beside it so that sessions are as `session` says.

    Raises what SQLAlchemy does for what is no address.
    """
    address = make_url(url)
    if POOLER in address.query:
        return address.difference_update_query([POOLER]), {"connect_timeout": 5, "prepare_threshold": None}
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    return address, {"connect_timeout": 5, "options": options}
