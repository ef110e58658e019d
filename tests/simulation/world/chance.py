"""Chance as the driver has it: whatever draws at random in this process draws from one seed."""

import os
import random
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import uuid_utils


class Chance:
    """The one source of chance of a run."""

    def __init__(self, seed: int) -> None:
        self._drawn = random.Random(seed)  # noqa: S311 (the same each time is what is wanted)
        self._made = 0

    def octets(self, count: int) -> bytes:
        """Return what the system would be asked for."""
        return self._drawn.randbytes(count)

    def time_ordered_uuid(self) -> uuid.UUID:
        """Return a UUIDv7: here they are in the order of their making, whatever the clock says."""
        self._made += 1
        drawn = int.from_bytes(self.octets(8), "big") >> 2
        return uuid.UUID(int=(self._made << 80) | (7 << 76) | (2 << 62) | drawn)


@contextmanager
def chance_of(seed: int) -> Iterator[None]:
    """Have every library of this process draw from a seed."""
    chance = Chance(seed)
    with ExitStack() as patched:
        patched.enter_context(patch.object(os, "urandom", chance.octets))
        # `secrets` and SystemRandom hold the function itself.
        patched.enter_context(patch.object(random, "_urandom", chance.octets))
        patched.enter_context(patch.object(uuid_utils, "uuid7", chance.time_ordered_uuid))
        random.seed(seed)
        yield
