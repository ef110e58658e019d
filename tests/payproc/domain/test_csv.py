"""Lines of CSV that a spreadsheet shows, and never runs."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.csv import csv_line


def read(line: str) -> list[str]:
    [cells] = csv.reader(line.splitlines(keepends=True))
    return cells


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "-", "=", " =1+1", "\t=1+1", "\n@x", "-1.2.3", "-1e5", "\uff1d1"]
)
def test_what_would_be_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert read(csv_line(["a", cell])) == ["a", f"'{cell}"]


@pytest.mark.parametrize("cell", ["", "19.99", "-19.99", "-1999", "+5", "pay_1", "a=b", "a@b.c", "2026-01-01", "é ✓"])
def test_what_is_none_stays_as_it_is(cell: str) -> None:
    assert read(csv_line(["a", cell])) == ["a", cell]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1))
def test_whatever_is_written_is_read_back_and_begins_no_formula(cells: list[str]) -> None:
    found = read(csv_line(cells))
    assert [each.removeprefix("'") for each in found] == [each.removeprefix("'") for each in cells]
