"""Invoices as tables: money exact, units and currencies stated, periods compared."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tokenergy.errors import FindingsError
from tokenergy.files.invoices import InvoiceImport, read_invoices

HEAD = "supplier,invoice_id,period_start,period_end,site,component,amount,currency,quantity,unit"
MARCH = "2026-03-01T00:00Z,2026-04-01T00:00Z"


def read(path: Path, *rows: str, head: str = HEAD, **options: Any) -> InvoiceImport:
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return read_invoices(path, **options)


def test_an_invoice_is_read_to_the_nano_dollar(tmp_path: Path) -> None:
    """1,234.567 MWh for 98,765.43 USD: 0.0800001 USD/kWh."""
    row = f'grid,A1,{MARCH},paris,energy,"98,765.43",USD,1234.567,MWh'
    (invoice,) = read(tmp_path / "i.csv", row).invoices
    assert invoice.amount_nano_usd == 98_765_430_000_000
    assert (invoice.quantity, invoice.unit) == (1_234_567.0, "kwh")
    assert invoice.usd_per_unit == pytest.approx(0.0800001, rel=1e-5)
    assert (invoice.place_kind, invoice.place) == ("site", "paris")
    assert invoice.end == datetime(2026, 4, 1, tzinfo=UTC)


def test_another_currency_needs_a_stated_rate(tmp_path: Path) -> None:
    rows = [f"grid,A{c},{MARCH},paris,energy,100,{c},1,MWh" for c in ("USD", "EUR", "")]
    found = read(tmp_path / "i.csv", *rows)
    assert [each.code for each in found.refused] == ["CURRENCY_MIXED", "CURRENCY_MISSING"]
    found = read(tmp_path / "i.csv", *rows, rates={"EUR": Decimal("1.08")})
    assert [each.amount_nano_usd for each in found.invoices] == [100 * 10**9, 108 * 10**9]
    assert found.invoices[1].rate == "EUR x 1.08"
    with pytest.raises(FindingsError, match="BAD_RATE"):
        read(tmp_path / "i.csv", *rows, rates={"EUR": Decimal(0)})


@pytest.mark.parametrize(
    ("quantity", "price", "per", "code"),
    [
        ("1000,kWh", "0.08", "USD/kWh", None),
        ("1000,kWh", "80", "USD/MWh", None),
        ("1,MWh", "0.08", "USD/kWh", None),
        ("1000,kWh", "0.08", "USD/MWh", "UNIT_SLIP"),
        ("1,MWh", "80", "USD/kWh", "UNIT_SLIP"),
        ("1000,kWh", "0.07", "USD/kWh", "PRICE_INCONSISTENT"),
        ("1000,kWh", "0.08", "", "UNIT_UNKNOWN"),
        ("1,kWh", "", "", "UNIT_SLIP"),  # 80 USD/kWh: MWh are meant
        ("1000000,kWh", "", "", "UNIT_SLIP"),  # 0.08 USD/MWh: Wh are meant
        ("1000,therm", "", "", "UNIT_UNKNOWN"),
        (",", "", "", None),
    ],
)
def test_a_price_per_kwh_is_told_from_one_per_mwh(
    tmp_path: Path, quantity: str, price: str, per: str, code: str | None
) -> None:
    head = HEAD + ",unit_price,price_unit"
    rows = [f"grid,A1,{MARCH},paris,energy,80,USD,{quantity},{price},{per}"]
    rows += [f"grid,A2,{MARCH},lyon,energy,80,USD,1,MWh,,"]
    found = read(tmp_path / "i.csv", *rows, head=head)
    assert [each.code for each in found.refused] == ([code] if code else [])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"grid,A1,{MARCH},paris,energy,5,USD,,", "DUPLICATE_INVOICE"),
        (f",A2,{MARCH},paris,energy,5,USD,,", "INVOICE_UNNAMED"),
        (f"grid,A2,{MARCH},paris,water,5,USD,,", "UNKNOWN_COMPONENT"),
        (f"grid,A2,{MARCH},paris,energy,,USD,,", "AMOUNT_MISSING"),
        (f"grid,A2,{MARCH},paris,energy,1e15,USD,,", "ABSURD_AMOUNT"),
        ("grid,A2,2026-04-01T00:00Z,2026-03-01T00:00Z,paris,energy,5,USD,,", "BAD_SPAN"),
        ("grid,A2,2026-03-01,2026-04-01,paris,energy,5,USD,,", "NAIVE_TIMESTAMP"),
    ],
)
def test_a_line_that_cannot_be_is_listed(tmp_path: Path, row: str, code: str) -> None:
    found = read(tmp_path / "i.csv", f"grid,A1,{MARCH},paris,energy,4,USD,,", row)
    assert (len(found.invoices), [each.code for each in found.refused]) == (1, [code])
    with pytest.raises(FindingsError, match="UNKNOWN_COMPONENT"):
        read(tmp_path / "i.csv", f"grid,A1,{MARCH},paris,water,4,USD,,")


def test_a_credit_note_is_taken_and_its_period_may_overlap(tmp_path: Path) -> None:
    rows = [f"grid,A1,{MARCH},paris,energy,100,USD,,", f"grid,C1,{MARCH},paris,energy,-20,USD,,"]
    found = read(tmp_path / "i.csv", *rows)
    assert sum(each.amount_nano_usd for each in found.invoices) == 80 * 10**9
    assert not found.findings and not found.refused


def test_overlaps_and_gaps_of_a_meter_are_found(tmp_path: Path) -> None:
    spans = [("01", "11"), ("10", "21"), ("22", "25"), ("25", "28")]
    rows = [
        f"grid,A{at},2026-03-{a}T00:00Z,2026-03-{b}T00:00Z,paris,energy,9,USD,,"
        for at, (a, b) in enumerate(spans)
    ]
    rows.append("grid,B,2026-03-01T00:00Z,2026-03-28T00:00Z,lyon,energy,9,USD,,")
    found = read(tmp_path / "i.csv", *rows)
    told = [(each.code, each.value) for each in found.findings]
    assert told == [("INVOICE_OVERLAP", "24"), ("INVOICE_GAP", "24")]
    assert len(found.invoices) == 5


def test_a_last_day_is_in_its_period(tmp_path: Path) -> None:
    """March of Paris has 743 hours: its clocks go forward on the 29th."""
    row = "grid,A1,2026-03-01,2026-03-31,paris,energy,9,USD,,"
    open_end = read(tmp_path / "i.csv", row, time_zone="Europe/Paris")
    assert [each.code for each in open_end.findings] == ["PERIOD_END_OPEN"]
    head = HEAD.replace("period_end", "period_last_day")
    found = read(tmp_path / "i.csv", row, head=head, time_zone="Europe/Paris")
    (invoice,) = found.invoices
    assert (invoice.end - invoice.start).total_seconds() / 3600 == 743
    assert not found.findings


def test_missing_columns_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FindingsError) as caught:
        read(tmp_path / "i.csv", "1,2", head="supplier,amount")
    assert {each.code for each in caught.value.findings} == {"MISSING_COLUMN"}
    assert len(caught.value.findings) == 5


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    """`1.234` alone may be two numbers; `98,50` elsewhere in the file shows which it is."""
    head = HEAD.replace(",", ";")
    one = f"grid,A1,{MARCH},paris,other,1.234,USD,,".replace(",", ";")
    with pytest.raises(FindingsError, match="AMBIGUOUS_NUMBER"):
        read(tmp_path / "i.csv", one, head=head)
    two = f"grid;A2;{MARCH.replace(',', ';')};paris;other;98,50;USD;;"
    found = read(tmp_path / "i.csv", one, two, head=head)
    assert [each.amount_nano_usd / 1e9 for each in found.invoices] == [1_234.0, 98.5]
    stated = read(tmp_path / "i.csv", one, head=head, mark=".")
    assert stated.invoices[0].amount_nano_usd / 1e9 == 1.234


def test_an_end_in_seconds_or_in_the_year_9999_is_read_or_refused(tmp_path: Path) -> None:
    """1774994400 s are 2026-03-31T22:00Z."""
    spans = ("2026-03-01,1774994400", "9999-12-01,9999-12-31", "2026-03-01,9999-12-31")
    rows = [f"grid,A{at},{span},paris,energy,100,USD,1,MWh" for at, span in enumerate(spans)]
    found = read(tmp_path / "i.csv", *rows, time_zone="Europe/Paris")
    assert [each.end.isoformat() for each in found.invoices] == ["2026-03-31T22:00:00+00:00"]
    assert [each.code for each in found.refused] == ["BAD_STAMP", "BAD_STAMP"]
