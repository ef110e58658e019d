"""Whom something happens to: chosen by a number among those to whom it can."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.simulation.shop import Shop

Action = Callable[[Shop, int, int], None]
Found = TypeVar("Found")


class NothingToDo(Exception):
    """There is nobody whom this could happen to now."""


def one_of(found: Sequence[Found], number: int) -> Found:
    """Choose one by a number. Raises NothingToDo."""
    if not found:
        raise NothingToDo
    return found[number % len(found)]


def one_of_the_newest(found: Sequence[Found], number: int) -> Found:
    """Choose one by a number, and mostly of the last few: where much happens to few, they meet. Raises NothingToDo."""
    return one_of(found if number % 8 == 0 else found[-3:], number // 8)


def possible(happened: bool) -> None:
    """Go on where it happened. Raises NothingToDo."""
    if not happened:
        raise NothingToDo
