"""How many requests, and which: the same ones in each `make test`, others in each `make fuzz`."""

import os
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, seed, settings

Test = TypeVar("Test", bound=Callable[..., None])

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", "12"))

# Nothing is kept between runs: what is drawn follows from the seed alone.
_ALWAYS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate, Phase.shrink],
    "suppress_health_check": list(HealthCheck),
}


def times(count: int, *, what: str) -> Callable[[Test], Test]:
    """Have a test of Hypothesis's run so often, from this run's seed of `what` it asks: no two ask in step."""

    def decorated(test: Test) -> Test:
        seeded: Test = seed(SEED + zlib.crc32(what.encode()))(settings(max_examples=count, **_ALWAYS)(test))
        return seeded

    return decorated


def again() -> str:
    """Say how what was just seen is seen again."""
    return f"make fuzz SEED={SEED} REQUESTS={REQUESTS}"
