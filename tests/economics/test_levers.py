"""The tornado: the economics sheet's own figures, and a company held against the closed form."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.company import Company
from tokenergy.economics.gpu_cost import GpuCost
from tokenergy.economics.levers import (
    Lever,
    company_levers,
    gpu_levers,
    lever,
    stronger_count,
    tornado,
    weaker_count,
)
from tokenergy.economics.unit_cost import FullCost, full_cost

BASE = GpuCost(
    usd_per_gpu=33_000,
    gpu_life_y=5,
    wacc_share=0.09,
    ops_share_per_year=0.04,
    facility_usd_per_kw=12_000,
    facility_life_y=15,
    kw_per_gpu=1.4,
    idle_share=0.35,
    pue=1.25,
    tokens_per_s_per_gpu=900,
    utilisation_share=0.6,
    usd_per_mwh=50,
)
SHEET = {
    "power_price": (-2.3, 2.3),
    "watts": (-2.3, 2.3),
    "wacc": (-11.9, 12.8),
    "hardware_price": (-39.4, 39.4),
    "life": (54.9, -18.0),
    "utilisation": (97.6, -32.5),
    "throughput": (100.0, -33.3),
}
"""Section 9, "Why the details matter": change of full cost in per cent at -50 % / +50 %."""

FLEET = {"name": "f", "site": "base", "accelerator": "H100", "gpu_count": 1000}
OWNED = {"owned": {"usd_per_gpu": 33_000, "life_y": 5, "ops_share_per_year": 0.04}}
LEASED = {"lease": {"kind": "reserved", "usd_per_gpu_hour": 2.0}}


def company(fleets=(FLEET | OWNED,), **changes) -> Company:
    """A thousand GPUs behind 1.4 MW: the base of economics sheet, section 1."""
    text = {
        "company": "Base",
        "horizon": {"start": "2026-01-01T00:00:00Z", "days": 1},
        "money": {"wacc_share": 0.09},
        "regions": [{"name": "r", "latitude_deg": 0, "longitude_deg": 0}],
        "sites": [
            {
                "name": "base",
                "latitude_deg": 0,
                "longitude_deg": 0,
                "market": {"zone": "Z", "time_zone": "UTC", "price": 50.0},
                "import_limit_mw": 1.4,
                "pue": 1.25,
                "facility_usd_per_kw": 12000,
            }
        ],
        "contracts": [{"kind": "spot", "id": "s", "site": "base"}],
        "fleets": list(fleets),
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


def hour(
    of: Company, *, awake_lease_usd: float = 0.0, api_usd: float = 0.0, network_usd: float = 0.0
) -> FullCost:
    """An hour of it: 1,944 Mtok (540 tok/s each), and 1.295 MWh at 50 USD."""
    return full_cost(
        of,
        hours_h=1.0,
        served_mtok=1944.0,
        power_usd=64.75,
        awake_lease_usd=awake_lease_usd,
        api_usd=api_usd,
        other_usd=network_usd,
        gpu_used_share=0.6,
    )


def moved(of: Company, full: FullCost, **changes) -> dict[str, Lever]:
    figures = {
        "awake_lease_usd": 0.0,
        "api_usd": 0.0,
        "network_usd": 0.0,
        "revenue_usd": None,
        "power_fixed_share": 0.35 / 0.74,  # idle at 35 % of peak, at a utilisation of 0.6
        "gpu_used_share": 0.6,
    } | changes
    return {each.name: each for each in company_levers(of, full, **figures)}


def per_cent(each: Lever) -> tuple[float, float]:
    assert each.low_change_share is not None
    assert each.high_change_share is not None
    return 100 * each.low_change_share, 100 * each.high_change_share


def test_the_sheets_tornado() -> None:
    levers = gpu_levers(BASE, move_share=0.5)
    assert {each.name: per_cent(each) for each in levers} == {
        name: pytest.approx(ends, abs=0.06) for name, ends in SHEET.items()
    }
    assert [each.name for each in levers][:5] == [
        "throughput",
        "utilisation",
        "life",
        "hardware_price",
        "wacc",
    ]
    assert weaker_count(levers, "power_price") == weaker_count(levers, "watts") == 0  # tied last
    assert stronger_count(levers, "power_price") == 5
    assert stronger_count(levers, "throughput") == 0


def test_fewer_watts_also_need_a_smaller_building() -> None:
    """Facility is 16.73 % of full cost, kWh 4.55 %: half the watts save half of both, 10.64 %."""
    levers = gpu_levers(BASE, move_share=0.5, facility_follows_watts=True)
    (watts,) = (each for each in levers if each.name == "watts")
    assert per_cent(watts) == pytest.approx((-10.64, 10.64), abs=0.01)
    assert weaker_count(levers, "power_price") == 0
    assert weaker_count(levers, "watts") == 1  # no tie any more: the price alone is last


def test_utilisation_stops_at_one_and_says_so() -> None:
    levers = gpu_levers(replace(BASE, utilisation_share=0.8), move_share=0.5)
    full = replace(BASE, utilisation_share=1.0)
    for each in levers:
        assert each.capped == (each.name == "utilisation")
        if each.capped:
            assert each.high_usd_per_mtok == full.usd_per_mtok()
    assert not any(each.capped for each in gpu_levers(BASE, move_share=0.5))


def test_a_company_of_one_kind_of_gpu_is_the_closed_form() -> None:
    """Two writings: from a run and its bill, and from one GPU; equal lever by lever."""
    base = company()
    mine = moved(base, hour(base))
    for theirs in gpu_levers(BASE, move_share=0.5):
        each = mine[theirs.name]
        assert each.base_usd_per_mtok == pytest.approx(theirs.base_usd_per_mtok, rel=1e-9)
        assert each.low_usd_per_mtok == pytest.approx(theirs.low_usd_per_mtok, rel=1e-9)
        assert each.high_usd_per_mtok == pytest.approx(theirs.high_usd_per_mtok, rel=1e-9)
    assert set(mine) == set(SHEET)  # no revenue, no lever on the price of a token


def test_leases_apis_and_network_move_with_what_they_should() -> None:
    """By hand, over 1,944 Mtok.

    1,000 reserved GPUs at 2 USD are 2,000 a h; awake leases 100, APIs 50, network 10, power
    64.75; the facility at 9 % over 15 y: 12,000 x 1,400 x 0.1240589 / 8,760 = 237.92 a h.
    Together 2,462.67. Half fixed, the power bill has 32.375 that moves with work.
    """
    base = company(fleets=[FLEET | LEASED])
    full = hour(base, awake_lease_usd=100, api_usd=50, network_usd=10)
    mine = moved(base, full, awake_lease_usd=100, api_usd=50, network_usd=10, power_fixed_share=0.5)
    total = 2_462.67
    low = {name: each.low_usd_per_mtok * 1944 for name, each in mine.items()}
    assert mine["wacc"].base_usd_per_mtok * 1944 == pytest.approx(total, abs=0.01)
    assert low["power_price"] == low["watts"] == pytest.approx(total - 32.375, abs=0.01)
    assert low["hardware_price"] == pytest.approx(total - 1_050, abs=0.01)
    assert low["throughput"] == pytest.approx((total - 60) / 0.5 + 60, abs=0.01)
    assert low["utilisation"] == pytest.approx((total - 192.375) / 0.5 + 192.375, abs=0.01)
    assert low["life"] == pytest.approx(total, abs=0.01)  # a lease has no life
    assert low["wacc"] < total  # the building is still owned


def test_a_price_of_tokens_moves_the_margin() -> None:
    """1,944 Mtok at 1.50 bring 2,916; half of that is 0.75 a Mtok less."""
    base = company()
    each = moved(base, hour(base), revenue_usd=2_916.0)["token_price"]
    assert each.metric == "margin"
    assert each.base_usd_per_mtok == pytest.approx(1.5 - BASE.usd_per_mtok())
    assert each.low_usd_per_mtok == pytest.approx(0.75 - BASE.usd_per_mtok())
    assert each.swing_usd_per_mtok == pytest.approx(0.75)


def test_a_fleet_that_is_always_at_work_cannot_be_used_more() -> None:
    base = company()
    each = moved(base, hour(base), gpu_used_share=1.0)["utilisation"]
    assert each.capped
    assert each.high_usd_per_mtok == pytest.approx(each.base_usd_per_mtok)
    assert each.low_usd_per_mtok > each.base_usd_per_mtok


def test_capital_costs_no_more_than_everything_each_year() -> None:
    base = company(money={"wacc_share": 0.9})
    assert moved(base, hour(base))["wacc"].capped
    usual = company(money={"wacc_share": 0.09})
    assert not moved(usual, hour(usual))["wacc"].capped


def test_where_nothing_is_served_there_is_nothing_to_move() -> None:
    base = company()
    idle = replace(hour(base), served_mtok=0.0)
    assert moved(base, idle) == {}


def test_a_lever_without_a_base_has_no_share() -> None:
    none = lever("x", low_usd_per_mtok=-1, base_usd_per_mtok=0, high_usd_per_mtok=2, move_share=0.5)
    assert none.low_change_share is None
    assert none.to_dict()["swing_usd_per_mtok"] == 2


@given(
    swings=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8),
    base=st.floats(-10, 10),
)
def test_the_strongest_is_first_whatever_its_sign(swings: list[float], base: float) -> None:
    levers = tornado(
        lever(
            str(at),
            low_usd_per_mtok=base + swing,
            base_usd_per_mtok=base,
            high_usd_per_mtok=base - swing / 2,
            move_share=0.5,
        )
        for at, swing in enumerate(swings)
    )
    sizes = [each.swing_usd_per_mtok for each in levers]
    assert sizes == sorted(sizes, reverse=True)
    assert stronger_count(levers, levers[0].name) == 0
    assert weaker_count(levers, levers[-1].name) == 0
    assert sizes == pytest.approx(sorted(map(abs, swings), reverse=True))


@given(
    awake=st.floats(0, 1e3),
    api=st.floats(0, 1e3),
    network=st.floats(0, 1e3),
    fixed=st.floats(0, 1),
    used=st.floats(0.01, 1),
    move=st.floats(0.01, 0.99),
)
def test_more_of_what_helps_never_costs_more(
    awake: float, api: float, network: float, fixed: float, used: float, move: float
) -> None:
    base = company()
    full = hour(base, awake_lease_usd=awake, api_usd=api, network_usd=network)
    mine = moved(
        base,
        full,
        awake_lease_usd=awake,
        api_usd=api,
        network_usd=network,
        power_fixed_share=fixed,
        gpu_used_share=used,
        move_share=move,
    )
    for name, each in mine.items():
        sign = -1 if name in ("throughput", "utilisation", "life") else 1
        assert sign * (each.high_usd_per_mtok - each.base_usd_per_mtok) >= -1e-9
        assert sign * (each.base_usd_per_mtok - each.low_usd_per_mtok) >= -1e-9
    throughput, utilisation = mine["throughput"], mine["utilisation"]
    assert throughput.swing_usd_per_mtok >= utilisation.swing_usd_per_mtok - 1e-9
