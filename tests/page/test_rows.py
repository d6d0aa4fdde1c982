import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tokenergy.company.marginal import PARTS as PARTS_OF_A_PRICE
from tokenergy.page import palette
from tokenergy.page.balance import grain
from tokenergy.page.report import ReportData
from tokenergy.page.rows import (
    BELONGS,
    PARTS,
    balance_rows,
    cheapest_rows,
    columns_of,
    demand_rows,
    drawn_policies,
    full_cost_rows,
    now_rows,
    policy_rows,
    reached,
    site_rows,
    supply_rows,
)


def test_the_page_knows_every_part_and_gives_each_a_colour() -> None:
    assert PARTS == PARTS_OF_A_PRICE == tuple(palette.PARTS)
    assert sorted(part for parts in BELONGS.values() for part in parts) == sorted(PARTS)


def balance(**figures: float) -> dict[str, Any]:
    names = ("load", "import", "export", "take", "charge", "discharge", "import_limit")
    row: dict[str, Any] = {f"{name}_mw": figures.get(name, 0.0) for name in names}
    row |= {"start": "2026-03-02T23:00Z", "site": "a", "stored_mwh": 0.0, "buy_usd_per_mwh": 30.0}
    return row


def test_a_contract_over_the_grid_covers_part_of_the_import() -> None:
    """Load 10, all imported; 4 taken over the grid: 4 of the import are the contract's."""
    row = balance_rows([balance(load=10, **{"import": 10}, take=4)], step_h=1.0)[0]
    assert row["behind_the_meter_mw"] == 0.0
    assert (row["import_contract_mw"], row["import_rest_mw"]) == (4.0, 6.0)


def test_a_contract_behind_the_meter_is_what_the_meter_did_not_see() -> None:
    """Load 5, charge 2, export 1 = import 0 + discharge 0 + 8 behind the meter."""
    row = balance_rows([balance(load=5, charge=2, export=1, take=8)], step_h=1.0)[0]
    assert row["behind_the_meter_mw"] == 8.0
    assert row["import_contract_mw"] == row["import_rest_mw"] == 0.0


def test_more_contract_than_import_is_resold_and_covers_all_of_it() -> None:
    row = balance_rows([balance(load=3, **{"import": 3}, take=9)], step_h=1.0)[0]
    assert (row["import_contract_mw"], row["import_rest_mw"]) == (3.0, 0.0)


def test_a_year_is_drawn_by_the_day() -> None:
    """46 days of hours; on each day 12 h at 2 MW and 12 h at 4 MW: a mean of 3 MW."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    hours = [
        balance(load=2.0 if h % 24 < 12 else 4.0)
        | {"start": (first + timedelta(hours=h)).strftime("%Y-%m-%dT%H:%MZ")}
        for h in range(46 * 24)
    ]
    by_day = balance_rows(hours, step_h=1.0)
    assert len(by_day) == 46 + 1  # and the one that closes the site
    assert {row["load_mw"] for row in by_day} == {3.0}
    assert (by_day[1]["start"], by_day[1]["end"]) == ("2026-01-02T00:00Z", "2026-01-03T00:00Z")
    assert grain(by_day) == "day"
    by_hour = balance_rows(hours[: 45 * 24], step_h=1.0)
    assert (len(by_hour), grain(by_hour)) == (45 * 24 + 1, "interval")


def test_sources_equal_uses_in_every_row(data: ReportData) -> None:
    for row in balance_rows(data.balance, step_h=1.0):
        sources = row["behind_the_meter_mw"] + row["import_contract_mw"] + row["import_rest_mw"]
        sources += row["discharge_mw"]
        uses = row["load_mw"] + row["charge_mw"] + row["export_mw"]
        assert sources == pytest.approx(uses, abs=2e-3)


def test_each_site_is_closed_by_a_row_at_the_end_of_the_last_interval() -> None:
    first, last = balance_rows([balance(load=1, **{"import": 1})], step_h=0.5)
    assert first["end"] == "2026-03-02T23:30Z"
    assert last == first | {"start": first["end"]}


def test_what_a_site_did() -> None:
    """Two hours at 10 and 20 USD/MWh with 1 and 3 MW: mean 15, by load (10 + 60) / 4 = 17.5."""
    hours = [
        balance(load=1, **{"import": 1}, import_limit=3) | {"buy_usd_per_mwh": 10.0},
        balance(load=3, **{"import": 3}, import_limit=3) | {"buy_usd_per_mwh": 20.0},
    ]
    (row,) = site_rows(hours, step_h=1.0)
    assert (row["load_mwh"], row["mean_usd_per_mwh"]) == (4.0, 15.0)
    assert (row["load_weighted_usd_per_mwh"], row["at_limit_h"]) == (17.5, 1.0)


def test_the_cheapest_in_use_stands_for_a_workload(data: ReportData) -> None:
    rows = cheapest_rows(data.prices, step_h=1.0)
    assert len(rows) == 48 * 7
    for row in rows[:20]:
        asked = ("workload", "start")
        group = [p for p in data.prices if all(p[key] == row[key] for key in asked)]
        used = [p["total_usd_per_mtok"] for p in group if p["in_use"]]
        assert row["in_use"]
        assert row["total_usd_per_mtok"] == min(used)


def test_where_nothing_is_in_use_the_cheapest_of_all_says_so(data: ReportData) -> None:
    idle = [dict(row) | {"in_use": False, "share": 0.0} for row in data.prices[:6]]
    (row,) = cheapest_rows(idle, step_h=1.0)
    assert not row["in_use"]
    assert row["total_usd_per_mtok"] == min(p["total_usd_per_mtok"] for p in idle)


def test_now_is_the_first_interval(data: ReportData) -> None:
    rows = now_rows(data.prices)
    assert len(rows) == 7 * 6
    assert {row["start"] for row in rows} == {"2026-03-02T00:00Z"}
    assert sum(row["site_share"] for row in rows if row["workload"] == "films") == 1.0


def test_the_kinds_of_a_full_cost_sum_to_it_and_media_are_left_out(data: ReportData) -> None:
    rows = full_cost_rows(data.full_cost, data.prices, step_h=1.0)
    full = [row for row in rows if row["basis"] == "full"]
    assert sum(row["usd_per_mtok"] for row in full) == pytest.approx(1.93)
    assert "marginal, films" not in {row["bar"] for row in rows}
    chosen = [
        row["total_usd_per_mtok"]
        for row in cheapest_rows(data.prices, step_h=1.0)
        if row["workload"] == "chat-japan"
    ]
    mine = [row["usd_per_mtok"] for row in rows if row["bar"] == "marginal, chat-japan"]
    assert sum(mine) == pytest.approx(sum(chosen) / len(chosen))


def test_nearest_stands_last_and_bound_and_baseline_are_named(data: ReportData) -> None:
    rows = policy_rows(data.scorecard, headline="mpc")
    assert rows[-1]["label"] == "nearest (no headline)"
    labels = [row["label"] for row in rows]
    assert "greedy_battery (baseline)" in labels
    assert "clairvoyant (bound)" in labels


def test_nearest_is_not_drawn_where_it_would_dwarf_the_others() -> None:
    def policies(nearest_usd: float) -> list[dict[str, Any]]:
        return [{"policy": "mpc", "cost_usd": 1.0}, {"policy": "nearest", "cost_usd": nearest_usd}]

    assert len(drawn_policies(policies(1.6))) == 2
    assert len(drawn_policies(policies(1.7))) == 1
    assert len(drawn_policies(policies(9.0)[1:])) == 1


def test_a_supply_curve_is_cut_at_four_times_the_demand() -> None:
    step = {"site": "", "usd_per_mtok": 1.0, "energy_usd_per_mtok": 0.5, "energy_kind": "spot"}
    steps = [
        step | {"label": name, "cum_mtok": cum}
        for name, cum in (("a", 3.0), ("b", 30.0), ("api", math.inf))
    ]
    rows = supply_rows({"chat": steps}, {"chat": 5.0})
    assert [(row["from_mtok"], row["to_mtok"]) for row in rows] == [(0.0, 3.0), (3.0, 20.0)]
    everything = supply_rows({"chat": steps}, {})
    assert [row["to_mtok"] for row in everything] == [3.0, 30.0]


def test_the_segment_that_a_demand_reaches() -> None:
    steps = [{"cum_mtok": 3.0}, {"cum_mtok": 30.0}]
    assert reached(steps, 3.0) is steps[0]
    assert reached(steps, 3.1) is steps[1]
    assert reached(steps, 31.0) is None


def test_columns_give_back_the_rows(data: ReportData) -> None:
    rows = [dict(row) for row in data.balance] + [{"start": "x", "odd": 1}, {"odd": True}]
    held = json.loads(json.dumps(columns_of(rows)))

    def value(column: Any, at: int) -> Any:
        if isinstance(column, list):
            return column[at]
        return column["same"] if "same" in column else column["of"][column["at"][at]]

    for at, row in enumerate(rows):
        back = {name: value(column, at) for name, column in held["columns"].items()}
        assert {name: figure for name, figure in back.items() if figure is not None} == row


def test_what_is_not_finite_becomes_null() -> None:
    held = columns_of([{"a": math.inf}, {"a": math.nan}, {"a": 1.5}])
    assert held["columns"]["a"] == [None, None, 1.5]


def test_a_demand_reaches_the_price_of_its_segment_or_none() -> None:
    """Segments of 10 and 20 Mtok at 1 and 3 USD: 15 Mtok reach 3, 31 reach none, 0 asks nothing."""
    segments = [
        {"cum_mtok": 10.0, "usd_per_mtok": 1.0},
        {"cum_mtok": 30.0, "usd_per_mtok": 3.0},
    ]
    supply = {name: segments for name in ("some", "more", "nobody", "unasked")} | {"none": []}
    found = demand_rows(supply, {"some": 15.0, "more": 31.0, "nobody": 0.0, "none": 1.0})
    assert [(row["workload"], row["reached_usd_per_mtok"], row["reached"]) for row in found] == [
        ("some", 3.0, "3.00"), ("more", None, ""), ("nobody", None, ""),
    ]  # fmt: skip
