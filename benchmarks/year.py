"""A year of real prices: what each policy costs, and how far that is from the best possible.

Regret is against a lower bound of the clairvoyant's cost that duality proves (`dispatch/bound`),
so that it is never made to look small; `captured_share` is the part of the gap between
`greedy_battery`, which is what a site operator does today, and that bound. Every policy is
replayed interval by interval: meters, batteries and queues are worked out there, and its bill is
settled twice.

Five runs tell what information is worth: `mpc_without_day_ahead` (a price is public in its own
hour everywhere), `mpc` (six markets publish the next day, four do not; beyond that a blend or a
ridge; demand from last week), `mpc_day_ahead_everywhere` (as if the four published too),
`mpc_perfect_day_ahead`, and `mpc_true_48h`, which knows everything of the 48 h that it sees.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from year_world import (
    FIRST,
    HISTORY_DAYS,
    LONGEST_DAYS,
    PRICES,
    RATES,
    RATES_SOURCE,
    known_only_now,
    plain_world,
    year_world,
)

from tokenergy.dispatch.bound import Bound, clairvoyant_bound
from tokenergy.dispatch.policies import POLICIES, make_policy
from tokenergy.dispatch.policy import Policy
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.account import Account, account
from tokenergy.simulate.measures import unmoved, wake_mwh
from tokenergy.simulate.replay import replay

NAMES = (
    "nearest",
    "static",
    "greedy",
    "greedy_battery",
    "reserve",
    "daily_duals",
    "mpc",
    "mpc_without_day_ahead",
    "mpc_perfect_day_ahead",
    "mpc_day_ahead_everywhere",
    "mpc_true_48h",
)
BASELINE = "greedy_battery"
WINDOW_COUNT = 48
PLAIN_DAYS = 28
GOALS = {"mpc": 0.015, "mpc_without_day_ahead": 0.04}
GOAL_CAPTURED_SHARE = 0.9
GOAL_PLAIN_SHARE = 1e-9
MORE_THAN_BOUND = -1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What part of the year to run, and of which world."""

    days: int = LONGEST_DAYS
    from_day: int = 0
    size_ratio: float = 1.0
    export_limit_mw: float = 0.0

    def world(self, *, all_publish: bool = False) -> World:
        return year_world(
            self.days,
            from_day=self.from_day,
            size_ratio=self.size_ratio,
            export_limit_mw=self.export_limit_mw,
            all_publish=all_publish,
        )


class TrueMpc:
    """What `mpc` would do if it knew everything of its window: not a policy that can be bought."""

    name = "mpc_true_48h"

    def __init__(self, world: World) -> None:
        self._world = world
        self._model: WindowModel | None = None

    def decide(self, at: int, state: State) -> Action:
        window = true_window(self._world, begin=at, count=min(WINDOW_COUNT, self._world.count))
        if self._model is None:
            self._model = WindowModel(self._world, window, state)
            return self._model.solved(window).action(0, self.name)
        return self._model.solve(window, state).action(0, self.name)


def policies(asked: Asked) -> dict[str, tuple[World, Policy]]:
    """Return each policy with the world that it sees; those that do not ship are left out."""
    made, open_world = asked.world(), asked.world(all_publish=True)
    blind = known_only_now(made)
    own: dict[str, Callable[[], tuple[World, Policy]]] = {
        "mpc_without_day_ahead": lambda: (blind, make_policy("mpc", blind)),
        "mpc_day_ahead_everywhere": lambda: (open_world, make_policy("mpc", open_world)),
        "mpc_true_48h": lambda: (made, TrueMpc(made)),
    }
    return {
        name: own[name]() if name in own else (made, make_policy(name, made))
        for name in NAMES
        if name in own or name in POLICIES
    }


def missing() -> str | None:
    """Return why the year cannot be run here; None if it can."""
    if PRICES.exists():
        return None
    return "../shared/data/prices_2023.csv.gz is not here: real prices are not shipped"


def run_year(asked: Asked, *, told: Callable[[str], None] = print) -> dict[str, Any]:
    """Run every policy over the year; return what is kept."""
    made = asked.world()
    began = time.process_time()
    bound = clairvoyant_bound(made)
    bound_s = time.process_time() - began
    told(f"bound: {bound.lower_usd:,.0f} USD, gap {bound.gap_share:.1e}, {bound_s:.0f} s")
    costs: dict[str, Account] = {}
    kept: dict[str, dict[str, Any]] = {}
    for name, (seen, policy) in policies(asked).items():
        began = time.process_time()
        run = replay(seen, policy)
        took_s = time.process_time() - began
        costs[name] = account(seen, run)
        other = sum(source != run.policy for source in run.sources)
        kept[name] = {
            "cost_usd": costs[name].cost_usd,
            "regret_share": costs[name].cost_usd / bound.lower_usd - 1.0,
            "parts_usd": {part: usd for part, usd in costs[name].parts().items() if usd},
            "wake_mwh": wake_mwh(made, run),
            "fallback_share": other / run.intervals_count,
            "ms_per_decision": round(1e3 * took_s / made.count, 3),
        }
        told(f"{name}: regret {kept[name]['regret_share']:.2%}, {took_s:.0f} s")
    _compare(kept, bound)
    best = min(costs.values(), key=lambda each: each.cost_usd)
    return {
        "says": _says(asked, made),
        "bound": _bound_of(bound, bound_s),
        "policies": kept,
        "unmoved_share": unmoved(made, best.cost_usd).share,
        "plain_greedy_difference_share": plain_difference_share(asked),
    }


def _compare(kept: dict[str, dict[str, Any]], bound: Bound) -> None:
    """Add what needs two policies: the captured share, and the saving against nearest."""
    baseline_usd, nearest_usd = kept[BASELINE]["cost_usd"], kept["nearest"]["cost_usd"]
    for each in kept.values():
        gap_usd = baseline_usd - bound.lower_usd
        each["captured_share"] = (baseline_usd - each["cost_usd"]) / gap_usd
        each["saving_greedy_battery_share"] = 1.0 - each["cost_usd"] / baseline_usd
        each["saving_nearest_share"] = 1.0 - each["cost_usd"] / nearest_usd


def _bound_of(bound: Bound, took_s: float) -> dict[str, Any]:
    return {
        "lower_usd": bound.lower_usd,
        "feasible_usd": bound.feasible_usd,
        "gap_share": bound.gap_share,
        "windows_count": bound.windows_count,
        "took_s": round(took_s, 1),
    }


def plain_difference_share(asked: Asked) -> float:
    """Return how far greedy lies from the program in the plain world, relative to the cost.

    Single hours are programs of their own there, so a window of the horizon is their sum.
    """
    days = min(PLAIN_DAYS, asked.days)
    made = plain_world(year_world(days, from_day=asked.from_day, size_ratio=asked.size_ratio))
    bound = clairvoyant_bound(made)
    greedy_usd = account(made, replay(made, make_policy("greedy", made))).cost_usd
    return abs(greedy_usd - bound.feasible_usd) / abs(bound.feasible_usd)


def _says(asked: Asked, made: World) -> dict[str, Any]:
    """Return what world this was: dates, currency, and what is real in it."""
    span = slice(made.first, made.last)
    prices = made.spot_usd_per_mwh[:, span]
    return {
        "begin": made.moment(made.first).isoformat(),
        "end": made.moment(made.last).isoformat(),
        "days": asked.days,
        "history_days": HISTORY_DAYS,
        "first_possible": FIRST.isoformat(),
        "prices": "real, 2023: see benchmarks/year_world.py for zones, markets and faults",
        "currency": "USD",
        "units_per_usd": RATES,
        "rates_source": RATES_SOURCE,
        "weather_and_demand": "synthetic, seeded",
        "size_ratio": asked.size_ratio,
        "export_limit_mw": asked.export_limit_mw,
        "mean_usd_per_mwh": {
            name: round(float(mean), 2)
            for name, mean in zip(made.site_names, prices.mean(axis=1), strict=True)
        },
        "negative_hours_count": int(np.sum(prices < 0.0)),
    }


def rows(kept: dict[str, Any]) -> list[list[object]]:
    """Return the table: policies x regret."""
    return [
        [
            name,
            f"{each['cost_usd']:,.0f}",
            f"{each['saving_nearest_share']:.1%}",
            f"{each['regret_share']:.2%}",
            f"{each['captured_share']:.1%}",
            each["ms_per_decision"],
        ]
        for name, each in kept["policies"].items()
    ]


def wrong(kept: dict[str, Any]) -> list[str]:
    """Return what cannot be: a policy below the bound, or greedy beside the program."""
    found = [
        f"{name} costs less than what duality proves to be the least"
        for name, each in kept["policies"].items()
        if each["regret_share"] < MORE_THAN_BOUND
    ]
    if not kept["plain_greedy_difference_share"] <= GOAL_PLAIN_SHARE:
        found.append(f"greedy differs from the program by more than {GOAL_PLAIN_SHARE}")
    return found


def missed(kept: dict[str, Any]) -> list[str]:
    """Return the goals that were not reached."""
    found = [
        f"{name}: regret {each['regret_share']:.2%}, goal {GOALS[name]:.1%}"
        for name, each in kept["policies"].items()
        if name in GOALS and each["regret_share"] > GOALS[name]
    ]
    captured = kept["policies"]["mpc"]["captured_share"]
    if captured < GOAL_CAPTURED_SHARE:
        found.append(f"mpc: captured {captured:.1%}, goal {GOAL_CAPTURED_SHARE:.0%}")
    return found
