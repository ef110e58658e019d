"""How many requests, and which: the same ones in each `make test`, others in each `make fuzz`."""

import os
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "10000"))
SEED = int(os.environ.get("FUZZ_SEED", "12"))

_A_ROUND = 2000
# Nothing is kept between runs: what is drawn follows from the seed alone.
_ALWAYS: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate, Phase.shrink],
    "suppress_health_check": list(HealthCheck),
}


def run_many(test: Callable[..., None], *, count: int, what: str, **drawn: SearchStrategy[Any]) -> None:
    """Run a test so often over what is drawn, from this run's seed of `what` it asks: no two ask in step.

    In rounds, because Hypothesis remembers all that it drew in one. Raises what the test does.
    """
    for number, begin in enumerate(range(0, count, _A_ROUND)):
        one = settings(max_examples=min(_A_ROUND, count - begin), **_ALWAYS)(given(**drawn)(test))
        seed(SEED + number + zlib.crc32(what.encode()))(one)()


def again() -> str:
    """Say how what was just seen is seen again."""
    return f"make fuzz SEED={SEED} REQUESTS={REQUESTS}"
