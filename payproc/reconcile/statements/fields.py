"""What a line of a statement says: columns by their many names, fields read strictly, all that is wrong at once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from payproc.domain.money import Money, parse_part_major
from payproc.errors import InvalidRequest

PAKISTAN = ZoneInfo("Asia/Karachi")
_CURRENCY = "pkr"
_EARLIEST_YEAR = 2000
_LONGEST_SHOWN = 40

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
OPTIONAL = frozenset({Column.TAX})


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

    @property
    def money(self) -> Money:
        """What the customer paid or got back."""
        return Money.of(self.gross, _CURRENCY)


class Unreadable(Exception):
    """Why a line cannot be read."""


def read_line(number: int, cells: Mapping[Column, str]) -> StatementLine:
    """Read the cells of a line. Raises Unreadable with all that is wrong with them."""
    fields = _Fields(cells)
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
        raise Unreadable("; ".join(fields.wrong))
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
                moment = datetime.strptime(text, form).replace(tzinfo=PAKISTAN).astimezone(UTC)
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
        self.wrong.append(f"the {named} {shown(self._cells[column])} is not {wanted}")


def shown(text: str) -> str:
    """Return what stands in a field as a message may quote it."""
    # One line of a terminal for one bad line, whatever is in it.
    return (text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…") or "(nothing)"


def _rupees(paisa: int) -> str:
    return f"{Money.of(paisa, _CURRENCY).major:.2f}"
