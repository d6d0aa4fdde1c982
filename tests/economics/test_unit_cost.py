"""Full cost: the economics sheet's own table, by hand, and what must never move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.economics.unit_cost import (
    capital_rent,
    full_cost,
    gpu_used_share,
)


def company(**changes) -> Company:
    """A thousand GPUs behind 1.4 MW: the base of economics sheet, section 1."""
    site = {
        "name": "base",
        "latitude_deg": 0,
        "longitude_deg": 0,
        "market": {"zone": "Z", "time_zone": "UTC", "price": 50.0},
        "import_limit_mw": 1.4,
        "pue": 1.25,
        "facility_usd_per_kw": 12000,
        "facility_life_y": 15,
    }
    fleet = {"name": "f", "site": "base", "accelerator": "H100", "gpu_count": 1000}
    text = {
        "company": "Base",
        "horizon": {"start": "2026-01-01T00:00:00Z", "days": 1},
        "money": {"wacc_share": 0.09},
        "regions": [{"name": "r", "latitude_deg": 0, "longitude_deg": 0}],
        "sites": [site | changes.pop("site", {})],
        "contracts": [{"kind": "spot", "id": "s", "site": "base"}],
        "fleets": [
            fleet
            | changes.pop(
                "fleet", {"owned": {"usd_per_gpu": 33000, "life_y": 5, "ops_share_per_year": 0.04}}
            )
        ],
        "models": [{"name": "m", "catalogue": "llama-3.1-8b", "quality_share": 1}],
        "tiers": [
            {
                "name": "t",
                "service_tier": "default",
                "ttft_limit_s": 2,
                "tpot_limit_s": 0.1,
                "price_usd_per_mtok": 1,
                "value": "from_price",
            }
        ],
        "workloads": [
            {
                "name": "w",
                "tier": "t",
                "origin": "r",
                "ladder": ["m"],
                "input_tokens": 100,
                "output_tokens": 100,
                "arrivals": {"mean_requests_per_s": 1},
            }
        ],
    } | changes
    return Company.model_validate(text)


def costs(world: Company, **changes):
    figures = {
        "hours_h": 1.0,
        "served_mtok": 1944.0,
        "power_usd": 64.75,
        "awake_lease_usd": 0.0,
        "api_usd": 0.0,
        "other_usd": 0.0,
        "gpu_used_share": 0.6,
    } | changes
    return full_cost(world, **figures)


def test_annuity_by_hand() -> None:
    """0.09 / (1 - 1.09^-5) = 0.09 / (1 - 0.649931) = 0.257092; without interest 1 / 5."""
    assert annuity_share(wacc_share=0.09, life_y=5) == pytest.approx(0.257092, rel=1e-5)
    assert annuity_share(wacc_share=0.0, life_y=5) == 0.2


@given(st.floats(1e-300, 1e-9), st.floats(0.5, 50))
def test_next_to_no_interest_costs_next_to_none(wacc: float, life: float) -> None:
    """To first order the annuity is 1 / n + w (n + 1) / (2 n): 1 - (1 + w)^-n would be rounding."""
    expected = 1.0 / life + wacc * (life + 1.0) / (2.0 * life)
    assert annuity_share(wacc_share=wacc, life_y=life) == pytest.approx(expected, rel=1e-14)


def test_the_sheets_base_case() -> None:
    """Economics sheet, section 1, 50 USD/MWh and utilisation 0.6: 0.73 USD/Mtok, 4.6 % energy.

    1,000 GPUs: 33,000 x (0.257092 + 0.04) / 8,760 x 1,000 = 1,119.2 USD/h. Facility: 12,000 x
    1,400 kW x 0.124059 / 8,760 = 237.9. Energy: 1.4 x (0.35 + 0.65 x 0.6) x 1.25 x 50 =
    51.8 x 1.25 = 64.75. Tokens: 900 x 0.6 x 3,600 x 1,000 / 1e6 = 1,944 Mtok. Sum 1,421.8 / 1,944
    = 0.7314.
    """
    full = costs(company())
    assert full.allocation_usd_per_mtok == pytest.approx(0.7314, abs=1e-3)
    assert full.kwh_share == pytest.approx(0.046, abs=1e-3)
    assert full.powered_capacity_share == pytest.approx(0.167, abs=1e-3)
    assert full.silicon_share == pytest.approx(0.787, abs=1e-3)
    assert full.missing == ()


def test_unused_capacity_is_its_own_line() -> None:
    """At 60 % use, 40 % of 1,119.2 + 237.9 USD/h stands unused: 542.8 USD."""
    full = costs(company())
    assert full.unused_capacity_usd == pytest.approx(0.4 * (1119.2 + 237.9), rel=1e-3)
    assert full.usage_usd + full.unused_capacity_usd == pytest.approx(full.allocation_usd)


def test_a_price_that_is_not_stated_is_named_and_not_a_zero_in_silence() -> None:
    world = company(site={"facility_usd_per_kw": None})
    assert capital_rent(world).missing == ("sites.base.facility_usd_per_kw",)
    assert costs(world).missing == ("sites.base.facility_usd_per_kw",)


def test_a_reserved_lease_is_sunk_and_an_on_demand_one_is_not() -> None:
    """1,000 GPUs reserved at 2 USD/h are 2,000 USD/h whatever they do."""
    reserved = company(fleet={"lease": {"kind": "reserved", "usd_per_gpu_hour": 2.0}})
    on_demand = company(fleet={"lease": {"kind": "on_demand", "usd_per_gpu_hour": 2.0}})
    assert capital_rent(reserved).gpu_usd_per_h == 2000.0
    assert capital_rent(on_demand).gpu_usd_per_h == 0.0


def test_staff_and_what_is_fixed_for_a_tier_stand_apart_and_are_never_unused() -> None:
    """Staff of 876,000 and a tier's 438,000 USD a year are 100 and 50 USD an hour."""
    plain = costs(company())
    fixed = company(
        money={"wacc_share": 0.09, "staff_usd_per_year": 876000.0},
        tiers=[company().tiers[0].model_dump(exclude_none=True) | {"fixed_usd_per_year": 438000}],
    )
    full = costs(fixed)
    assert (full.staff_usd, full.tier_fixed_usd) == (100.0, 50.0)
    assert (plain.staff_usd, plain.tier_fixed_usd) == (0.0, 0.0)
    assert full.other_usd == 150.0
    assert full.allocation_usd == pytest.approx(plain.allocation_usd + 150.0, rel=1e-12)
    assert full.unused_capacity_usd == pytest.approx(plain.unused_capacity_usd, rel=1e-12)
    parts = capital_rent(fixed).total_usd_per_h - capital_rent(company()).total_usd_per_h
    assert parts == pytest.approx(150.0)


def test_no_tokens_have_no_cost_per_token() -> None:
    full = costs(company(), served_mtok=0.0)
    assert full.allocation_usd_per_mtok is None
    assert "No tokens" in full.sentence(mw_binds_h=0.0)


def test_the_sentence_says_whether_megawatts_bind() -> None:
    full = costs(company())
    assert "small lever" in full.sentence(mw_binds_h=0.0)
    assert "bind in 12 site-hours" in full.sentence(mw_binds_h=12.0)


@given(st.floats(0.1, 100.0), st.floats(0.0, 1.0))
def test_costs_are_homogeneous_in_money(factor: float, used: float) -> None:
    """Every price times k gives every cost times k, and the same shares."""
    plain = costs(company(), gpu_used_share=used)
    dear = costs(
        company(
            site={"facility_usd_per_kw": 12000 * factor},
            fleet={
                "owned": {"usd_per_gpu": 33000 * factor, "life_y": 5, "ops_share_per_year": 0.04}
            },
        ),
        power_usd=64.75 * factor,
        gpu_used_share=used,
    )
    assert dear.allocation_usd == pytest.approx(plain.allocation_usd * factor)
    assert dear.usage_usd == pytest.approx(plain.usage_usd * factor)
    assert dear.kwh_share == pytest.approx(plain.kwh_share)


@given(st.floats(0.0, 1000.0), st.floats(0.0, 1000.0))
def test_dearer_power_never_lowers_the_cost(low: float, more: float) -> None:
    assert (
        costs(company(), power_usd=low + more).allocation_usd
        >= costs(company(), power_usd=low).allocation_usd
    )


def fleets(*of: dict) -> Company:
    return company(
        fleets=[
            {"name": f"f{at}", "site": "base", "accelerator": "H100", "gpu_count": 100} | each
            for at, each in enumerate(of)
        ]
    )


def reserved(usd_per_gpu_hour: float, kind: str = "reserved") -> dict:
    return {"lease": {"kind": kind, "usd_per_gpu_hour": usd_per_gpu_hour}}


def test_the_used_share_is_weighted_by_rent() -> None:
    """100 GPUs at 3 USD/h all awake, 100 at 1 USD/h asleep: 3/4 of the rent is used, not half."""
    world = fleets(reserved(3.0), reserved(1.0))
    assert gpu_used_share(world, [200.0, 0.0], hours_h=2.0) == pytest.approx(0.75)


def test_gpus_paid_for_while_awake_stand_nowhere_unused() -> None:
    """An on-demand fleet asleep costs nothing; alone, each GPU counts as much as another."""
    world = fleets(reserved(3.0), reserved(9.0, "on_demand"))
    assert gpu_used_share(world, [100.0, 0.0], hours_h=1.0) == 1.0
    assert gpu_used_share(fleets(reserved(9.0, "spot")), [25.0], hours_h=1.0) == 0.25


def test_gpus_in_repair_are_paid_for_and_unused() -> None:
    """97 of 100 GPUs can work and do: 3 % of the rent buys nothing."""
    world = fleets(reserved(3.0) | {"available_share": 0.97})
    assert gpu_used_share(world, [97.0], hours_h=1.0) == pytest.approx(0.97)
