"""A day of requests against one budget: the world in which controllers are held together.

Gateway sheet, section 3.5: lognormal values and joules, a few actions for each request, a budget
that is a part of what serving all of them in full would use. What a forecast knows of the day is
said with it: how many requests, what they are worth, and nothing of a spike.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.budget_unit import BudgetUnit
from tokenergy.errors import InputError
from tokenergy.units import H_PER_DAY, J_PER_MWH, S_PER_H

FloatArray = NDArray[np.float64]
Values = Literal["as_forecast", "up", "rising"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldAction:
    """One way to answer: its worth and its joules, in parts of an answer in full."""

    name: str
    quality_share: float
    joule_share: float


ACTIONS: Final = (
    WorldAction(name="serve", quality_share=1.0, joule_share=1.0),
    WorldAction(name="cap", quality_share=0.9, joule_share=0.6),
    WorldAction(name="downgrade", quality_share=0.7, joule_share=0.25),
    WorldAction(name="downgrade and cap", quality_share=0.5, joule_share=0.12),
)
"""Best first; to refuse is worth 0 and uses nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWorld:
    """The distributions of a day, its budget, and what may happen that no forecast knows.

    Attributes:
        requests_count: requests of the day, those of a spike included.
        value_mean_usd: mean value of a request; lognormal.
        value_sigma_ratio: standard deviation of the logarithm of the value.
        use_mean_j: mean joules of an answer in full; lognormal, independent of the value.
        use_sigma_ratio: standard deviation of the logarithm of the joules.
        actions: ways to answer, best first.
        budget_share: the budget in parts of what the day would use if all were served in full.
        unit: what the budget is counted in: joules, or the money that they cost.
        up_ratio: values over the forecast where they are up all day.
        rise_ratio: values at the day's end over the forecast where they rise from it, evenly.
        spike_share: part of the day's requests that come in the spike.
        spike_start_share, spike_length_share: when it begins and how long, in parts of the day.
        spike_value_ratio: mean value in it over the forecast.
        usd_per_mwh: what a joule costs, by equal parts of the day; empty: nothing.
        arrived_share: F of ordinary requests, by equal parts of the day; the forecast knows it.
    """

    requests_count: int = 50_000
    value_mean_usd: float = 0.02
    value_sigma_ratio: float = 1.2
    use_mean_j: float = 360_000.0
    use_sigma_ratio: float = 0.8
    actions: tuple[WorldAction, ...] = ACTIONS
    budget_share: float = 0.35
    unit: BudgetUnit = "j"
    up_ratio: float = 1.4
    rise_ratio: float = 1.8
    spike_share: float = 0.3 / 1.3
    spike_start_share: float = 0.9
    spike_length_share: float = 0.05
    spike_value_ratio: float = 3.0
    usd_per_mwh: tuple[float, ...] = ()
    arrived_share: tuple[float, ...] = (0.0, 1.0)

    @property
    def window_s(self) -> float:
        """Length of the day."""
        return H_PER_DAY * S_PER_H

    @property
    def budget_quantity(self) -> float:
        """The budget, in `unit`: a part of the expected use of an ordinary day of that count."""
        full_j = self.requests_count * self.use_mean_j
        if self.unit == "j":
            return self.budget_share * full_j
        return self.budget_share * full_j * self._mean_usd_per_j()

    def costs_usd_per_j(self, arrival_s: FloatArray) -> FloatArray:
        """Return what a joule costs at each moment [n]."""
        if not self.usd_per_mwh:
            return np.zeros(arrival_s.size)
        prices = np.array(self.usd_per_mwh)
        at = np.minimum(prices.size - 1, (arrival_s / self.window_s * prices.size).astype(np.intp))
        return np.asarray(prices[at] / J_PER_MWH, dtype=np.float64)

    def _mean_usd_per_j(self) -> float:
        """Return the mean cost of a joule over the ordinary arrivals; what is paid out counts 0.

        Raises:
            InputError: if the world has no prices.
        """
        if not self.usd_per_mwh:
            raise InputError("a budget of money needs usd_per_mwh: joules cost nothing here")
        parts = len(self.usd_per_mwh)
        ends = np.interp(np.linspace(0.0, 1.0, parts + 1), _places(self), self.arrived_share)
        prices = np.maximum(0.0, np.array(self.usd_per_mwh))
        return float((np.diff(ends) * prices).sum() / J_PER_MWH)

    def to_dict(self) -> dict[str, Any]:
        """Return its parameters as a JSON-ready mapping; long curves by their length."""
        told = asdict(self)
        for name in ("usd_per_mwh", "arrived_share"):
            if len(told[name]) > 2:
                told[name] = f"{len(told[name])} values"
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens on the day, and what the forecast gets wrong about it.

    Attributes:
        name: its key in tables and JSON.
        values: as forecast, up all day, or rising through the day.
        spike: whether a late spike of valuable requests comes, at a time that nobody knows.
        count_ratio: forecast of the count over the true count; nan: the spike is not in it.
        goal_share: part of the clairvoyant value that pacing has to reach.
    """

    name: str
    values: Values = "as_forecast"
    spike: bool = False
    count_ratio: float = 1.0
    goal_share: float = 0.9


def _with_counts(scenario: Scenario) -> tuple[Scenario, ...]:
    low = replace(scenario, name=f"{scenario.name}_count_low", count_ratio=0.7, goal_share=0.9)
    high = replace(scenario, name=f"{scenario.name}_count_high", count_ratio=1.3, goal_share=0.9)
    return (scenario, low, high)


SCENARIOS: Final = (
    *_with_counts(Scenario(name="stationary", goal_share=0.99)),
    *_with_counts(Scenario(name="values_up", values="up", goal_share=0.97)),
    *_with_counts(Scenario(name="values_rising", values="rising", goal_share=0.97)),
    *_with_counts(Scenario(name="late_spike", spike=True, goal_share=0.95)),
    Scenario(name="spike_unforeseen", spike=True, count_ratio=float("nan"), goal_share=0.9),
)
"""Goals of the gateway sheet, section 3.5."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BudgetDay:
    """A day as arrays: n requests in the order of arrival, A actions, best first.

    Attributes:
        arrival_s: seconds since the day's start [n], non-decreasing.
        gain_usd: value x quality, less the marginal cost [n, A].
        use_quantity: use of the budget [n, A]: joules, or USD that are paid (never below 0).
        value_usd: value of an answer in full [n].
        cost_usd: marginal cost [n, A]; below 0 where a joule is paid for.
        work_ratio: joules of an answer in full over their mean [n].
    """

    arrival_s: FloatArray
    gain_usd: FloatArray
    use_quantity: FloatArray
    value_usd: FloatArray
    cost_usd: FloatArray
    work_ratio: FloatArray


def make_day(
    world: BudgetWorld,
    random: np.random.Generator,
    *,
    scenario: Scenario = SCENARIOS[0],
    requests_count: int | None = None,
) -> BudgetDay:
    """Draw a day.

    Args:
        world: its distributions.
        random: where the draws come from.
        scenario: what happens on it; `count_ratio` is the forecast's and plays no part.
        requests_count: requests in all; None: as the world says.
    """
    count = world.requests_count if requests_count is None else requests_count
    spike_count = round(count * world.spike_share) if scenario.spike else 0
    place = _ordinary_places(world, random.random(count - spike_count))
    level = np.ones(place.size)
    if scenario.values == "up":
        level *= world.up_ratio
    elif scenario.values == "rising":
        level += (world.rise_ratio - 1.0) * place
    if spike_count:
        inside = world.spike_start_share + world.spike_length_share * random.random(spike_count)
        place = np.concatenate([place, inside])
        level = np.concatenate([level, np.full(spike_count, world.spike_value_ratio)])
    order = np.argsort(place, kind="stable")
    place, level = place[order], level[order]
    value_usd = world.value_mean_usd * level * _lognormal(random, count, world.value_sigma_ratio)
    work_ratio = _lognormal(random, count, world.use_sigma_ratio)
    return day_of(world, arrival_s=place * world.window_s, value_usd=value_usd, work=work_ratio)


def day_of(
    world: BudgetWorld, *, arrival_s: FloatArray, value_usd: FloatArray, work: FloatArray
) -> BudgetDay:
    """Return the actions of given requests as arrays; `work` is joules over their mean [n]."""
    quality = np.array([action.quality_share for action in world.actions])
    part = np.array([action.joule_share for action in world.actions])
    use_j = np.outer(work * world.use_mean_j, part)
    cost_usd = use_j * world.costs_usd_per_j(arrival_s)[:, None]
    return BudgetDay(
        arrival_s=arrival_s,
        gain_usd=np.outer(value_usd, quality) - cost_usd,
        use_quantity=use_j if world.unit == "j" else np.maximum(0.0, cost_usd),
        value_usd=value_usd,
        cost_usd=cost_usd,
        work_ratio=work,
    )


def _lognormal(random: np.random.Generator, count: int, sigma_ratio: float) -> FloatArray:
    """Draw from a lognormal of mean 1."""
    drawn = np.exp(sigma_ratio * random.standard_normal(count) - 0.5 * sigma_ratio**2)
    return np.asarray(drawn, dtype=np.float64)


def _places(world: BudgetWorld) -> FloatArray:
    return np.linspace(0.0, 1.0, len(world.arrived_share))


def _ordinary_places(world: BudgetWorld, drawn_share: FloatArray) -> FloatArray:
    """Return when requests come, in parts of the day: the inverse of F at uniform draws [n]."""
    return np.interp(drawn_share, world.arrived_share, _places(world))
