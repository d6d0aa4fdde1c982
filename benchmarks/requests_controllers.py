"""What does each way of spending a budget keep of the value that could have been kept?

Part of `bench_requests.py`. Goals (gateway sheet, section 3.5), 20 seeds of 50,000 requests each:
share of the clairvoyant value >= 99 % stationary, >= 97 % with values above forecast, >= 95 % with
a late spike of known count, >= 90 % with the count off by -30 or +30 %, and 90 % for a spike of
which neither count nor time was known; no budget overrun by any controller but `unlimited`.

The parameters of pacing were settled on seeds 1000 to 1003. The same again with prices: hours of
US-CAL-CISO in ../shared/data/prices_2023.csv.gz and arrivals of language/m-small in
../shared/data/servegen_rps_10min.csv.gz, where yesterday's prices, arrivals and count are all that
is known of today's. Left out, and said, where ../shared is absent. Run alone, it prints:
`python benchmarks/requests_controllers.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from tokenergy.company.budget import BudgetUnit
from tokenergy.simulate.budget_world import SCENARIOS, BudgetWorld, Scenario
from tokenergy.simulate.controller_trial import (
    OURS,
    SEEDS,
    ScenarioResult,
    result_of,
    run_scenario,
    run_trial,
)

DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
PRICES: Final = DATA / "prices_2023.csv.gz"
ARRIVALS: Final = DATA / "servegen_rps_10min.csv.gz"
ZONE: Final = "US-CAL-CISO"
STREAM: Final = "language/m-small"
ADDER_USD_PER_MWH: Final = 20.0
"""Delivery on top of the price of the hour: an assumption."""
HOURS: Final = 24
WINDOWS: Final = 144
"""Parts of 10 minutes of a day of arrivals."""
DAYS_APART: Final = 17
"""From seed to seed, in days of the price file, so that twenty of them cross the year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealScenario:
    """A scenario on real prices and arrivals, with its budget's unit."""

    scenario: Scenario
    unit: BudgetUnit


REAL: Final = (
    RealScenario(scenario=Scenario(name="priced_energy", goal_share=0.9), unit="j"),
    RealScenario(scenario=Scenario(name="priced_money", goal_share=0.9), unit="usd"),
    RealScenario(scenario=replace(SCENARIOS[-1], name="priced_energy_spike_unforeseen"), unit="j"),
    RealScenario(scenario=replace(SCENARIOS[-1], name="priced_money_spike_unforeseen"), unit="usd"),
)


def figures(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Return each scenario's shares, and the world's parameters under `world`."""
    world = BudgetWorld()
    results = [run_scenario(world, scenario, seeds=seeds) for scenario in SCENARIOS]
    found: dict[str, Any] = {each.scenario.name: each.to_dict() for each in results}
    found["world"] = world.to_dict()
    if PRICES.exists() and ARRIVALS.exists():
        for each in REAL:
            found[each.scenario.name] = _real(each, seeds).to_dict()
        found["real_world"] = {
            "prices": f"{PRICES.name}: {ZONE}, plus {ADDER_USD_PER_MWH:g} USD/MWh",
            "arrivals": f"{ARRIVALS.name}: {STREAM}",
        }
    return found


def tell(found: dict[str, Any]) -> list[str]:
    """Return the table, with the world's parameters beside it."""
    rows = {name: each for name, each in found.items() if "share" in each}
    names = list(next(iter(rows.values()))["shares"])
    lines = ["Share of the clairvoyant value, %: mean of the seeds (lowest seed of pacing)"]
    lines.append(f"{'scenario':32}" + "".join(f"{name:>17}" for name in names) + "   goal")
    for name, each in rows.items():
        cells = "".join(f"{100.0 * each['shares'][key]:17.1f}" for key in names)
        verdict = "" if each["passes"] else "  MISSED"
        lines.append(
            f"{name:32}{cells} ({100.0 * each['least_share']:.1f}) {100.0 * each['goal_share']:.0f}"
            f"{verdict}"
        )
    over = max(each["overrun_share"] for each in rows.values())
    used = [each["used_shares"]["unlimited"] for each in rows.values()]
    lines += [
        f"budget overrun of all but unlimited: {over:g}; unlimited uses {min(used):.1f} to "
        f"{max(used):.1f} times the budget",
        "value of refused requests, % of all, by pacing: "
        + ", ".join(f"{n} {100.0 * e['refused_value_shares'][OURS]:.1f}" for n, e in rows.items()),
        "world: " + _told(found["world"]),
    ]
    if "real_world" in found:
        lines.append("priced: " + "; ".join(found["real_world"].values()))
    else:
        lines.append("priced scenarios are left out: ../shared/data is not here")
    return lines


def _told(world: dict[str, Any]) -> str:
    actions = ", ".join(
        f"{each['name']} {each['quality_share']:g}/{each['joule_share']:g}"
        for each in world["actions"]
    )
    plain = {name: value for name, value in world.items() if name != "actions"}
    told = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in plain.items()
    )
    return f"{told}; actions, quality/joules: {actions}"


def _real(each: RealScenario, seeds: Sequence[int]) -> ScenarioResult:
    trials = []
    for seed in seeds:
        today, yesterday = real_worlds(seed, unit=each.unit)
        trials.append(run_trial(today, each.scenario, seed=seed, past_world=yesterday))
    return result_of(each.scenario, trials)


def real_worlds(seed: int, *, unit: BudgetUnit) -> tuple[BudgetWorld, BudgetWorld]:
    """Return today's world and yesterday's: prices, arrivals and counts of two days that follow.

    Raises:
        ValueError: if a price of the two days is missing.
    """
    prices = pl.read_csv(PRICES)[ZONE].to_numpy()
    rates = pl.read_csv(ARRIVALS)[STREAM].to_numpy()
    price_days, rate_days = prices.size // HOURS, rates.size // WINDOWS
    price_day = 1 + (seed * DAYS_APART) % (price_days - 1)
    rate_day = 1 + seed % (rate_days - 1)
    usual = BudgetWorld()
    worlds, totals = [], []
    for back in (0, 1):
        hours = prices[(price_day - back) * HOURS : (price_day - back + 1) * HOURS]
        parts = rates[(rate_day - back) * WINDOWS : (rate_day - back + 1) * WINDOWS]
        if not (np.isfinite(hours).all() and np.isfinite(parts).all()):
            raise ValueError(f"seed {seed}: a price or a rate of its days is missing")
        totals.append(float(parts.sum()))
        worlds.append(
            replace(
                usual,
                unit=unit,
                usd_per_mwh=tuple(float(hour) + ADDER_USD_PER_MWH for hour in hours),
                arrived_share=(0.0, *(float(at) for at in np.cumsum(parts) / parts.sum())),
            )
        )
    today, yesterday = worlds
    count = round(usual.requests_count * totals[0] / totals[1])
    return replace(today, requests_count=count), yesterday


if __name__ == "__main__":
    print(*tell(figures()), sep="\n")
