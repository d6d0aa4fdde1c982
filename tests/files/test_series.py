"""The series of a whole company: each quantity's own rules, the synthetic feed, lengths."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import Inputs
from tokenergy.company.series import FileSeries
from tokenergy.files.series import _told, read_inputs

HOURS = 9 * 24
Answer = tuple[Inputs | None, tuple[Finding, ...]]


def read(tree: dict[str, Any], folder: Path = Path()) -> Answer:
    return read_inputs(Company.model_validate(tree), folder=folder)


def made(answer: Answer) -> Inputs:
    inputs, findings = answer
    assert inputs is not None, findings
    return inputs


def codes(answer: Answer) -> list[str]:
    return [finding.code for finding in answer[1]]


def write_hours(folder: Path, **columns: list[float]) -> None:
    """Write columns on the company's 216 hours, from its history to the end."""
    stamps = np.datetime64("2026-02-23T00:00") + np.arange(HOURS) * np.timedelta64(1, "h")
    lines = [",".join(["utc", *columns])]
    for at, stamp in enumerate(stamps):
        cells = [f"{values[at % len(values)]}" for values in columns.values()]
        lines.append(",".join([f"{stamp}Z", *cells]))
    (folder / "s.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def with_price(tree: dict[str, Any], price: Any) -> dict[str, Any]:
    tree["sites"][0]["market"]["price"] = price
    return tree


def with_ppa(tree: dict[str, Any], profile: Any) -> dict[str, Any]:
    contract = {"kind": "ppa_as_produced", "id": "ppa", "site": "virginia", "project_mw": 5}
    tree["contracts"].append({**contract, "strike_usd_per_mwh": 30, "profile": profile})
    return tree


# ---- constants and files -------------------------------------------------------------------


def test_a_constant_fills_the_grid(clean: dict[str, Any]) -> None:
    inputs = made(read(clean))
    assert inputs.start.isoformat() == "2026-02-23T00:00:00+00:00"
    assert (inputs.step_h, inputs.history_count) == (1.0, 168)
    np.testing.assert_array_equal(inputs.price_usd_per_mwh["virginia"], np.full(HOURS, 45.0))
    np.testing.assert_array_equal(inputs.requests_per_s["chat"], np.full(HOURS, 100.0))
    assert inputs.outdoor_c == inputs.profile_share == {}
    assert inputs.lengths["chat"].output_tokens == 200
    assert inputs.synthetic == ()
    assert inputs.sources == {
        "sites[0].market.price": "constant 45, market zone PJM",
        "workloads[0].arrivals": "constant 100 requests/s",
    }


def test_money_of_another_kind_is_converted_at_one_stated_rate(
    clean: dict[str, Any], tmp_path: Path
) -> None:
    write_hours(tmp_path, a=[40.0, 60.0])
    source = {"file": "s.csv", "column": "a", "usd_per_unit": 1.1}
    prices = made(read(with_price(clean, source), tmp_path)).price_usd_per_mwh["virginia"]
    np.testing.assert_allclose(prices[:2], [44.0, 66.0])


def test_a_profile_in_mw_is_divided_by_its_nameplate(clean: dict[str, Any], tmp_path: Path) -> None:
    write_hours(tmp_path, a=[50.0, 100.0])
    source = {"file": "s.csv", "column": "a", "nameplate_mw": 200}
    inputs = made(read(with_ppa(clean, source), tmp_path))
    np.testing.assert_array_equal(inputs.profile_share["ppa"][:2], [0.25, 0.5])
    assert inputs.sources["contracts[1].profile"] == "s.csv, column a"


@pytest.mark.parametrize(
    ("option", "place"), [("usd_per_unit", "profile"), ("nameplate_mw", "price")]
)
def test_an_option_that_nothing_reads_is_refused(
    clean: dict[str, Any], tmp_path: Path, option: str, place: str
) -> None:
    write_hours(tmp_path, a=[0.5])
    source = {"file": "s.csv", "column": "a", option: 2}
    tree = with_ppa(clean, source) if place == "profile" else with_price(clean, source)
    (finding,) = read(tree, tmp_path)[1]
    assert (finding.code, finding.path.endswith(option)) == ("SERIES_OPTION_UNUSED", True)


def test_every_column_of_one_file_and_its_faults_are_told_together(
    clean: dict[str, Any], tmp_path: Path
) -> None:
    write_hours(tmp_path, a=[40.0], b=[0.04])
    with_price(clean, {"file": "s.csv", "column": "b"})
    with_ppa(clean, {"file": "s.csv", "column": "a"})
    clean["workloads"][0]["arrivals"] = {"series": {"file": "s.csv", "column": "c"}}
    assert codes(read(clean, tmp_path)) == ["UNIT_SLIP", "UNIT_SLIP", "UNKNOWN_COLUMN"]


# ---- slips of a unit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "slips"),
    [
        ([45.0], 0),
        ([-30.0, 0.0, 400.0], 0),
        ([9_000.0, 30.0, 20.0], 0),  # real markets touch 9,000
        ([0.045], 1),
        ([1_500.0], 1),
        ([0.9, 0.9, 50.0], 1),  # median 0.9
        ([30.0, 30.0, 20_001.0], 1),
        ([0.0], 1),  # in a file, a price that is always 0 is missing
    ],
)
def test_prices(clean: dict[str, Any], tmp_path: Path, values: list[float], slips: int) -> None:
    write_hours(tmp_path, a=values)
    answer = read(with_price(clean, {"file": "s.csv", "column": "a"}), tmp_path)
    assert codes(answer) == ["UNIT_SLIP"] * slips


@pytest.mark.parametrize(("price", "slips"), [(0, 0), (0.05, 1), (45, 0), (-45, 0), (4500, 1)])
def test_constant_prices(clean: dict[str, Any], price: float, slips: int) -> None:
    """A stated 0 is a statement; 0.05 is a price per kWh."""
    assert codes(read(with_price(clean, price))) == ["UNIT_SLIP"] * slips


def test_a_price_in_cents_per_kwh_is_a_warning(clean: dict[str, Any], tmp_path: Path) -> None:
    """3.2 cents per kWh are 32 USD/MWh, read as 3.2: told, and still run, as 3.2 can be true."""
    write_hours(tmp_path, a=[3.2, 4.1, 2.9])
    inputs, (finding,) = read(with_price(clean, {"file": "s.csv", "column": "a"}), tmp_path)
    assert inputs is not None
    assert (finding.code, finding.severity, finding.value) == ("PRICE_LOW", "warning", "3.2")


def test_a_nameplate_in_kw_is_told(clean: dict[str, Any], tmp_path: Path) -> None:
    """20 MW of a park of 48 MW that is stated as 48,000."""
    write_hours(tmp_path, a=[5.0, 20.0, 12.0])
    profile = {"file": "s.csv", "column": "a", "nameplate_mw": 48000}
    inputs, (finding,) = read(with_ppa(clean, profile), tmp_path)
    assert inputs is None
    assert (finding.code, finding.path) == ("UNIT_SLIP", "contracts[1].profile")
    assert "kW" in finding.reason


def test_a_column_without_any_value_asks_for_another(clean: dict[str, Any], tmp_path: Path) -> None:
    write_hours(tmp_path, a=["", "", ""])
    price = {"file": "s.csv", "column": "a", "fill": "zero", "missing_limit_share": 0.1}
    (finding,) = read(with_price(clean, price), tmp_path)[1]
    assert (finding.code, finding.remedy[:19]) == ("SERIES_GAP", "Name another column")


@pytest.mark.parametrize(("stamp", "told"), [({}, ["STAMP_UNSTATED"]), ({"stamp": "start"}, [])])
def test_a_column_of_ends_that_is_read_as_starts_is_told(
    clean: dict[str, Any], tmp_path: Path, stamp: dict[str, str], told: list[str]
) -> None:
    write_hours(tmp_path, a=[30.0, 40.0])
    file = tmp_path / "s.csv"
    file.write_text(file.read_text().replace("utc", "Hour Ending", 1))
    price = {"file": "s.csv", "column": "a", "time_column": "Hour Ending"} | stamp
    assert codes(read(with_price(clean, price), tmp_path)) == told


def test_the_first_far_price_is_named(clean: dict[str, Any], tmp_path: Path) -> None:
    write_hours(tmp_path, a=[30.0, 30.0, 30.0, 25_000.0])
    (finding,) = read(with_price(clean, {"file": "s.csv", "column": "a"}), tmp_path)[1]
    assert "2026-02-23T03:00Z" in finding.reason
    assert (finding.value, finding.limit, finding.unit) == ("25000", "20,000", "USD/MWh")


@pytest.mark.parametrize(("outdoor_c", "slips"), [(35, 0), (95, 1), (290, 1)])
def test_temperatures(clean: dict[str, Any], outdoor_c: float, slips: int) -> None:
    clean["sites"][0]["outdoor_c"] = outdoor_c
    assert codes(read(clean)) == ["UNIT_SLIP"] * slips


def test_a_little_beyond_0_and_1_is_clipped_aloud(clean: dict[str, Any], tmp_path: Path) -> None:
    """Own use at night, -0.01, and a nameplate that grew, 1.02."""
    write_hours(tmp_path, a=[-0.01, 0.5, 1.02])
    inputs, findings = read(with_ppa(clean, {"file": "s.csv", "column": "a"}), tmp_path)
    assert inputs is not None
    np.testing.assert_array_equal(inputs.profile_share["ppa"][:3], [0.0, 0.5, 1.0])
    assert [(f.code, f.severity, f.value) for f in findings] == [
        ("PROFILE_CLIPPED", "warning", "-0.0100 to 1.0200")
    ]
    assert findings[0].reason.startswith(f"{HOURS * 2 // 3} values")


@pytest.mark.parametrize("profile", [-0.2, 1.2, 35, 4_000])
def test_a_profile_far_beyond_is_no_share(clean: dict[str, Any], profile: float) -> None:
    assert codes(read(with_ppa(clean, profile))) == ["UNIT_SLIP"]


# ---- arrivals ------------------------------------------------------------------------------


def test_a_series_without_a_mean_is_the_rate(clean: dict[str, Any], tmp_path: Path) -> None:
    write_hours(tmp_path, a=[10.0, 30.0])
    clean["workloads"][0]["arrivals"] = {"series": {"file": "s.csv", "column": "a"}}
    rates = made(read(clean, tmp_path)).requests_per_s["chat"]
    np.testing.assert_array_equal(rates[:2], [10.0, 30.0])


def test_a_series_with_a_mean_gives_the_shape(clean: dict[str, Any], tmp_path: Path) -> None:
    """10 and 30 have mean 20; at a mean of 100 they are 50 and 150."""
    write_hours(tmp_path, a=[10.0, 30.0])
    series = {"file": "s.csv", "column": "a"}
    clean["workloads"][0]["arrivals"] = {"mean_requests_per_s": 100, "series": series}
    rates = made(read(clean, tmp_path)).requests_per_s["chat"]
    np.testing.assert_allclose(rates[:2], [50.0, 150.0])


@pytest.mark.parametrize("values", [[0.0], [-1.0, 5.0]])
def test_a_shape_is_positive(clean: dict[str, Any], tmp_path: Path, values: list[float]) -> None:
    write_hours(tmp_path, a=values)
    series = {"file": "s.csv", "column": "a"}
    clean["workloads"][0]["arrivals"] = {"mean_requests_per_s": 100, "series": series}
    assert codes(read(clean, tmp_path)) == ["ARRIVALS_WITHOUT_SHAPE"]


def test_a_rate_below_nothing(clean: dict[str, Any], tmp_path: Path) -> None:
    write_hours(tmp_path, a=[-1.0, 5.0])
    clean["workloads"][0]["arrivals"] = {"series": {"file": "s.csv", "column": "a"}}
    assert codes(read(clean, tmp_path)) == ["UNIT_SLIP"]


# ---- lengths -------------------------------------------------------------------------------


def with_lengths(tree: dict[str, Any], folder: Path, text: str) -> dict[str, Any]:
    (folder / "trace.csv").write_text(text, encoding="utf-8")
    workload = tree["workloads"][0]
    del workload["input_tokens"], workload["output_tokens"]
    workload["lengths"] = {"file": "trace.csv", "input_column": "in", "output_column": "out"}
    return tree


def test_lengths_are_the_means_of_a_trace(clean: dict[str, Any], tmp_path: Path) -> None:
    tree = with_lengths(clean, tmp_path, "in,out\n100,10\n300,50\n")
    lengths = made(read(tree, tmp_path)).lengths["chat"]
    assert (lengths.input_tokens, lengths.output_tokens) == (200.0, 30.0)


@pytest.mark.parametrize("row", ["100,", "100,x", "100,-3", "100,nan"])
def test_a_trace_with_a_bad_row(clean: dict[str, Any], tmp_path: Path, row: str) -> None:
    tree = with_lengths(clean, tmp_path, f"in,out\n100,10\n{row}\n")
    (finding,) = read(tree, tmp_path)[1]
    assert (finding.code, finding.path) == ("BAD_LENGTHS", "workloads[0].lengths.output_column")


# ---- the synthetic feed --------------------------------------------------------------------


def test_the_feed_fills_price_weather_profile_and_demand(clean: dict[str, Any]) -> None:
    site = clean["sites"][0]
    with_price(clean, {"synthetic": "texas"})
    site["outdoor_c"] = {"synthetic": "germany"}
    with_ppa(clean, {"synthetic": "texas", "quantity": "wind"})
    shape = {"synthetic": "demand", "utc_offset_h": -5}
    clean["workloads"][0]["arrivals"] = {"mean_requests_per_s": 100, "shape": shape}
    inputs = made(read(clean))
    assert inputs.synthetic == (
        "sites[0].market.price",
        "sites[0].outdoor_c",
        "contracts[1].profile",
        "workloads[0].arrivals",
    )
    told = "synthetic price of zone texas, seed 1, market zone PJM"
    assert inputs.sources["sites[0].market.price"] == told
    assert inputs.price_usd_per_mwh["virginia"].shape == (HOURS,)
    assert inputs.profile_share["ppa"].max() <= 1.0
    assert inputs.requests_per_s["chat"].mean() == pytest.approx(100.0, rel=0.1)
    again = made(read(clean))
    np.testing.assert_array_equal(inputs.requests_per_s["chat"], again.requests_per_s["chat"])
    clean["seed"] = 2
    other = made(read(clean))
    assert not np.array_equal(inputs.requests_per_s["chat"], other.requests_per_s["chat"])


def test_the_feed_is_hourly_and_lies_on_other_steps(clean: dict[str, Any]) -> None:
    """At half an hour each hour is held; at two hours a pair of hours is averaged."""
    with_price(clean, {"synthetic": "texas"})
    hourly = made(read(clean)).price_usd_per_mwh["virginia"]
    clean["horizon"]["step_h"] = 0.5
    np.testing.assert_array_equal(
        made(read(clean)).price_usd_per_mwh["virginia"], np.repeat(hourly, 2)
    )
    clean["horizon"]["step_h"] = 2
    np.testing.assert_allclose(
        made(read(clean)).price_usd_per_mwh["virginia"], hourly.reshape(-1, 2).mean(axis=1)
    )


def test_an_unknown_zone_names_the_nearest(clean: dict[str, Any]) -> None:
    (finding,) = read(with_price(clean, {"synthetic": "texs"}))[1]
    assert finding.code == "UNKNOWN_SYNTHETIC_ZONE"
    assert finding.path == "sites[0].market.price.synthetic"
    assert "'texas'" in finding.remedy


def test_a_profile_says_wind_or_solar(clean: dict[str, Any]) -> None:
    (finding,) = read(with_ppa(clean, {"synthetic": "texas"}))[1]
    assert (finding.code, finding.limit) == ("SYNTHETIC_QUANTITY", "wind or solar")


def test_a_price_is_no_wind(clean: dict[str, Any]) -> None:
    price = {"synthetic": "texas", "quantity": "wind"}
    assert codes(read(with_price(clean, price))) == ["SYNTHETIC_QUANTITY"]


@pytest.mark.parametrize("share", [{"weekend_share": 1.5}, {"daily_swing_share": 1.0}])
def test_a_demand_that_cannot_be_made(clean: dict[str, Any], share: dict[str, float]) -> None:
    shape = {"synthetic": "demand", "utc_offset_h": 0, **share}
    clean["workloads"][0]["arrivals"] = {"mean_requests_per_s": 1, "shape": shape}
    assert codes(read(clean)) == ["SYNTHETIC_SHAPE"]


# ---- progress ------------------------------------------------------------------------------


def test_progress_is_told_to_the_end(clean: dict[str, Any]) -> None:
    told: list[tuple[str, int, int]] = []
    company = Company.model_validate(clean)
    read_inputs(
        company,
        folder=Path(),
        on_progress=lambda what, done, of: told.append((what, done, of)),
    )
    assert told == [("sites[0].market.price", 0, 1), ("", 1, 1)]


# ---- real data -----------------------------------------------------------------------------


def test_real_prices_and_their_gaps(clean: dict[str, Any], shared_data: Path) -> None:
    """2022: ERCOT is complete; DE-LU lacks the 24 h from 2022-09-02T22Z (the data's README)."""
    clean["horizon"] = {"start": "2022-08-30T00:00Z", "days": 7}
    source = {"file": "prices_2022.csv.gz", "column": "US-TEX-ERCO"}
    assert codes(read(with_price(clean, source), shared_data)) == []
    source = {"file": "prices_2022.csv.gz", "column": "DE-LU", "usd_per_unit": 1.05}
    (finding,) = read(with_price(clean, source), shared_data)[1]
    assert (finding.code, finding.value) == ("SERIES_GAP", "24")
    assert "2022-09-02T22:00Z" in finding.reason


def test_real_generation_with_zeros_that_mean_missing(
    clean: dict[str, Any], shared_data: Path
) -> None:
    """PJM's total is 0 from 2022-03-13T07Z to 14T04Z: wind is empty there."""
    clean["horizon"] = {"start": "2022-03-12T00:00Z", "days": 4}
    source = {
        "file": "us_generation_2022.csv.gz",
        "column": "PJM.wind_mw",
        "nameplate_mw": 13_000,
        "missing_if_zero_column": "PJM.total_mw",
    }
    (finding,) = read(with_ppa(clean, source), shared_data)[1]
    assert (finding.code, finding.value) == ("SERIES_GAP", "22")
    assert "2022-03-13T07:00Z" in finding.reason


def test_real_lengths(clean: dict[str, Any], shared_data: Path) -> None:
    workload = clean["workloads"][0]
    del workload["input_tokens"], workload["output_tokens"]
    workload["lengths"] = {
        "file": "azure_llm_2023_conv.csv.gz",
        "input_column": "ContextTokens",
        "output_column": "GeneratedTokens",
    }
    lengths = made(read(clean, shared_data)).lengths["chat"]
    assert lengths.input_tokens == pytest.approx(1155, abs=1)
    assert lengths.output_tokens == pytest.approx(211, abs=1)


def test_a_source_tells_its_rate_and_where_the_rate_comes_from() -> None:
    source = FileSeries(file="p.csv", column="eur", usd_per_unit=1.08, rate_note="ECB mean of 2023")
    assert _told(source) == "p.csv, column eur, 1.08 USD per unit (ECB mean of 2023)"
