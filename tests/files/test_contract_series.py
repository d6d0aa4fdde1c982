"""Every series that contracts, tariffs and sites name: read, laid out, or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tokenergy.files.company_file import check_file, load

Tree = dict[str, Any]
Write = Callable[[Any], Path]

VIRTUAL: Tree = {
    "kind": "ppa_virtual", "id": "vppa", "site": "virginia", "project_mw": 1, "profile": 0.4,
    "hub_price": 41, "strike_usd_per_mwh": 40,
}  # fmt: skip
CONTRACTS: list[Tree] = [
    VIRTUAL,
    {"kind": "ppa_baseload", "id": "base", "site": "virginia", "contract_mw": 0.1, "shape": 0.9,
     "shortfall": 0.05, "strike_usd_per_mwh": 50},
    {"kind": "colocation", "id": "next-door", "site": "virginia", "project_mw": 1, "profile": 0.8,
     "strike_usd_per_mwh": 55, "standby_mw": 5},
    {"kind": "on_site", "id": "gas", "site": "virginia", "capacity_mw": 1,
     "heat_rate_mmbtu_per_mwh": 9.5, "fuel_usd_per_mmbtu": 4},
    {"kind": "cfe", "id": "cfe", "site": "virginia", "target_share": 0.1, "sources": ["base"],
     "grid_cfe_share": 0.3, "shortfall_usd_per_mwh": 20},
    {"kind": "demand_response", "id": "dr", "site": "virginia", "committed_mw": 0.5,
     "baseline_mw": 2},
]  # fmt: skip
PEAK: Tree = {"name": "4cp", "usd_per_kw_year": 66, "interval_h": 1, "system_load": 50_000}
CARBON: Tree = {"average_kg_per_mwh": 370, "marginal_kg_per_mwh": 500}


def whole(clean: Tree) -> Tree:
    clean["contracts"] += CONTRACTS
    clean["tariffs"] = [{"id": "wires", "site": "virginia", "coincident": [PEAK]}]
    clean["sites"][0]["carbon"] = CARBON
    return clean


def test_every_series_has_its_name_and_numbers_are_spread_over_time(
    clean: Tree, write: Write
) -> None:
    """7 days of history and 2 of horizon are 216 hours."""
    _, inputs, _, _ = load(write(whole(clean)))
    held = {
        "vppa.hub_price": 41.0, "base.shape": 0.9, "base.shortfall": 0.05,
        "gas.fuel_usd_per_mmbtu": 4.0, "cfe.grid_cfe_share": 0.3, "dr.baseline_mw": 2.0,
        "wires.4cp.system_load": 50_000.0, "virginia.average_kg_per_mwh": 370.0,
        "virginia.marginal_kg_per_mwh": 500.0,
    }  # fmt: skip
    assert {name: values.size for name, values in inputs.series.items()} == dict.fromkeys(held, 216)
    for name, values in inputs.series.items():
        assert set(values.tolist()) == {held[name]}
    assert set(inputs.profile_share) == {"vppa", "next-door"}
    assert inputs.sources["contracts[1].hub_price"] == "constant 41"
    assert inputs.sources["tariffs[0].coincident[0].system_load"] == "constant 50000"


def test_a_hub_price_may_be_synthetic_and_says_so(clean: Tree, write: Write) -> None:
    """The basis is real in a synthetic world too: the hub's zone is not the site's."""
    clean["sites"][0]["market"]["price"] = {"synthetic": "virginia"}
    clean["contracts"].append({**VIRTUAL, "hub_price": {"synthetic": "texas"}})
    _, inputs, _, _ = load(write(clean))
    assert "contracts[1].hub_price" in inputs.synthetic
    assert "zone texas" in inputs.sources["contracts[1].hub_price"]
    hub, own = inputs.series["vppa.hub_price"], inputs.price_usd_per_mwh["virginia"]
    assert not np.array_equal(hub, own)


def series_file(folder: Path, values: list[object]) -> Tree:
    stamps = np.arange("2026-02-23T00", "2026-03-04T00", dtype="datetime64[h]")
    rows = [f"{stamp}:00Z,{value}" for stamp, value in zip(stamps, values, strict=True)]
    (folder / "series.csv").write_text("utc,value\n" + "\n".join(rows), encoding="utf-8")
    return {"file": "series.csv", "column": "value"}


@pytest.mark.parametrize(
    ("at", "field", "path"),
    [
        (1, "hub_price", "contracts[1].hub_price"),
        (2, "shape", "contracts[2].shape"),
        (4, "fuel_usd_per_mmbtu", "contracts[4].fuel_usd_per_mmbtu"),
        (6, "baseline_mw", "contracts[6].baseline_mw"),
    ],
)
def test_a_gap_is_never_filled(
    clean: Tree, write: Write, tmp_path: Path, at: int, field: str, path: str
) -> None:
    company = whole(clean)
    values: list[object] = [0.9] * 216
    values[200] = ""
    company["contracts"] = [*company["contracts"]]
    company["contracts"][at] = {**company["contracts"][at], field: series_file(tmp_path, values)}
    codes = [(finding.code, finding.path) for finding in check_file(write(company)).errors]
    assert ("SERIES_GAP", path) in codes


@pytest.mark.parametrize(
    ("at", "field", "value", "code"),
    [
        (2, "shape", 1.2, "SHARE_OUT_OF_RANGE"),
        (2, "shortfall", -0.1, "SHARE_OUT_OF_RANGE"),
        (5, "grid_cfe_share", 40, "SHARE_OUT_OF_RANGE"),
        (1, "hub_price", 0.041, "UNIT_SLIP"),
        (1, "hub_price", 41_000, "UNIT_SLIP"),
        (4, "fuel_usd_per_mmbtu", 0.004, "UNIT_SLIP"),
        (4, "fuel_usd_per_mmbtu", 400, "UNIT_SLIP"),
        (6, "baseline_mw", 0, "SERIES_NOT_POSITIVE"),
        (3, "profile", 80, "UNIT_SLIP"),
    ],
)
def test_what_no_series_holds_is_told(
    clean: Tree, write: Write, at: int, field: str, value: float, code: str
) -> None:
    company = whole(clean)
    company["contracts"][at] = {**company["contracts"][at], field: value}
    codes = [(finding.code, finding.path) for finding in check_file(write(company)).errors]
    assert (code, f"contracts[{at}].{field}") in codes


@pytest.mark.parametrize(
    ("value", "code"), [(-5, "SERIES_NOT_POSITIVE"), (5e7, "UNIT_SLIP")], ids=["below 0", "in kW"]
)
def test_a_system_load_is_above_0(clean: Tree, write: Write, value: float, code: str) -> None:
    company = whole(clean)
    company["tariffs"] = [
        {"id": "wires", "site": "virginia", "coincident": [{**PEAK, "system_load": value}]}
    ]
    (finding,) = check_file(write(company)).errors
    assert (finding.code, finding.path) == (code, "tariffs[0].coincident[0].system_load")


@pytest.mark.parametrize(("value", "code"), [(0.37, "UNIT_SLIP"), (-1, "UNIT_SLIP")])
def test_carbon_in_tonnes_is_told(clean: Tree, write: Write, value: float, code: str) -> None:
    company = whole(clean)
    company["sites"][0]["carbon"] = {"average_kg_per_mwh": value}
    (finding,) = check_file(write(company)).errors
    assert (finding.code, finding.path) == (code, "sites[0].carbon.average_kg_per_mwh")


def test_what_the_synthetic_feed_does_not_make(clean: Tree, write: Write) -> None:
    company = whole(clean)
    company["contracts"][6] = {**CONTRACTS[5], "baseline_mw": {"synthetic": "texas"}}
    (finding,) = check_file(write(company)).errors
    assert (finding.code, finding.path) == ("SYNTHETIC_QUANTITY", "contracts[6].baseline_mw")
    assert "none of them can stand here" in finding.reason


def test_a_hub_price_in_another_money_states_its_rate(
    clean: Tree, write: Write, tmp_path: Path
) -> None:
    source = series_file(tmp_path, [41] * 216)
    (tmp_path / "hub_eur.csv").write_bytes((tmp_path / "series.csv").read_bytes())
    clean["contracts"].append({**VIRTUAL, "hub_price": {**source, "file": "hub_eur.csv"}})
    (finding,) = check_file(write(clean)).errors
    assert (finding.code, finding.path) == (
        "CURRENCY_WITHOUT_RATE",
        "contracts[1].hub_price.column",
    )
    assert "hub_price of contract 'vppa'" in finding.reason


# ---- contracts beside their series -------------------------------------------------------------


def warned(clean: Tree, write: Write, *more: Tree) -> list[tuple[str, str]]:
    clean["contracts"] += more
    checked = check_file(write(clean))
    assert not checked.errors
    return [(finding.code, finding.path) for finding in checked.findings]


def test_a_strike_is_held_against_its_hub_and_not_the_site(clean: Tree, write: Write) -> None:
    """45 at the site, 200 at the hub: 70 lies above 200 / 3 = 66.7, and 60 below."""
    far = {**VIRTUAL, "hub_price": 200}
    assert warned(clean, write, {**far, "strike_usd_per_mwh": 70}) == []
    clean["contracts"].pop()
    told = warned(clean, write, {**far, "strike_usd_per_mwh": 60})
    assert told == [("STRIKE_FAR_FROM_MARKET", "contracts[1].strike_usd_per_mwh")]


def test_more_than_every_gpu_could_draw_is_overhedged(clean: Tree, write: Write) -> None:
    """1,000 H100 of 700 + 150 W x PUE 1.2 = 1.02 MW: 1.0 MW of contracts fit, 1.1 MW do not."""
    block = {"kind": "block", "id": "base", "site": "virginia", "strike_usd_per_mwh": 50}
    assert warned(clean, write, {**block, "contract_mw": 1.0}) == []
    clean["contracts"].pop()
    assert warned(clean, write, {**block, "contract_mw": 1.1}) == [("OVERHEDGED", "sites[0]")]


def test_overhedged_in_a_fifth_of_the_hours_is_not_yet_told(
    clean: Tree, write: Write, tmp_path: Path
) -> None:
    """9 of 48 hours are 18.75 %, 10 are 20.8 %."""
    for hours_count, told in ((9, []), (10, [("OVERHEDGED", "sites[0]")])):
        values: list[object] = [0.2] * 216
        values[168 : 168 + hours_count] = [0.9] * hours_count
        made = {**VIRTUAL, "project_mw": 2, "profile": series_file(tmp_path, values)}
        assert warned(clean, write, made) == told
        clean["contracts"].pop()


def test_made_up_prices_beside_recorded_ones_are_told(
    clean: Tree, write: Write, tmp_path: Path
) -> None:
    clean["sites"][0]["market"]["price"] = series_file(tmp_path, [45] * 216)
    synthetic = {**VIRTUAL, "hub_price": {"synthetic": "virginia"}}
    assert ("PRICE_SERIES_SYNTHETIC", "contracts[1].hub_price") in warned(clean, write, synthetic)


def test_a_baseline_that_no_meter_reaches(clean: Tree, write: Write) -> None:
    response = {**CONTRACTS[5], "baseline_mw": 10.5}
    assert warned(clean, write, response) == [("BASELINE_ABOVE_LIMIT", "contracts[1].baseline_mw")]
