"""Prices for the thesis: units, currencies, gaps and spans, each refused or said aloud."""

import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tokenergy.errors import FindingsError, InputError
from tokenergy.files.hourly_prices import read_hourly_prices, synthetic_hourly_prices

START = datetime(2025, 3, 1, tzinfo=UTC)
HOURS = 14 * 24
US = ("US-A", "US-B", "US-C")


def prices(zones: Sequence[str] = US, *, hours: int = HOURS) -> dict[str, list[float | None]]:
    """Return prices that tell zone and hour apart: 20, 21, .. and 10 more by zone."""
    return {
        zone: [20.0 + 10.0 * at + hour % 24 for hour in range(hours)]
        for at, zone in enumerate(zones)
    }


def write(
    file: Path,
    columns: Mapping[str, Sequence[object]],
    *,
    step: timedelta = timedelta(hours=1),
    stamp: str = "%Y-%m-%dT%H:%MZ",
    time: str = "utc",
) -> Path:
    rows = [",".join((time, *columns))]
    for at, cells in enumerate(zip(*columns.values(), strict=True)):
        texts = ("" if cell is None else str(cell) for cell in cells)
        rows.append(",".join(((START + at * step).strftime(stamp), *texts)))
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def codes(refused: pytest.ExceptionInfo[FindingsError]) -> list[str]:
    return [finding.code for finding in refused.value.findings]


# ---- what can be read --------------------------------------------------------------------


def test_a_table_in_usd(tmp_path: Path) -> None:
    read = read_hourly_prices(write(tmp_path / "p.csv", prices()))
    held = read.prices
    assert (held.start, held.hours_count, held.synthetic) == (START, HOURS, False)
    assert tuple(held.usd_per_mwh) == US
    assert held.usd_per_mwh["US-B"][25] == 31.0
    assert held.source == "p.csv, 2025-03-01T00:00Z to 2025-03-15T00:00Z"
    assert [warning.code for warning in read.warnings] == ["PRICES_SHORT"]


def test_other_forms_of_the_same_table_are_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "p.csv", prices())
    naive = write(tmp_path / "n.csv", prices(), stamp="%Y-%m-%d %H:%M:%S")
    packed = tmp_path / "p.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = tmp_path / "p.parquet"
    stamps = [START + timedelta(hours=hour) for hour in range(HOURS)]
    pl.DataFrame({"utc": stamps, **prices()}).write_parquet(table)
    first = read_hourly_prices(plain).prices
    for file in (naive, packed, table):
        other = read_hourly_prices(file).prices
        assert other.start == first.start
        for zone in US:
            assert np.array_equal(other.usd_per_mwh[zone], first.usd_per_mwh[zone])


def test_quarters_of_an_hour_become_their_mean(tmp_path: Path) -> None:
    """Four quarters of 8, 12, 20 and 40 are an hour of 20; three at the end are no hour."""
    quarters = [8.0, 12.0, 20.0, 40.0] * HOURS + [1.0, 1.0, 1.0]
    file = write(tmp_path / "q.csv", dict.fromkeys(US, quarters), step=timedelta(minutes=15))
    held = read_hourly_prices(file).prices
    assert held.hours_count == HOURS
    assert set(held.usd_per_mwh["US-A"]) == {20.0}


def test_a_stated_rate_is_put_on_its_column_and_told(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", prices(["US-A", "b_usd_per_mwh", "DE-LU", "FR"]))
    read = read_hourly_prices(file, usd_per_unit={"DE-LU": 1.5})
    assert tuple(read.prices.usd_per_mwh) == ("US-A", "b_usd_per_mwh", "DE-LU")
    assert read.prices.usd_per_mwh["DE-LU"][0] == 60.0
    assert read.prices.source.endswith("stated rates: DE-LU x 1.5 USD")
    left = read.warnings[0]
    assert (left.code, left.value) == ("CURRENCY_UNSTATED", "FR")


def test_named_zones_come_in_their_order_and_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", prices([*US, "US-D", "FR"]))
    read = read_hourly_prices(file, zones=["US-D", "US-A", "US-C"])
    assert tuple(read.prices.usd_per_mwh) == ("US-D", "US-A", "US-C")
    assert "CURRENCY_UNSTATED" not in [warning.code for warning in read.warnings]


# ---- gaps --------------------------------------------------------------------------------


def test_a_zone_with_gaps_is_left_out_aloud(tmp_path: Path) -> None:
    columns = prices([*US, "US-D"])
    columns["US-D"][30] = None
    read = read_hourly_prices(write(tmp_path / "p.csv", columns))
    assert tuple(read.prices.usd_per_mwh) == US
    gap = read.warnings[0]
    assert (gap.code, gap.path, gap.severity) == ("SERIES_GAP", "prices.US-D", "warning")
    assert "1 of 336 h are missing, the first at 2025-03-02T06:00Z" in gap.reason


def test_a_row_that_is_not_there_is_a_gap_in_every_zone(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", prices())
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(lines[:100] + lines[101:]) + "\n", encoding="utf-8")
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(file)
    assert codes(refused) == ["ZONES_FEW"]
    assert "prices.US-A: 1 of 336 h are missing" in str(refused.value)


def test_a_named_zone_with_a_gap_is_refused(tmp_path: Path) -> None:
    columns = prices()
    columns["US-B"][30] = None
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(write(tmp_path / "p.csv", columns), zones=US)
    assert codes(refused) == ["SERIES_GAP"]


def test_named_zones_are_cut_to_what_all_have(tmp_path: Path) -> None:
    """US-B begins 5 h late and US-C ends 19 h early: 24 h are cut, and every price stays put."""
    columns = prices()
    columns["US-B"][:5] = [None] * 5
    columns["US-C"][-19:] = [None] * 19
    read = read_hourly_prices(write(tmp_path / "p.csv", columns), zones=US)
    assert read.prices.start == START + timedelta(hours=5)
    assert read.prices.hours_count == HOURS - 24
    assert read.prices.usd_per_mwh["US-B"][0] == 35.0
    assert read.warnings[0].code == "PRICES_CUT"
    assert read.warnings[0].value == "24 h"


# ---- what is refused ---------------------------------------------------------------------


def test_currencies_are_not_mixed(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", prices(["US-A", "DE-LU", "FR", "NL"]))
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(file, zones=["US-A", "DE-LU", "FR"])
    assert codes(refused) == ["CURRENCY_MIXED", "CURRENCY_MIXED"]
    assert "--usd-per FR=1.08" in str(refused.value)


def test_a_table_with_nothing_in_usd(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", prices(["DE-LU", "FR", "NL"]))
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(file)
    assert codes(refused) == ["CURRENCY_MIXED"]
    rates = {"DE-LU": 1.1, "FR": 1.1, "NL": 1.1}
    assert len(read_hourly_prices(file, usd_per_unit=rates).prices.usd_per_mwh) == 3


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    columns: dict[str, list[object]] = {**prices(["US-A", "US-B", "FR", "NL"])}
    columns["US-B"][7] = "dear"
    file = write(tmp_path / "p.csv", columns)
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(file, zones=["US-A", "US-B", "US-X", "FR"], usd_per_unit={"NL": -1.0})
    assert codes(refused) == [
        "UNKNOWN_COLUMN", "BAD_RATE", "RATE_UNUSED", "CURRENCY_MIXED", "SERIES_NOT_A_NUMBER",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda file: write(file, prices(US[:2])), "ZONES_FEW"),
        (lambda file: write(file, prices(hours=100)), "PRICES_SPAN"),
        (lambda file: write(file, prices(hours=8785)), "PRICES_SPAN"),
        (lambda file: write(file, prices(), step=timedelta(hours=2)), "SERIES_MISALIGNED"),
        (lambda file: write(file, prices(), stamp="%Y-%m-%dT%H:07Z"), "SERIES_MISALIGNED"),
        (lambda file: write(file, prices(), stamp="some day"), "BAD_STAMP"),
        (lambda file: write(file, prices(), stamp="%Y-%m-%dT00:00Z"), "SERIES_DUPLICATE_STAMP"),
        (lambda file: write(file, prices(), time="hour"), "UNKNOWN_COLUMN"),
        (lambda file: write(file, dict.fromkeys(US, [0.04] * HOURS)), "UNIT_SLIP"),
        (lambda file: file, "PRICES_FILE_MISSING"),
    ],
)
def test_what_no_price_table_is(tmp_path: Path, make: object, code: str) -> None:
    assert callable(make)
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(make(tmp_path / "p.csv"))
    assert set(codes(refused)) == {code}


def test_a_name_that_stands_three_times_is_no_three_zones(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", prices())
    text = file.read_text(encoding="utf-8").replace("US-B", "US-A").replace("US-C", "US-A")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FindingsError) as refused:
        read_hourly_prices(file)
    (finding,) = (f for f in refused.value.findings if f.code == "DUPLICATE_NAME")
    assert (finding.path, finding.value) == ("prices.US-A", "US-A")
    assert "p.csv has 3 columns called 'US-A'" in finding.reason


def test_a_column_of_stamps_by_another_name_is_told_how_to_mend(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="the name 'utc'"):
        read_hourly_prices(write(tmp_path / "p.csv", prices(), time="hour"))


# ---- the synthetic year ------------------------------------------------------------------


def test_the_synthetic_year_is_labelled_and_seeded() -> None:
    held, again, other = (synthetic_hourly_prices(seed) for seed in (1, 1, 2))
    assert held.synthetic
    assert held.source.startswith("synthetic (seed 1)")
    assert held.hours_count == 8760
    assert {"texas", "california", "virginia", "ontario", "germany"} <= set(held.usd_per_mwh)
    assert np.array_equal(held.usd_per_mwh["texas"], again.usd_per_mwh["texas"])
    assert not np.array_equal(held.usd_per_mwh["texas"], other.usd_per_mwh["texas"])
    with pytest.raises(InputError, match="seed"):
        synthetic_hourly_prices(-1)


# ---- real prices -------------------------------------------------------------------------


def test_the_real_prices_of_2023(shared_data: Path) -> None:
    """Three zones in USD are whole; PJM lacks a day, and 14 are in other currencies."""
    read = read_hourly_prices(shared_data / "prices_2023.csv.gz")
    assert tuple(read.prices.usd_per_mwh) == ("US-CAL-CISO", "US-NY-NYIS", "US-TEX-ERCO")
    assert read.prices.usd_per_mwh["US-TEX-ERCO"].max() == pytest.approx(4192.0, abs=1.0)
    assert [(each.code, each.path) for each in read.warnings] == [
        ("CURRENCY_UNSTATED", "prices"),
        ("SERIES_GAP", "prices.US-MIDA-PJM"),
    ]
