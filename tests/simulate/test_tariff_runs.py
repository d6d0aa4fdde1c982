"""Runs of companies with tariffs: both bills tie, and an optimum costs what its program says."""

from datetime import datetime

import numpy as np
import pytest
from dispatch.test_tariff_bills import ITEMS, STARTS, tariff_dict
from hypothesis import given, settings
from hypothesis import strategies as st
from simulate.played import Optimal, Refuser
from worlds import company_dict, inputs_of, site_dict, tier_dict, workload_dict

from tokenergy.company.company import Company
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.policies import make_policy
from tokenergy.dispatch.world import World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.account import account, constant_usd, cost_usd_by_interval
from tokenergy.simulate.replay import replay

CATALOGUE = load_catalogue()
SEEDS = st.integers(0, 100_000)


def company_world(seed: int, *, days=3.0, supply=False) -> World:
    """Return a site with a battery, work that waits, a block, and one or two tariffs."""
    rng = np.random.default_rng(seed)
    moment, zone = STARTS[seed % len(STARTS)]
    start = datetime.fromisoformat(moment)
    step_h = float(rng.choice([0.5, 1.0, 2.0]))
    items = tuple(item for item in ITEMS if rng.random() < 0.6)
    tariffs = [tariff_dict(rng, start, items)]
    contracts = [
        {"id": "spot", "kind": "spot", "site": "texas", "resale_spread_usd_per_mwh": 60.0},
        {
            "id": "flat", "kind": "block", "site": "texas", "contract_mw": 0.01,
            "strike_usd_per_mwh": 45.0, "delivery": "behind_the_meter",
        },
    ]  # fmt: skip
    if "energy" in tariffs[0]:
        tariffs[0]["energy"]["periods"][0]["usd_per_mwh"] = 5.0
        tariffs[0]["energy"]["export_usd_per_mwh"] = 0.0
    if "tiers" in tariffs[0]:  # paid to import and free to export, a program would do both at once
        tariffs[0]["tiers"]["usd_per_mwh"] = [0.0, 10.0, 20.0, 50.0]
    if supply:
        rates = {
            "settles": "supply", "export_usd_per_mwh": 20.0,
            "periods": [{"name": "all", "usd_per_mwh": 70.0}, {"name": "x", "usd_per_mwh": 90.0}],
            "weekday": rng.integers(0, 2, (12, 24)).tolist(),
        }  # fmt: skip
        tariffs.append({"id": "supplier", "site": "texas", "energy": rates})
        contracts.pop(0)
    market = {"zone": "X", "time_zone": zone, "price": 30.0, "day_ahead_at": "13:00"}
    company = Company.model_validate(
        company_dict(
            horizon={"start": start, "days": days, "step_h": step_h}, history_days=1.0,
            sites=[site_dict(market=market, import_limit_mw=0.2, export_limit_mw=0.05)],
            contracts=contracts, tariffs=tariffs, money={"wacc_share": 0.07},
            batteries=[{"name": "b", "site": "texas", "power_mw": 0.03, "capacity_mwh": 0.1}],
            tiers=[tier_dict(), tier_dict("batch", service_tier="batch", deadline_s=20000.0)],
            workloads=[workload_dict(), workload_dict("nightly", tier="batch")],
        )
    )  # fmt: skip
    history = round(24 / step_h)
    total = history + company.horizon.intervals_count
    load = rng.uniform(40e3, 70e3, total)
    inputs = inputs_of(
        company, history=history,
        price_usd_per_mwh={"texas": rng.uniform(-5.0, 90.0, total)},
        requests_per_s={
            "chat-us": rng.uniform(1.0, 60.0, total), "nightly": rng.uniform(1.0, 40.0, total),
        },
        series={f"grid.{name}.system_load": load for name in ("cp", "plc")},
    )  # fmt: skip
    return build_world(company, inputs, CATALOGUE)


def ties(made: World) -> None:
    policy = Optimal(made)
    run = replay(made, policy)
    spent = account(made, run)
    want_usd = policy.optimum.objective_usd + constant_usd(made)
    assert spent.cost_usd == pytest.approx(want_usd, rel=1e-6, abs=1e-6)
    by_interval = cost_usd_by_interval(made, run)
    assert by_interval.sum() == pytest.approx(spent.cost_usd, rel=1e-9, abs=1e-6)


@settings(max_examples=20)
@given(SEEDS)
def test_the_cost_of_an_optimum_is_its_objective_and_what_no_decision_moves(seed: int) -> None:
    ties(company_world(seed))


@settings(max_examples=10)
@given(SEEDS)
def test_that_holds_where_a_tariff_supplies_the_site(seed: int) -> None:
    made = company_world(seed, supply=True)
    assert set(made.buy_usd_per_mwh(made.spot_usd_per_mwh).flat) <= {70.0, 90.0}
    ties(made)
    spent = account(made, replay(made, Refuser(made)))
    assert set(spent.power_usd) == {"supplier", "flat", "grid"}


@settings(max_examples=4)
@given(SEEDS)
def test_both_bills_tie_whoever_dispatches(seed: int) -> None:
    """`account` raises where the settled tariffs and the program's terms disagree."""
    made = company_world(seed)
    for policy in (Refuser(made), make_policy("greedy", made), make_policy("mpc", made)):
        spent = account(made, replay(made, policy))
        assert "grid" in {line.contract_id for line in spent.lines} or not spent.power_usd["grid"]
