"""A rolling month with the clairvoyant's peaks as targets, and the same month without them."""

from datetime import datetime

import numpy as np
import pytest
from worlds import company_dict, inputs_of, site_dict, tier_dict, workload_dict

from tokenergy.company.company import Company
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.lp_policies import Clairvoyant
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.targets import (
    Targets,
    planned,
    targets_from_history,
    targets_of,
    with_targets,
)
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import Action, State, World
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.account import account
from tokenergy.simulate.replay import replay

CATALOGUE = load_catalogue()
WINDOW_H = 48


class Rolling:
    """Solves two days with perfect forecasts, does the first hour, moves on."""

    name = "rolling"

    def __init__(self, world: World) -> None:
        self._world = world
        self._model: WindowModel | None = None

    def decide(self, at: int, state: State) -> Action:
        window = true_window(self._world, begin=at, count=WINDOW_H)
        if self._model is None:
            self._model = WindowModel(self._world, window, state)
        return self._model.solve(window, state).action(0, self.name)


def month_world(seed: int, *, days=30.0, history_days=28, demand=None) -> World:
    """Return June with daily prices and demand, a battery, and work that waits six hours.

    The charge of 12 USD/kW weighs about as much as the energy.
    """
    rng = np.random.default_rng(seed)
    charge = {
        "name": "demand", "usd_per_kw_month": 12.0, "demand_interval_h": 1.0, "history": [],
        **(demand or {}),
    }  # fmt: skip
    market = {"zone": "X", "time_zone": "UTC", "price": 30.0, "day_ahead_at": "13:00"}
    company = Company.model_validate(
        company_dict(
            horizon={"start": datetime.fromisoformat("2026-06-01T00:00:00Z"), "days": days},
            history_days=history_days,
            sites=[site_dict(market=market, import_limit_mw=0.5)],
            tariffs=[{"id": "grid", "site": "texas", "demand": [charge]}],
            batteries=[{"name": "b", "site": "texas", "power_mw": 0.02, "capacity_mwh": 0.08}],
            tiers=[tier_dict(), tier_dict("batch", service_tier="batch", deadline_s=21600.0)],
            workloads=[workload_dict(), workload_dict("nightly", tier="batch")],
            fleets=[
                {
                    "name": "h100", "site": "texas", "accelerator": "H100", "gpu_count": 400,
                    "owned": {"usd_per_gpu": 30000.0},
                }
            ],
        )
    )  # fmt: skip
    history = 24 * history_days
    hour = np.arange(history + company.horizon.intervals_count)
    noise = np.exp(rng.normal(0.0, 0.15, hour.size))
    wave = 1.0 + 0.4 * np.sin(2.0 * np.pi * (hour - 8) / 24.0)
    days_level = np.exp(rng.normal(0.0, 0.15, hour.size // 24 + 1))[hour // 24]
    inputs = inputs_of(
        company, history=history,
        price_usd_per_mwh={"texas": 45.0 * wave * noise},
        requests_per_s={"chat-us": 250.0 * wave * days_level, "nightly": 120.0 * days_level},
    )  # fmt: skip
    return build_world(company, inputs, CATALOGUE)


@pytest.mark.slow  # three rolling months of 720 windows each
def test_a_rolling_month_with_targets_costs_what_the_clairvoyant_does() -> None:
    """Within 0.5 % of its bill and of its cost (issue 5); without targets it costs more."""
    made = month_world(1)
    best = Clairvoyant(made)
    bound = account(made, replay(made, best))
    costs, bills = {}, {}
    for name, targets in (("with", targets_of(made, best.optimum)), ("without", Targets())):
        run = replay(made, Rolling(with_targets(made, targets)))
        spent = account(made, run)
        costs[name] = spent.cost_usd / bound.cost_usd - 1.0
        bills[name] = spent.bill_usd / bound.bill_usd - 1.0
    assert -1e-9 <= costs["with"] <= 0.005
    assert bills["with"] <= 0.005
    assert costs["without"] > 2.0 * costs["with"]


# ---- where targets come from -------------------------------------------------------------


def test_the_history_is_solved_where_the_file_says_nothing() -> None:
    """28 days of hindsight: the highest of their months stands for every month."""
    made = month_world(2, days=3.0)
    (peak,) = planned(made).terms
    needed = targets_from_history(made).peak_mw["grid.demand"][""]
    assert set(peak.target_mw) == {needed}
    assert 0.04 < needed < 0.05
    (before,) = made.terms
    assert not before.target_mw.any()


def test_a_plan_or_a_past_month_stands() -> None:
    for demand in ({"planned_mw": 0.03}, {"history": [{"month": "2026-04", "peak_mw": 0.03}]}):
        made = month_world(2, days=1.0, demand=demand)
        assert targets_from_history(made) == Targets()
        (peak,) = planned(made).terms
        assert set(peak.target_mw) == {0.03}


def test_less_than_a_week_of_history_says_nothing() -> None:
    made = month_world(2, days=1.0, history_days=6)
    assert targets_from_history(made) == Targets()
    assert planned(made) is made


def test_an_optimums_peaks_are_named_by_month() -> None:
    """May has a day in the horizon, June two; a target of one month leaves the other's alone."""
    made = month_world(3, days=2.0)
    best = Clairvoyant(made)
    targets = targets_of(made, best.optimum)
    assert targets.peak_mw["grid.demand"] == {
        "2026-06": pytest.approx(float(best.optimum.value("meter_import").max()), rel=1e-6)
    }
    (peak,) = with_targets(made, targets).terms
    names = dict(zip(peak.months.names, peak.target_mw.tolist(), strict=True))
    assert names["2026-05"] == 0.0
    assert names["2026-06"] == targets.peak_mw["grid.demand"]["2026-06"]
