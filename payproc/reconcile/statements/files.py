"""Statements from a gateway's portal: a CSV file, read strictly and line by line (docs/statements.md).

A file is read twice, once to check all of it and once to import it, and never held. A line is a line of the file: no
quoted field goes on in the next one, so that a byte's offset is a place to go on from.
"""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from payproc.errors import InvalidRequest
from payproc.reconcile.statements.fields import (
    HEADERS,
    OPTIONAL,
    PAKISTAN,
    Column,
    StatementLine,
    Unreadable,
    read_line,
    shown,
)

MOST_BYTES = 32 * 1024 * 1024
MOST_LINES = 100_000
_LONGEST_LINE = 4096  # bytes
_LONGEST_FIELD = 200
_MOST_QUOTED = 5

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, kw_only=True)
class BadLine:
    """A line that cannot be read, and why."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


class StatementInvalid(InvalidRequest):
    """A statement of which nothing was imported; `bad_lines` are all of those that cannot be read."""

    code = "statement_invalid"

    def __init__(self, bad_lines: Sequence[BadLine]) -> None:
        first = "; ".join(str(line) for line in bad_lines[:_MOST_QUOTED])
        super().__init__(f"{len(bad_lines)} lines cannot be read: {first}", field="statement")
        self.bad_lines = tuple(bad_lines)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    delimiter: str
    width: int
    places: Mapping[Column, int]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A file that was checked: `begin` and `end` are the first and the last of its days in Pakistan, whole (UTC)."""

    path: Path
    sha256: str
    begin: datetime
    end: datetime
    lines: int
    # Lines that say once more what an earlier one said.
    repeats: frozenset[int]
    layout: _Layout
    first: str


def check(path: Path, *, most_bytes: int = MOST_BYTES, most_lines: int = MOST_LINES) -> Statement:
    """Read a whole statement and import nothing.

    Raises StatementInvalid with every line that cannot be read, InvalidRequest for a file that is none.
    """
    with _opened(path, most_bytes=most_bytes) as file:
        digest = hashlib.sha256()
        raw = _raw_lines(file, number=0, most=most_lines, digest=digest)
        number, layout = _header(raw)
        checked = _Checked()
        first = f"{file.tell()}:{number}"
        for line_number, data in raw:
            checked.take(line_number, data, layout)
    if checked.bad:
        raise StatementInvalid(checked.bad)
    if checked.earliest is None or checked.latest is None:
        raise StatementInvalid([BadLine(number=number, reason="no line follows the names of the columns")])
    return Statement(
        path=path,
        sha256=digest.hexdigest(),
        begin=_midnight(checked.earliest),
        end=_midnight(checked.latest + timedelta(days=1)),
        lines=checked.lines,
        repeats=frozenset(checked.repeats),
        layout=layout,
        first=first,
    )


def read(statement: Statement, *, cursor: str | None, limit: int) -> tuple[list[StatementLine], str | None]:
    """Read the next lines of a checked statement, and where to go on; None at its end. Repeated lines are left out.

    Raises StatementInvalid where the file was changed since it was checked.
    """
    offset, _, number = (cursor or statement.first).partition(":")
    found: list[StatementLine] = []
    with _opened(statement.path) as file:
        file.seek(int(offset))
        for line_number, data in _raw_lines(file, number=int(number)):
            line = _line_again(line_number, data, statement.layout)
            if line is not None and line_number not in statement.repeats:
                found.append(line)
            if len(found) == limit:
                return found, f"{file.tell()}:{line_number}"
    return found, None


def _line_again(number: int, data: bytes | None, layout: _Layout) -> StatementLine | None:
    try:
        return _line(number, data, layout)
    except Unreadable as reason:
        raise StatementInvalid([BadLine(number=number, reason=str(reason))]) from None


class _Checked:
    """What one reading of a file has come across: for each line two short hashes, and none of its words."""

    def __init__(self) -> None:
        self.bad: list[BadLine] = []
        self.lines = 0
        self.repeats: list[int] = []
        self.earliest: datetime | None = None
        self.latest: datetime | None = None
        self._met: dict[bytes, tuple[bytes, int]] = {}

    def take(self, number: int, data: bytes | None, layout: _Layout) -> None:
        """Check one more line."""
        try:
            line = _line(number, data, layout)
            if line is not None:
                self._count(line)
        except Unreadable as reason:
            self.bad.append(BadLine(number=number, reason=str(reason)))

    def _count(self, line: StatementLine) -> None:
        self.lines += 1
        self.earliest = min(self.earliest or line.at, line.at)
        self.latest = max(self.latest or line.at, line.at)
        contents = _hash(repr(replace(line, number=0)))
        before, number = self._met.setdefault(_hash(line.id), (contents, line.number))
        if number == line.number:
            return
        if before != contents:
            raise Unreadable(f"{line.type} {line.transaction_id} stands in line {number} with other contents")
        self.repeats.append(line.number)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _opened(path: Path, *, most_bytes: int = MOST_BYTES) -> BinaryIO:
    if not path.is_file():
        raise InvalidRequest(f"{path} is not a file.", code="statement_missing", field="statement")
    if path.stat().st_size > most_bytes:
        raise InvalidRequest(
            f"{path} is larger than {most_bytes // 1024 // 1024} MB: split it by days.",
            code="statement_too_large",
            field="statement",
        )
    try:
        return path.open("rb")
    except OSError as trouble:
        raise InvalidRequest(f"{path} cannot be read: {trouble.strerror}.", field="statement") from None


def _raw_lines(
    file: BinaryIO, *, number: int, most: int = MOST_LINES, digest: "hashlib._Hash | None" = None
) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line by its number; None for one that is too long to be looked at."""
    while data := file.readline(_LONGEST_LINE + 1):
        number += 1
        if number > most:
            raise StatementInvalid([BadLine(number=number, reason=f"there are more than {most:,} lines")])
        is_whole = len(data) <= _LONGEST_LINE or data.endswith(b"\n")
        kept = data if is_whole else None
        while data:
            if digest is not None:
                digest.update(data)
            data = b"" if data.endswith(b"\n") else file.readline(_LONGEST_LINE)
        if number == 1 and kept is not None:
            kept = kept.removeprefix(_BYTE_ORDER_MARK)
        yield number, kept


def _header(raw: Iterable[tuple[int, bytes | None]]) -> tuple[int, _Layout]:
    for number, data in raw:
        try:
            layout = _best_layout(data)
            if layout is not None:
                _check_columns(layout)
                return number, layout
        except Unreadable as reason:
            raise StatementInvalid([BadLine(number=number, reason=str(reason))]) from None
    raise StatementInvalid([BadLine(number=1, reason="the file is empty")])


def _best_layout(data: bytes | None) -> _Layout | None:
    """Split the first line both ways and take the one that names more columns; None for a blank line."""
    layouts: list[_Layout | None] = []
    reasons: list[Unreadable] = []
    for delimiter in ",;":
        try:
            layouts.append(_layout(data, delimiter))
        except Unreadable as reason:
            reasons.append(reason)
    best = max((layout for layout in layouts if layout), key=lambda each: len(each.places), default=None)
    # Split the wrong way a line may be unreadable, and one that is split the wrong way names nothing.
    if reasons and not (best and best.places):
        raise reasons[0]
    return best


def _layout(data: bytes | None, delimiter: str) -> _Layout | None:
    cells = _cells(data, delimiter)
    if not any(cells):
        return None
    names = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in cells]
    places: dict[Column, int] = {}
    for column, spellings in HEADERS.items():
        named = [place for place, name in enumerate(names) if name in spellings]
        if len(named) > 1:
            raise Unreadable(f"more than one column is the {column}: {', '.join(shown(cells[p]) for p in named)}")
        if named:
            places[column] = named[0]
    return _Layout(delimiter=delimiter, width=len(cells), places=places)


def _check_columns(layout: _Layout) -> None:
    missing = [column for column in Column if column not in layout.places and column not in OPTIONAL]
    if missing:
        raise Unreadable(f"there is no column for {', '.join(missing)}")


def _cells(data: bytes | None, delimiter: str) -> list[str]:
    if data is None:
        raise Unreadable(f"it is longer than {_LONGEST_LINE} bytes")
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8 text") from None
    if not text.replace("\t", " ").isprintable():
        raise Unreadable("it has a character that cannot be printed")
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        raise Unreadable("its quotes do not fit") from None
    cells = [cell.strip() for row in rows for cell in row]
    if any(len(cell) > _LONGEST_FIELD for cell in cells):
        raise Unreadable(f"a field is longer than {_LONGEST_FIELD} characters")
    return cells


def _line(number: int, data: bytes | None, layout: _Layout) -> StatementLine | None:
    """Read one line; None for a blank one. Raises Unreadable."""
    cells = _cells(data, layout.delimiter)
    if not any(cells):
        return None
    if len(cells) != layout.width:
        raise Unreadable(f"it has {len(cells)} fields, and the first line has {layout.width}")
    return read_line(number, {column: cells[place] for column, place in layout.places.items()})


def _midnight(moment: datetime) -> datetime:
    there = moment.astimezone(PAKISTAN)
    return there.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
