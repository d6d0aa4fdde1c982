"""Ways to spend a budget on requests as they come, and the best that could have been done.

Every controller sees one request at a time and may not spend more than is left: that is the hard
lease, and it holds for all but `unlimited`. Ours is the pacing of the gateway: the same
`target_quantity`, compiled, and a test holds it against `Pacer` itself, step by step.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from tokenergy.company.budget_unit import BudgetUnit
from tokenergy.routing.pacing import Pacing, PacingRule
from tokenergy.simulate.budget_world import BudgetDay
from tokenergy.simulate.controller_loops import (
    REFUSED,
    IntArray,
    at_price_choices,
    envelope_steps,
    in_full_choices,
    least_price,
    paced_choices,
    rate_limited_choices,
    re_solved_choices,
)

RE_SOLVES_COUNT: Final = 48
"""How often in a window the re-solving controller asks again: every half hour of a day."""
BURST_SHARE: Final = 1.0 / 24.0
"""What the bucket of the rate limit holds, in parts of the budget: an hour's worth of a day."""
CONTROLLERS: Final = (
    "unlimited", "random_drop", "first_come", "rate_limit", "yesterdays_price", "re_solve", "paced",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """What a controller knows before the day: an ordinary day of the forecast count, and its dual.

    Attributes:
        day: requests of that day: yesterday's, with the count that is expected today.
        requests_count: how many it holds.
        mean_use_quantity: mean use of an answer in full.
        dual_usd_per_unit: dual of the budget on that day; 0 where it would be slack.
        worth_usd_per_unit: median of gain / use of an answer in full, of those that gain; of
            value / use where none does.
        arrived_share: F, by equal parts of the day.
    """

    day: BudgetDay
    requests_count: int
    mean_use_quantity: float
    dual_usd_per_unit: float
    worth_usd_per_unit: float
    arrived_share: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a controller made of a day.

    Attributes:
        gain_usd: value x quality of what was served, less its marginal cost.
        value_usd: the value x quality alone.
        cost_usd: the marginal cost.
        used_quantity: what was used of the budget.
        work_ratio: work done, in answers in full of mean size.
        refused_value_usd: value of the requests that were refused.
        served_count: requests that were served in some way.
    """

    gain_usd: float
    value_usd: float
    cost_usd: float
    used_quantity: float
    work_ratio: float
    refused_value_usd: float
    served_count: int


def forecast_of(
    day: BudgetDay, *, budget_quantity: float, arrived_share: tuple[float, ...]
) -> Forecast:
    """Return what a day that is taken for tomorrow's tells beforehand."""
    use = day.use_quantity[:, 0]
    paid = (day.gain_usd[:, 0] > 0.0) & (use > 0.0)
    # Where nothing gains, what is wanted is a scale all the same: that of the values.
    worth_usd, of = (day.gain_usd[:, 0], paid) if paid.any() else (day.value_usd, use > 0.0)
    ratio = worth_usd[of] / use[of]
    return Forecast(
        day=day,
        requests_count=day.arrival_s.size,
        mean_use_quantity=float(use.mean()),
        dual_usd_per_unit=dual_of(day, budget_quantity),
        worth_usd_per_unit=float(np.median(ratio)),
        arrived_share=arrived_share,
    )


def dual_of(day: BudgetDay, budget_quantity: float) -> float:
    """Return the least price of the budget at which no more than it would be used; 0: slack."""
    return float(least_price(day.gain_usd, day.use_quantity, budget_quantity))


def clairvoyant_usd(day: BudgetDay, budget_quantity: float) -> float:
    """Return the most that could be gained with the whole day known: the program's own value.

    Each request takes its best action at one price of the budget, found by bisection. The value of
    the dual function there bounds every controller, and is reached up to a part of one request.
    """
    price = dual_of(day, budget_quantity)
    best = (day.gain_usd - price * day.use_quantity).max(axis=1)
    return float(price * budget_quantity + np.maximum(0.0, best).sum())


def choices_of(
    name: str,
    day: BudgetDay,
    forecast: Forecast,
    *,
    budget_quantity: float,
    pacing: Pacing,
    random: np.random.Generator,
) -> IntArray:
    """Return what a controller does with each request [n]: an action, or `REFUSED`.

    Args:
        name: one of `CONTROLLERS`.
        day: the requests; a controller sees none before it has come.
        forecast: what it knows beforehand.
        budget_quantity: what may be used.
        pacing: the same budget as pacing sees it.
        random: where dropping at random draws from.
    """
    count, gain, use = day.arrival_s.size, day.gain_usd, day.use_quantity
    if name == "unlimited":
        return np.zeros(count, dtype=np.int64)
    if name == "random_drop":
        expected = forecast.requests_count * forecast.mean_use_quantity
        keeps = random.random(count) < budget_quantity / expected
        return in_full_choices(use, keeps, budget_quantity)
    if name == "first_come":
        return in_full_choices(use, np.ones(count, dtype=np.bool_), budget_quantity)
    window_s = pacing.end_s - pacing.start_s
    if name == "rate_limit":
        per_s = budget_quantity / window_s
        most = BURST_SHARE * budget_quantity
        return rate_limited_choices(day.arrival_s, use, budget_quantity, per_s, most)
    if name == "yesterdays_price":
        return at_price_choices(gain, use, forecast.dual_usd_per_unit, budget_quantity)
    if name == "re_solve":
        steps = envelope_steps(forecast.day.gain_usd, forecast.day.use_quantity)
        steps = steps[np.argsort(-steps[:, 0], kind="stable")]
        every_s = window_s / RE_SOLVES_COUNT
        return re_solved_choices(
            day.arrival_s, gain, use, forecast.day.arrival_s, steps, budget_quantity, every_s
        )
    if name == "paced":
        return paced(day, pacing)
    raise KeyError(f"no controller is called {name!r}; there are {', '.join(CONTROLLERS)}")


def paced(day: BudgetDay, pacing: Pacing) -> IntArray:
    """Return what the gateway's pacing does with each request [n]."""
    law = pacing.law._replace(arrived_share=cast(Any, np.array(pacing.arrived_share)))
    return paced_choices(
        day.arrival_s + pacing.start_s, day.gain_usd, day.use_quantity, law,
        pacing.step_usd_per_unit, pacing.dual_usd_per_unit, pacing.budget_quantity,
    )  # fmt: skip


def pacing_of(
    forecast: Forecast,
    *,
    budget_quantity: float,
    window_s: float,
    unit: BudgetUnit = "j",
    rule: PacingRule | None = None,
) -> Pacing:
    """Return a budget as pacing sees it, by what is known beforehand."""
    return Pacing(
        budget="world",
        unit=unit,
        start_s=0.0,
        end_s=window_s,
        budget_quantity=budget_quantity,
        requests_count=float(forecast.requests_count),
        mean_use_quantity=forecast.mean_use_quantity,
        dual_usd_per_unit=forecast.dual_usd_per_unit,
        worth_usd_per_unit=forecast.worth_usd_per_unit,
        arrived_share=forecast.arrived_share,
        rule=PacingRule() if rule is None else rule,
    )


def outcome_of(day: BudgetDay, choices: IntArray) -> Outcome:
    """Return the sums over what was chosen."""
    served = np.flatnonzero(choices != REFUSED)
    action = choices[served]
    gain, cost = day.gain_usd[served, action], day.cost_usd[served, action]
    full_use = day.use_quantity[:, 0]
    part = day.use_quantity[served, action] / np.where(full_use[served] > 0.0, full_use[served], 1)
    return Outcome(
        gain_usd=float(gain.sum()),
        value_usd=float((gain + cost).sum()),
        cost_usd=float(cost.sum()),
        used_quantity=float(day.use_quantity[served, action].sum()),
        work_ratio=float((day.work_ratio[served] * part).sum()),
        refused_value_usd=float(day.value_usd[choices == REFUSED].sum()),
        served_count=int(served.size),
    )
