"""The bill of a month: lines that sum to it, each in the month of its own clock."""

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import SMALL

import tokenergy as te
from tokenergy.errors import InputError, UnknownName

EDGE = datetime(2026, 3, 31, tzinfo=UTC)
POLICY = "greedy"


@pytest.fixture(scope="module")
def edge() -> te.OpenCompany:
    """Two days around the edge of a month: March ends at 05:00Z in Texas, in Berlin at 22:00Z."""
    return te.load(SMALL, start=EDGE, days=2)


@pytest.fixture(scope="module")
def whole(edge: te.OpenCompany) -> te.Settled:
    return te.settle(edge, policy=POLICY)


def test_the_lines_are_the_bill_and_the_bill_is_the_programs(
    edge: te.OpenCompany, whole: te.Settled
) -> None:
    told = whole.to_dict()
    lines_usd = math.fsum(line["amount_usd"] for line in told["lines"])
    assert told["bill_usd"] == pytest.approx(lines_usd, rel=1e-12)
    assert math.fsum(told["by_contract"].values()) == pytest.approx(lines_usd, rel=1e-12)
    simulated = te.simulate(edge, policies=(POLICY,)).to_dict()["policies"][POLICY]["bill_usd"]
    assert told["bill_usd"] == pytest.approx(simulated, rel=1e-6)
    assert told["program_bill_usd"] == pytest.approx(simulated, rel=1e-9)
    assert told["month"] is None
    assert told["uncovered"] is None


def test_every_line_is_quantity_times_rate(whole: te.Settled) -> None:
    for line in whole.lines:
        assert line.amount_usd == pytest.approx(line.quantity * line.rate_usd, rel=1e-12)


def test_the_months_of_a_horizon_sum_to_it(edge: te.OpenCompany, whole: te.Settled) -> None:
    march, april = (te.settle(edge, month=month, policy=POLICY) for month in ("2026-03", "2026-04"))
    assert set(whole.months_usd) == {"2026-03", "2026-04"}
    assert march.bill_usd == pytest.approx(whole.months_usd["2026-03"], rel=1e-12)
    assert march.bill_usd + april.bill_usd == pytest.approx(whole.bill_usd, rel=1e-9)
    assert len(march.lines) + len(april.lines) == len(whole.lines)
    assert april.to_dict()["horizon_bill_usd"] == pytest.approx(whole.bill_usd, rel=1e-9)


def test_a_month_begins_at_midnight_on_each_contracts_own_clock(edge: te.OpenCompany) -> None:
    """Central time is five hours behind UTC on 1 April, central Europe two ahead."""
    april = te.settle(edge, month="2026-04", policy=POLICY)
    first = {
        name: min(line.start for line in april.lines if line.contract_id == name)
        for name in ("texas-spot", "frankfurt-spot")
    }
    assert first["texas-spot"] >= datetime(2026, 4, 1, 5, tzinfo=UTC)
    assert (
        datetime(2026, 3, 31, 22, tzinfo=UTC)
        <= first["frankfurt-spot"]
        < datetime(2026, 4, 1, tzinfo=UTC)
    )


def test_a_part_of_a_month_says_so(edge: te.OpenCompany) -> None:
    march = te.settle(edge, month="2026-03", policy=POLICY)
    assert "begins only at 2026-03-31T00:00Z" in march.uncovered
    assert "ends already" not in march.uncovered
    april = te.settle(edge, month="2026-04", policy=POLICY)
    assert "ends already at 2026-04-02T00:00Z" in april.uncovered
    assert april.uncovered in str(april)


def test_synthetic_prices_are_told_with_the_bill(whole: te.Settled) -> None:
    (told,) = [w for w in whole.heading["warnings"] if w["code"] == "PRICE_SERIES_SYNTHETIC"]
    assert "sites[0].market.price" in told["reason"]


def test_rows_add_the_lines_up(whole: te.Settled) -> None:
    rows = whole.rows()
    assert math.fsum(row.amount_usd for row in rows) == pytest.approx(whole.bill_usd, rel=1e-12)
    assert sum(row.lines_count for row in rows) == len(whole.lines)
    bought = next(row for row in rows if row.component == "purchase")
    assert bought.rate_usd == pytest.approx(bought.amount_usd / bought.quantity)
    assert "<caption>" in whole._repr_html_()
    assert whole.to_polars()["amount_usd"].sum() == pytest.approx(whole.bill_usd, rel=1e-9)


def test_a_ledger_gives_the_same_bill(
    edge: te.OpenCompany, whole: te.Settled, tmp_path: Path
) -> None:
    """Amounts are rounded to nano-dollars there, once for each line."""
    ledger = tmp_path / "runs.sqlite"
    te.simulate(edge, policies=(POLICY,), ledger=ledger)
    read = te.settle(edge, policy=POLICY, ledger=ledger)
    assert read.bill_usd == pytest.approx(whole.bill_usd, abs=1e-9 * len(whole.lines))
    assert [(x.contract_id, x.component, x.start) for x in read.lines] == [
        (x.contract_id, x.component, x.start) for x in whole.lines
    ]
    assert read.run_id.endswith(f"/{POLICY}")
    assert read.to_dict()["program_bill_usd"] is None
    with pytest.raises(InputError, match="holds no run"):
        te.settle(edge, policy="nearest", ledger=ledger)
    with pytest.raises(InputError, match="holds no run"):
        te.settle(te.load(SMALL, start=EDGE, days=1), policy=POLICY, ledger=ledger)


def test_what_cannot_be_settled(edge: te.OpenCompany, tmp_path: Path) -> None:
    for month in ("2026-13", "March", "2026-3"):
        with pytest.raises(InputError, match="is no month"):
            te.settle(edge, month=month)
    with pytest.raises(InputError, match="2026-03 to 2026-04, not 2026-05"):
        te.settle(edge, month="2026-05")
    with pytest.raises(InputError, match="there is no ledger"):
        te.settle(edge, ledger=tmp_path / "none.sqlite")
    with pytest.raises(UnknownName, match="bst"):
        te.settle(edge, policy="bst")
