"""The settlement table: its lines, subtotals and total are those of the bill."""

import re
from collections.abc import Callable

import telling

from tokenergy.page.report import ReportData
from tokenergy.page.settlement import settlement


def rows_of(body: str) -> list[list[str]]:
    """Return the exact values, or the words, of each row of the first table."""
    first = body[body.index("<tbody>") : body.index("</tbody>")]
    found = []
    for row in re.findall(r"<tr[^>]*>(.*?)</tr>", first):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)
        found.append(
            [
                re.search(r'value="([^"]*)"', cell)[1]  # type: ignore[index]
                if "<data" in cell
                else re.sub("<[^>]*>", "", cell)
                for cell in cells
            ]
        )
    return found


def test_lines_of_a_contract_are_followed_by_what_they_come_to(data: ReportData) -> None:
    """texas-spot: 3,000 paid, 500 received, 2,500 in all, of 3,700: 67.6 %."""
    body = settlement(data).body
    rows = rows_of(body)
    assert [row[0] for row in rows] == [
        "texas-spot", "texas-spot", "texas-spot", "texas-wind", "texas-wires", "the bill",
    ]  # fmt: skip
    assert [row[1] for row in rows[:3]] == ["purchase", "resale", "all lines"]
    assert [float(row[5]) for row in rows] == [3_000.0, -500.0, 2_500.0, 1_000.0, 200.0, 3_700.0]
    assert float(rows[2][6]) == 2_500.0 / 3_700.0
    assert "The bill ties" in body
    assert "nobody will send this bill" in body
    assert "Bill by month" in body


def test_a_bill_that_does_not_tie_says_by_how_much(make_data: Callable[..., ReportData]) -> None:
    body = settlement(
        make_data(settlement=telling.settlement() | {"program_bill_usd": 3_650.0})
    ).body
    assert "lies 50.00 USD from the prices" in body
    assert "The bill ties" not in body


def test_no_contract_that_charges_is_no_bill(make_data: Callable[..., ReportData]) -> None:
    empty = telling.settlement() | {"rows": [], "by_contract": {}, "bill_usd": 0.0}
    assert "no bill to settle" in settlement(make_data(settlement=empty)).body
