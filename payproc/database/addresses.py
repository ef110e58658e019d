"""How a session is opened at an address, and what it is told; `?pooler=transaction` says that PgBouncer is there.

A pooler lends a session for a transaction, and another one for the next. So nothing may be prepared in one; and what a
session is to be told stands with its role, for a pooler takes no `options`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, make_url

from payproc.database.patience import OURS, WIRE, Patience

POOLER = "pooler"


def told(patience: Patience) -> Mapping[str, str]:
    """Return what a session is told, by the names of the server's settings."""
    # Nothing of ours is worth compiling: of what may read a large table PostgreSQL expects the worst, and compiles for
    # longer than it then runs.
    return {"timezone": "UTC", **patience.settings, "jit": "off"}


SESSION = told(OURS)


def is_pooled(url: str) -> bool:
    """Tell whether sessions are lent there. Raises what SQLAlchemy does for what is no address."""
    return POOLER in make_url(url).query


def way(url: str, *, patience: Patience = OURS) -> tuple[URL, dict[str, Any]]:
    """Return the address itself, and what the driver is told beside it so that sessions wait so long and no longer.

    Raises what SQLAlchemy does for what is no address.
    """
    address = make_url(url)
    if POOLER in address.query:
        return address.difference_update_query([POOLER]), {**WIRE, "prepare_threshold": None}
    options = " ".join(f"-c {name}={value}" for name, value in told(patience).items())
    return address, {**WIRE, "options": options}
