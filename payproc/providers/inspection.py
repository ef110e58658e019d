"""What a provider's account was found to be, before anybody pays through it. Every look at it is harmless there."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Result(StrEnum):
    """Whether what was looked at is as it must be."""

    OK = "ok"
    MISSING = "missing"  # payments would suffer
    NOTE = "note"  # nobody can tell from here, or it does not matter yet


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a look found, in a sentence, and what is to be done about it; neither holds a secret."""

    result: Result
    found: str
    to_do: str = ""


Look = Callable[[], Finding]


def fine(found: str) -> Finding:
    """Find nothing amiss."""
    return Finding(result=Result.OK, found=found)


def missing(found: str, *, to_do: str) -> Finding:
    """Find what payments would suffer from."""
    return Finding(result=Result.MISSING, found=found, to_do=to_do)


def note(found: str, *, to_do: str = "") -> Finding:
    """Find what a person should know."""
    return Finding(result=Result.NOTE, found=found, to_do=to_do)


@runtime_checkable
class Inspectable(Protocol):
    """A provider whose credentials a question proves."""

    def inspect(self) -> Finding:
        """Ask about a payment that does not exist: who may ask is told so.

        Raises ProviderUnavailable where nobody answers, or not in words that can be read.
        """
