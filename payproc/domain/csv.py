"""Lines of CSV that a spreadsheet shows, and never runs."""

import csv
import io
import re
from collections.abc import Iterable

# A cell that begins so is a formula to Excel, LibreOffice or Google Sheets; they read the wide forms alike.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def csv_line(cells: Iterable[str]) -> str:
    """Write one line of CSV. What strangers wrote stays text: a cell that would be a formula gets an apostrophe."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_shown(cell) for cell in cells])
    return line.getvalue()


def _shown(cell: str) -> str:
    # Spaces and tabs before it are dropped by those who read it. An amount below zero is a number, not a formula.
    if cell.lstrip().startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
