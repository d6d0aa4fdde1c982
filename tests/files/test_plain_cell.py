"""Cells that a spreadsheet would compute: written as text, and read back as they were."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.files.plain_cell import plain_cell, text_of_cell

FORMULA = '=HYPERLINK("http://example.invalid","open me")'


@pytest.mark.parametrize("text", [FORMULA, "+1", "-acme", "@sum(a1)", "\tx", "\rx"])
def test_a_formula_becomes_text(text: str) -> None:
    assert plain_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "acme", "l'=a", "'quoted'", "a=b", "k_8ff71d932b11"])
def test_other_text_stays(text: str) -> None:
    assert plain_cell(text) == text == text_of_cell(text)


@given(st.text(alphabet="'=+-@\tab1", max_size=6))
def test_every_text_comes_back_and_no_cell_begins_a_formula(text: str) -> None:
    cell = plain_cell(text)
    assert text_of_cell(cell) == text
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_file_of_costs_holds_no_formula(tmp_path: Path) -> None:
    """A number below zero is a number: it keeps its sign."""
    from tokenergy.files.focus_columns import focus_columns
    from tokenergy.files.focus_read import read_focus
    from tokenergy.files.focus_write import write_focus

    columns = [c for c in focus_columns("1.2") if c.name in ("BilledCost", "BillingAccountId")]
    write_focus([[-1.5, FORMULA]], columns, tmp_path / "f.csv", "csv")
    with (tmp_path / "f.csv").open(newline="") as held:
        assert list(csv.reader(held))[1] == ["-1.5", f"'{FORMULA}"]
    _, rows = read_focus(tmp_path / "f.csv", "csv")
    assert list(rows) == [["-1.5", FORMULA]]
