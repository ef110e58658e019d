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
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from payproc.errors import InvalidRequest
from payproc.money import Money, parse_part_major

MOST_BYTES = 32 * 1024 * 1024
MOST_LINES = 100_000
_LONGEST_LINE = 4096  # bytes
_LONGEST_FIELD = 200
_LONGEST_SHOWN = 40

_CURRENCY = "pkr"
_PAKISTAN = ZoneInfo("Asia/Karachi")
_EARLIEST_YEAR = 2000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# ASCII, which `\d` and `isdigit` are not. A name that begins with = + - or @ is a spreadsheet's formula, and no name.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_NOTHING = re.compile(r"0{1,15}(?:\.0{1,6})?")
_TIMES = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"), "%Y-%m-%d %H:%M:%S"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"), "%Y-%m-%dT%H:%M:%S"),
    (re.compile(r"[0-9]{14}"), "%Y%m%d%H%M%S"),
    (re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}"), "%d/%m/%Y %H:%M:%S"),
    (re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4} [0-9]{2}:[0-9]{2} [AaPp][Mm]"), "%d/%m/%Y %I:%M %p"),
)


class Column(StrEnum):
    """What a statement says of each movement."""

    REFERENCE = "reference"
    TRANSACTION_ID = "transaction_id"
    AT = "date_time"
    TYPE = "type"
    STATUS = "status"
    GROSS = "gross"
    FEE = "fee"
    TAX = "tax"
    NET = "net"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A column's name without its case, spaces and signs. What is not here is a column that we do not need.
HEADERS: Mapping[Column, frozenset[str]] = {
    Column.REFERENCE: _words(
        """reference orderid orderno ordernumber orderrefnum orderreference billreference ppbillreference
        merchantreference txnrefno pptxnrefno"""
    ),
    Column.TRANSACTION_ID: _words(
        """transactionid txnid rrn retrievalreferenceno retrievalreferencenumber ppretreivalreferenceno
        ppretrievalreferenceno gatewaytransactionid"""
    ),
    Column.AT: _words("datetime dateandtime dateandtimepkt transactiondatetime txndatetime pptxndatetime"),
    Column.TYPE: _words("type transactiontype txntype"),
    Column.STATUS: _words("status transactionstatus txnstatus"),
    Column.GROSS: _words("gross grossamount amount transactionamount"),
    Column.FEE: _words("fee fees mdr mdramount merchantdiscount commission charges"),
    Column.TAX: _words("tax taxamount salestax fed gst"),
    Column.NET: _words("net netamount settlementamount payableamount"),
}
_OPTIONAL = frozenset({Column.TAX})


class LineType(StrEnum):
    """Which way the money went."""

    SALE = "sale"
    REFUND = "refund"


_TYPES = {
    LineType.SALE: _words("sale payment purchase credit"),
    LineType.REFUND: _words("refund reversal"),
}
_MOVED = _words("paid completed complete success successful succeeded settled")
_NOT_MOVED = _words("pending failed declined cancelled canceled expired dropped rejected unpaid")


@dataclass(frozen=True, kw_only=True)
class StatementLine:
    """One movement as the gateway's portal tells it: unsigned, in paisa; `fee` with the tax on it; `at` in UTC.

    `moved` is false where the statement lists what came to nothing.
    """

    number: int
    reference: str
    transaction_id: str
    at: datetime
    type: LineType
    moved: bool
    gross: int
    fee: int
    net: int

    @property
    def id(self) -> str:
        """What tells it from any other: a sale and its refund may share the gateway's id."""
        return f"{self.transaction_id}:{self.type}"


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
        super().__init__("; ".join(str(line) for line in bad_lines), field="statement")
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


class _Unreadable(Exception):
    """Why a line cannot be read."""


def check(path: Path) -> Statement:
    """Read a whole statement and import nothing.

    Raises StatementInvalid with every line that cannot be read, InvalidRequest for a file that is none.
    """
    with _opened(path) as file:
        digest = hashlib.sha256()
        raw = _raw_lines(file, number=0, digest=digest)
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
    except _Unreadable as reason:
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
        except _Unreadable as reason:
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
            raise _Unreadable(f"{line.type} {line.transaction_id} stands in line {number} with other contents")
        self.repeats.append(line.number)


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _opened(path: Path) -> BinaryIO:
    if not path.is_file():
        raise InvalidRequest(f"{path} is not a file.", code="statement_missing", field="statement")
    if path.stat().st_size > MOST_BYTES:
        raise InvalidRequest(
            f"{path} is larger than {MOST_BYTES // 1024 // 1024} MB: split it by days.",
            code="statement_too_large",
            field="statement",
        )
    try:
        return path.open("rb")
    except OSError as trouble:
        raise InvalidRequest(f"{path} cannot be read: {trouble.strerror}.", field="statement") from None


def _raw_lines(
    file: BinaryIO, *, number: int, digest: "hashlib._Hash | None" = None
) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line by its number; None for one that is too long to be looked at."""
    while data := file.readline(_LONGEST_LINE + 1):
        number += 1
        if number > MOST_LINES:
            raise StatementInvalid([BadLine(number=number, reason=f"there are more than {MOST_LINES:,} lines")])
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
        except _Unreadable as reason:
            raise StatementInvalid([BadLine(number=number, reason=str(reason))]) from None
    raise StatementInvalid([BadLine(number=1, reason="the file is empty")])


def _best_layout(data: bytes | None) -> _Layout | None:
    """Split the first line both ways and take the one that names more columns; None for a blank line."""
    layouts: list[_Layout | None] = []
    reasons: list[_Unreadable] = []
    for delimiter in ",;":
        try:
            layouts.append(_layout(data, delimiter))
        except _Unreadable as reason:
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
            raise _Unreadable(f"more than one column is the {column}: {', '.join(_shown(cells[p]) for p in named)}")
        if named:
            places[column] = named[0]
    return _Layout(delimiter=delimiter, width=len(cells), places=places)


def _check_columns(layout: _Layout) -> None:
    missing = [column for column in Column if column not in layout.places and column not in _OPTIONAL]
    if missing:
        raise _Unreadable(f"there is no column for {', '.join(missing)}")


def _cells(data: bytes | None, delimiter: str) -> list[str]:
    if data is None:
        raise _Unreadable(f"it is longer than {_LONGEST_LINE} bytes")
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _Unreadable("it is not UTF-8 text") from None
    if not text.replace("\t", " ").isprintable():
        raise _Unreadable("it has a character that cannot be printed")
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        raise _Unreadable("its quotes do not fit") from None
    cells = [cell.strip() for row in rows for cell in row]
    if any(len(cell) > _LONGEST_FIELD for cell in cells):
        raise _Unreadable(f"a field is longer than {_LONGEST_FIELD} characters")
    return cells


def _line(number: int, data: bytes | None, layout: _Layout) -> StatementLine | None:
    """Read one line; None for a blank one. Raises _Unreadable with all that is wrong with it."""
    cells = _cells(data, layout.delimiter)
    if not any(cells):
        return None
    if len(cells) != layout.width:
        raise _Unreadable(f"it has {len(cells)} fields, and the first line has {layout.width}")
    fields = _Fields({column: cells[place] for column, place in layout.places.items()})
    gross, fee = fields.amount(Column.GROSS), fields.amount(Column.FEE, or_nothing=True)
    tax, net = fields.amount(Column.TAX, or_nothing=True), fields.amount(Column.NET, or_nothing=True)
    line = StatementLine(
        number=number,
        reference=fields.name(Column.REFERENCE, or_none=True),
        transaction_id=fields.name(Column.TRANSACTION_ID),
        at=fields.moment(),
        type=fields.line_type(),
        moved=fields.moved(),
        gross=gross,
        fee=fee + tax,
        net=net,
    )
    if not fields.wrong and line.moved and net != gross - fee - tax:
        fields.wrong.append(
            f"{_rupees(gross)} less {_rupees(fee)} and {_rupees(tax)} is {_rupees(gross - fee - tax)}, "
            f"and not the net of {_rupees(net)}"
        )
    if fields.wrong:
        raise _Unreadable("; ".join(fields.wrong))
    return line


class _Fields:
    """The cells of one line, each read into what it means, or into a reason why it cannot be."""

    def __init__(self, cells: Mapping[Column, str]) -> None:
        self._cells = cells
        self.wrong: list[str] = []

    def name(self, column: Column, *, or_none: bool = False) -> str:
        """Read a reference or an id."""
        text = self._cells[column]
        if not (_NAME.fullmatch(text) or (or_none and not text)):
            self._refuse(column, "a plain name of letters and digits")
        return text

    def amount(self, column: Column, *, or_nothing: bool = False) -> int:
        """Read an amount of rupees; return it in paisa."""
        text = self._cells.get(column, "0")
        if or_nothing and _NOTHING.fullmatch(text):
            return 0
        try:
            return parse_part_major(text, _CURRENCY).amount_minor
        except InvalidRequest:
            self._refuse(column, "a plain number of rupees such as 1250.50", noun="amount")
            return 0

    def moment(self) -> datetime:
        """Read a time as clocks in Pakistan show it; return it in UTC."""
        text, now = self._cells[Column.AT], datetime.now(UTC)
        for pattern, form in _TIMES:
            if not pattern.fullmatch(text):
                continue
            try:
                moment = datetime.strptime(text, form).replace(tzinfo=_PAKISTAN).astimezone(UTC)
            except (ValueError, OverflowError):
                break
            if moment.year >= _EARLIEST_YEAR and moment <= now + timedelta(days=1):
                return moment
        self._refuse(Column.AT, "a time of the past such as 2026-01-31 23:59:59")
        return now

    def line_type(self) -> LineType:
        """Read which way the money went."""
        word = self._cells[Column.TYPE].lower()
        for found, words in _TYPES.items():
            if word in words:
                return found
        self._refuse(Column.TYPE, "sale or refund")
        return LineType.SALE

    def moved(self) -> bool:
        """Read whether the money went at all."""
        word = self._cells[Column.STATUS].lower()
        if word not in _MOVED | _NOT_MOVED:
            self._refuse(Column.STATUS, "a word for paid or for not paid that is known here")
        return word in _MOVED

    def _refuse(self, column: Column, wanted: str, *, noun: str = "") -> None:
        named = f"{column} {noun}".replace("_", " ").strip()
        self.wrong.append(f"the {named} {_shown(self._cells[column])} is not {wanted}")


def _shown(text: str) -> str:
    # One line of a terminal for one bad line, whatever is in it.
    return (text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…") or "(nothing)"


def _rupees(paisa: int) -> str:
    return f"{Money.of(paisa, _CURRENCY).major:.2f}"


def _midnight(moment: datetime) -> datetime:
    there = moment.astimezone(_PAKISTAN)
    return there.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
