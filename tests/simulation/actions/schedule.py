"""What happens in a run, as a list that can be printed, read again, and made shorter."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.actions.weights import BY_NAME, WEIGHTS

_WRITTEN = re.compile(r"(\w+)\((\d+), (\d+)\)")
_LARGEST = 999


@dataclass(frozen=True)
class Step:
    """One thing that happens: an action by its name, whom it is about and how it goes."""

    action: str
    who: int
    how: int

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.action}({self.who}, {self.how})"


def drawn(seed: int, *, length: int) -> list[Step]:
    """Draw so many steps from a seed."""
    chance = random.Random(seed)  # noqa: S311 (the same each time is what is wanted)
    names, weights = list(BY_NAME), list(WEIGHTS.values())
    return [
        Step(name, chance.randint(0, _LARGEST), chance.randint(0, _LARGEST))
        for name in chance.choices(names, weights, k=length)
    ]


def read(text: str) -> list[Step]:
    """Read steps as they are printed. Raises KeyError for an action that does not exist."""
    found = [Step(name, int(who), int(how)) for name, who, how in _WRITTEN.findall(text)]
    for step in found:
        BY_NAME[step.action]
    return found


def shrunk(steps: Sequence[Step], *, fails: Callable[[Sequence[Step]], bool], tries: int = 200) -> list[Step]:
    """Leave steps out as long as it fails all the same: half of them at a time, then a quarter, down to one by one."""
    left, size = list(steps), len(steps) // 2
    while size and tries:
        first = 0
        while first < len(left) and tries:
            fewer = left[:first] + left[first + size :]
            tries -= 1
            if fails(fewer):
                left = fewer
            else:
                first += size
        size //= 2
    return left
