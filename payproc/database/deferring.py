"""What a transaction puts off until its end, so that much of one kind is written by one statement.

A function that writes takes a sequence of what it writes, and is called through `defer`: at once with one thing, or
within `deferring` with all of them at the end. One is a batch of one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy.orm import Session

Item = TypeVar("Item")

_DEFERRED = "deferred"

_Deferred = dict[Callable[[Session, Sequence[Any]], None], list[Any]]


def defer(session: Session, write: Callable[[Session, Sequence[Item]], None], item: Item) -> None:
    """Have something written by `write`: now, or with the others of its kind at the end of `deferring`."""
    deferred: _Deferred | None = session.info.get(_DEFERRED)
    if deferred is None:
        write(session, [item])
    else:
        deferred.setdefault(write, []).append(item)


@contextmanager
def deferring(session: Session) -> Iterator[None]:
    """Put off what is given to `defer` until the end, and then write it, in the order in which each kind began."""
    session.info[_DEFERRED] = {}
    yield
    write_deferred(session)
    del session.info[_DEFERRED]


@contextmanager
def at_once(session: Session) -> Iterator[None]:
    """Write what was put off so far, and meanwhile put nothing off: for whoever reads what may be among it."""
    write_deferred(session)
    deferred = session.info.pop(_DEFERRED, None)
    yield
    if deferred is not None:
        session.info[_DEFERRED] = deferred


def write_deferred(session: Session) -> None:
    """Write what was put off so far: before something that must find it written."""
    deferred: _Deferred = session.info.get(_DEFERRED) or {}
    while deferred:
        write = next(iter(deferred))
        write(session, deferred.pop(write))
