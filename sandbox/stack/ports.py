"""Which ports of 127.0.0.1 a stack listens on. PostgreSQL has a Unix socket instead."""

import random
import socket
from dataclasses import dataclass, fields
from typing import Self

# Below what kernels hand out for outgoing connections, so that nobody's call takes one between look and start.
_FIRST_FREE, _LAST_FREE = 10_000, 32_000


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One port a server."""

    web: int
    flower: int
    gateway: int
    smtp: int
    redis: int

    @classmethod
    def from_base(cls, base: int) -> Self:
        """Lay the ports out from a base, the same at each start."""
        return cls(web=base, flower=base + 4, gateway=base + 20, smtp=base + 25, redis=base + 79)

    @classmethod
    def free(cls) -> Self:
        """Choose ports that nobody listens on just now."""
        names = [field.name for field in fields(cls)]
        return cls(**dict(zip(names, free(len(names)), strict=True)))

    def taken(self) -> list[tuple[str, int]]:
        """Return name and number of those that somebody listens on."""
        numbers = [(field.name, getattr(self, field.name)) for field in fields(self)]
        return [(name, port) for name, port in numbers if not _is_free(port)]


def free(count: int) -> tuple[int, ...]:
    """Choose so many ports that nobody listens on just now."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randint(_FIRST_FREE, _LAST_FREE)  # noqa: S311 (not a secret)
        if _is_free(port):
            found.add(port)
    return tuple(found)


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
