"""The nouns of a company file: frozen, closed, in UTC, and consistent with themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tokenergy.company.battery import Battery
from tokenergy.company.contract import LATER_KINDS, Block, PpaAsProduced, Spot
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.fleet import Fleet, GpuLease, GpuOwnership
from tokenergy.company.horizon import Horizon
from tokenergy.company.noun import nearest_names
from tokenergy.company.series import FileSeries, SyntheticSeries
from tokenergy.company.site import Market, PuePoint, Site
from tokenergy.company.tier import Arrivals, Tier, Workload

MARCH = datetime(2026, 3, 2, tzinfo=UTC)


def says(noun: Any, words: str, /, **fields: Any) -> None:
    with pytest.raises(ValidationError, match=words):
        noun.model_validate(fields)


def test_nouns_are_frozen_and_closed() -> None:
    battery = Battery(name="b", site="s", power_mw=1, capacity_mwh=4)
    with pytest.raises(ValidationError):
        battery.power_mw = 2  # type: ignore[misc]
    says(Battery, "Extra inputs", name="b", site="s", power_mw=1, capacity_mwh=4, colour="red")
    says(Battery, "finite number", name="b", site="s", power_mw=float("nan"), capacity_mwh=4)


# ---- the horizon ---------------------------------------------------------------------------


def test_a_horizon_is_kept_in_utc() -> None:
    horizon = Horizon.model_validate({"start": "2026-03-02T01:00+01:00", "days": 14})
    assert horizon.start == MARCH
    assert horizon.start.utcoffset() == timedelta(0)
    assert horizon.intervals_count == 336
    assert horizon.end == MARCH + timedelta(days=14)


def test_intervals_are_half_open_and_negative_ones_lie_in_the_history() -> None:
    horizon = Horizon(start=MARCH, days=1, step_h=0.5)
    assert horizon.interval(0).end == horizon.interval(1).start
    assert horizon.interval(-1).end == horizon.start
    assert horizon.interval(3).label() == "2026-03-02T01:30Z"
    assert horizon.interval(3).length_h == 0.5


def test_a_naive_start_is_refused() -> None:
    says(Horizon, "timezone", start="2026-03-02T00:00", days=14)


@given(index=st.integers(-2000, 2000), step_h=st.sampled_from([0.25, 0.5, 1, 3, 24]))
def test_a_day_of_summer_time_has_24_hours_in_utc(index: int, step_h: float) -> None:
    """29 March 2026 is short in Europe; the grid does not know."""
    horizon = Horizon(start=datetime(2026, 3, 28, tzinfo=UTC), days=2, step_h=step_h)
    interval = horizon.interval(index)
    assert interval.end - interval.start == timedelta(hours=step_h)
    assert interval.start - horizon.start == timedelta(hours=index * step_h)


# ---- sites ---------------------------------------------------------------------------------


def site(**fields: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "latitude_deg": 1,
        "longitude_deg": 1,
        "market": {"zone": "Z", "time_zone": "Europe/Berlin", "price": 50},
        "import_limit_mw": 10,
        "pue": 1.2,
        **fields,
    }


def test_pue_is_a_figure_or_points_with_the_weather() -> None:
    points = [{"outdoor_c": 5, "pue": 1.1}, {"outdoor_c": 30, "pue": 1.3}]
    assert Site.model_validate(site()).pue == 1.2
    made = Site.model_validate(site(pue=points, outdoor_c={"synthetic": "texas"}))
    assert made.pue == (PuePoint(outdoor_c=5, pue=1.1), PuePoint(outdoor_c=30, pue=1.3))
    says(Site, "needs outdoor_c", **site(pue=points))
    says(Site, "must rise", **site(pue=points[::-1], outdoor_c=20))
    says(Site, "at least one point", **site(pue=[]))
    assert Site.model_validate(site(pue=points[:1])).outdoor_c is None


def test_a_price_is_a_number_a_file_or_a_zone() -> None:
    def price(source: Any) -> Any:
        tree = {"zone": "Z", "time_zone": "UTC", "price": source}
        return Market.model_validate(tree).price

    assert price(50) == 50.0
    assert isinstance(price({"file": "a.csv", "column": "b"}), FileSeries)
    assert isinstance(price({"synthetic": "texas"}), SyntheticSeries)
    for nonsense in (True, None, "fifty", [50]):
        with pytest.raises(ValidationError):
            price(nonsense)


def test_a_zone_that_is_none_names_the_nearest() -> None:
    says(Market, "Europe/Berlin", zone="Z", time_zone="Europe/Berln", price=1)
    assert nearest_names("h10", ["H100", "L4"]) == ("H100",)
    assert nearest_names("zzz", ["H100", "L4"]) == ()


# ---- contracts, fleets ---------------------------------------------------------------------


def test_contracts_agree_with_themselves() -> None:
    common = {"id": "c", "site": "s"}
    assert Spot.model_validate({"kind": "spot", **common}).adder_usd_per_mwh == 0
    says(Spot, "not after its start", kind="spot", start="2026-01-01", end="2026-01-01", **common)
    block = {"kind": "block", "contract_mw": 1, "strike_usd_per_mwh": 50, **common}
    says(Block, "must lie before", **block, from_hour=8, to_hour=8)
    says(Block, "contract's start", **block, escalator_share_per_year=0.02)
    ppa = {"kind": "ppa_as_produced", "project_mw": 1, "profile": 0.3, **common}
    says(PpaAsProduced, "Field required", **ppa)
    says(PpaAsProduced, "contract's start", **ppa, strike_usd_per_mwh=9,
         escalator_share_per_year=0.02)  # fmt: skip
    assert not LATER_KINDS & {"spot", "block", "ppa_as_produced"}


def test_a_fleet_is_owned_or_leased() -> None:
    common = {"name": "f", "site": "s", "accelerator": "H100", "gpu_count": 8}
    owned, lease = {"usd_per_gpu": 1}, {"kind": "spot", "usd_per_gpu_hour": 1}
    assert Fleet.model_validate({**common, "owned": owned}).owned == GpuOwnership(usd_per_gpu=1)
    says(Fleet, "exactly one", **common)
    says(Fleet, "exactly one", **common, owned=owned, lease=lease)
    says(GpuLease, "belongs to a spot lease", kind="reserved", usd_per_gpu_hour=1,
         interruptions_per_h=0.1)  # fmt: skip


# ---- tiers and workloads -------------------------------------------------------------------


def test_a_tier_states_one_value_and_one_price() -> None:
    common = {
        "name": "t",
        "service_tier": "default",
        "ttft_limit_s": 1,
        "tpot_limit_s": 0.1,
    }
    price, value = {"price_usd_per_mtok": 3}, {"value": "from_price"}
    assert Tier.model_validate({**common, **price, **value}).deadline_s == 0
    says(Tier, "exactly one value", **common, **price)
    says(Tier, "exactly one value", **common, **price, **value, value_usd_per_mtok=3)
    says(Tier, "exactly one price", **common, **value)
    says(Tier, "never waits", **{**common, "service_tier": "priority"}, **price, **value,
         deadline_s=60)  # fmt: skip
    free = {"price_usd_per_mtok": 0, "from_conversion": {"uplift_share": 0.1, "ltv_usd": 9}}
    assert Tier.model_validate({**common, **free}).from_conversion is not None


def test_a_workload_can_tell_its_rate_and_its_lengths() -> None:
    says(Arrivals, "mean_requests_per_s")
    shape = {"synthetic": "demand", "utc_offset_h": 0}
    says(Arrivals, "not both", mean_requests_per_s=1, shape=shape, series=3)
    common = {
        "name": "w",
        "tier": "t",
        "origin": "r",
        "ladder": ["m"],
        "arrivals": {"series": 3},
    }
    assert Workload.model_validate(common).items_per_request == 1
    says(Workload, "together", **common, input_tokens=5)
    lengths = {"file": "a.csv", "input_column": "i", "output_column": "o"}
    says(Workload, "not both", **common, lengths=lengths, input_tokens=5, output_tokens=5)
    says(Workload, "each model once", **{**common, "ladder": ["m", "m"]})


# ---- findings ------------------------------------------------------------------------------


def test_a_finding_is_one_line_with_all_that_is_known() -> None:
    finding = Finding(
        code="IMPORT_BELOW_FIXED_LOAD",
        path="sites[2].import_limit_mw",
        value="2",
        limit="2.4",
        unit="MW",
        reason="too little",
        remedy="Raise it",
        line=12,
        file="company.yaml",
    )
    assert str(finding) == (
        "company.yaml:12: error IMPORT_BELOW_FIXED_LOAD at sites[2].import_limit_mw: "
        "too little (value 2 MW, limit 2.4 MW). Raise it"
    )
    assert finding.to_dict()["line"] == 12
    warning = Finding(code="A", path="p", reason="r", remedy="m", severity="warning")
    assert errors_of((finding, warning)) == (finding,)
