"""Whether the promises hold: the queries of `invariants.sql`, over everything or over a piece of a table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from sqlalchemy import String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

# So few that no query over them outlasts a statement's time limit.
_AT_ONCE = 2000


class Over(StrEnum):
    """What an invariant is asked of: the rows of a table, by their ids, everything at once, or the books' sums."""

    EVERYTHING = "everything"
    BOOKS = "books"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    DISPUTES = "disputes"
    EMAILS = "emails"
    DELIVERIES = "webhook_deliveries"
    NOTICES = "notices"
    JOURNALS = "journals"
    MATCHES = "settlement_matches"


_WHOLE = (Over.EVERYTHING, Over.BOOKS)
TABLES: tuple[Over, ...] = tuple(over for over in Over if over not in _WHOLE)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One row that breaks a promise."""

    name: str
    subject: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One promise: what it is asked of, and the query that finds where it is broken."""

    over: Over
    query: str


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some rows of a table by their ids, and the place after them; `is_last` where there were no more."""

    ids: Sequence[str]
    place: str
    is_last: bool


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A way through the rows of a table: `table` in the order of its column `place`, each naming a row by `row`."""

    table: str
    row: str = "id"
    place: str = "id"

    @property
    def numbered(self) -> bool:
        """Whether its places are numbers, and not ids."""
        return self.place == "number"

    @property
    def start(self) -> str:
        """The place before the first."""
        return "0" if self.numbered else ""

    def query(self) -> str:
        """Return the query of its next `:limit` rows after `:after`: their places, and the rows they name."""
        after = "CAST(:after AS bigint)" if self.numbered else ":after"
        return (
            f"SELECT CAST({self.place} AS text), {self.row} FROM {self.table} WHERE {self.place} > {after} "  # noqa: S608 (words of ours)
            f"GROUP BY {self.place}, {self.row} ORDER BY {self.table}.{self.place} LIMIT :limit"
        )


# In the order of their ids, which is that of their making.
_ROWS: dict[Over, Walk] = {over: Walk(table=over) for over in TABLES} | {
    Over.MATCHES: Walk(table=Over.MATCHES, row="match", place="match"),
}
# What has no events is never changed in a way that an invariant over it could see.
_CHANGES: dict[Over, Walk] = _ROWS | {
    Over.PAYMENTS: Walk(table="payment_events", row="payment_id", place="number"),
    Over.REFUNDS: Walk(table="refund_events", row="refund_id", place="number"),
    Over.DISPUTES: Walk(table="dispute_events", row="dispute_id", place="number"),
}


@cache
def invariants() -> Mapping[str, Invariant]:
    """Return the promises by name, in the file's order."""
    source = files("payproc.database").joinpath("invariants.sql").read_text(encoding="utf-8")
    _, *blocks = re.split(r"^-- name: ", source, flags=re.MULTILINE)
    return dict(map(_read, blocks))


def _read(block: str) -> tuple[str, Invariant]:
    name, over, query = block.split("\n", 2)
    # A colon is a parameter to SQLAlchemy; of ours there is one.
    query = query.strip().rstrip(";").replace(":", r"\:").replace(r"(\:ids)", "(:ids)")
    return name.strip(), Invariant(over=Over(over.removeprefix("-- over: ").strip()), query=query)


def broken_invariants(session: Session, *, at_once: int = _AT_ONCE) -> list[Broken]:
    """Ask everything of everything, and return every row that breaks a promise."""
    broken = [found for name in names_over_everything() for found in asked_of_everything(session, name)]
    for over in TABLES:
        for piece in _pieces(session, over, limit=at_once):
            broken += asked_of(session, over, piece.ids)
    names = list(invariants())
    return sorted(broken, key=lambda each: names.index(each.name))


def _pieces(session: Session, over: Over, *, limit: int) -> Iterator[Piece]:
    place, is_last = "", False
    while not is_last:
        piece = next_rows(session, over, after=place, limit=limit)
        place, is_last = piece.place, piece.is_last
        yield piece


def rows_of(over: Over) -> Walk:
    """Return the way through all rows of a table."""
    return _ROWS[over]


def changes_of(over: Over) -> Walk:
    """Return the way through the changes of a table's rows."""
    return _CHANGES[over]


def next_rows(session: Session, over: Over, *, after: str, limit: int = _AT_ONCE) -> Piece:
    """Return the next rows of a table, in the order of their ids; '' is before the first."""
    return _piece(session, _ROWS[over], after=after, limit=limit)


def next_changed(session: Session, over: Over, *, after: str, limit: int = _AT_ONCE) -> Piece:
    """Return the rows that the next changes were of; `after` is what `last_change` said, or a piece's place."""
    return _piece(session, _CHANGES[over], after=after, limit=limit)


def _piece(session: Session, walk: Walk, *, after: str, limit: int) -> Piece:
    rows = session.execute(text(walk.query()), {"after": after or walk.start, "limit": limit}).all()
    place = rows[-1][0] if rows else after
    return Piece(ids=sorted({row[1] for row in rows}), place=place, is_last=len(rows) < limit)


def last_change(session: Session, over: Over) -> str:
    """Return the place after every change so far."""
    walk = _CHANGES[over]
    found = session.scalar(text(f"SELECT CAST(max({walk.place}) AS text) FROM {walk.table}"))  # noqa: S608 (words of ours)
    return found or walk.start


def names_over_everything() -> list[str]:
    """Name what is asked of everything at once."""
    return [name for name, invariant in invariants().items() if invariant.over in _WHOLE]


def asked_of_everything(session: Session, name: str) -> list[Broken]:
    """Ask one of those that are asked of everything at once."""
    invariant = invariants()[name]
    if invariant.over is Over.EVERYTHING:
        return _asked(session, name, invariant, ids=())
    # Statistics that were taken while a table was being filled say that it is empty: a sum over 20,000 journals was
    # planned so as a loop within a loop and took 23 s, by hashing 30 ms. Whole tables are hashed at any size.
    session.execute(text("SET LOCAL enable_nestloop = off"))
    broken = _asked(session, name, invariant, ids=())
    session.execute(text("SET LOCAL enable_nestloop = on"))
    return broken


def asked_of(session: Session, over: Over, ids: Sequence[str]) -> list[Broken]:
    """Ask what is asked of a table's rows of these."""
    if not ids:
        return []
    return [
        found
        for name, invariant in invariants().items()
        if invariant.over is over
        for found in _asked(session, name, invariant, ids=ids)
    ]


def _asked(session: Session, name: str, invariant: Invariant, *, ids: Sequence[str]) -> list[Broken]:
    query = text(invariant.query)
    if invariant.over not in _WHOLE:
        query = query.bindparams(bindparam("ids", list(ids), type_=ARRAY(String)))
    return [Broken(name=name, subject=subject, sentence=sentence) for subject, sentence in session.execute(query)]
