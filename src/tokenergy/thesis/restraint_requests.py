"""Restraint at the level of requests: seven ways to give a tier as many tokens, and what they keep.

A tier's hours become requests of unequal value and size. All but `unlimited` get the same tokens,
namely those that pacing used of the budget; who gets them is what differs. What the served tokens
cost is asked of whoever knows, hour by hour: the company's program, or its merit orders.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.economics.heavy_tail import sigma_of
from tokenergy.simulate.budget_world import BudgetDay, FloatArray
from tokenergy.simulate.controller_loops import REFUSED, IntArray
from tokenergy.simulate.controllers import (
    CONTROLLERS,
    Forecast,
    choices_of,
    clairvoyant_usd,
    forecast_of,
    pacing_of,
)
from tokenergy.thesis.thresholds import RESTRAINT_INTERVAL_SHARE
from tokenergy.units import S_PER_H

REQUESTS_COUNT: Final = 50_000
"""Drawn requests; each stands for as many as make up its hour."""
SEEDS_COUNT: Final = 5
RANDOM_SEEDS_COUNT: Final = 80
"""Ways of dropping at random in each draw, for the interval."""
LEAST_SHARE: Final = 1e-9
"""Of all tokens: a budget of nothing would have no pace."""
UNLIMITED: Final = "unlimited"
OURS: Final = "paced"
WORDS: Final = {
    "unlimited": "unlimited",
    "random_drop": "random drop",
    "first_come": "first come until empty",
    "rate_limit": "rate limit",
    "yesterdays_price": "yesterday's price",
    "re_solve": "re-solve 48 times",
    "paced": "paced (ours)",
}
"""What a reader calls them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestTier:
    """A tier over one window of T hours, and what is taken of its requests.

    Attributes:
        name: of the tier.
        arrivals_mtok: asked for in each interval [T].
        price_usd_per_mtok: what one Mtok more costs then [T]: the price on the board.
        step_h: length of an interval.
        value_usd_per_mtok: mean value.
        value_top_tenth_share: part of the value that a tenth of the requests holds; lognormal.
        size_sigma_ratio: standard deviation of the logarithm of a request's tokens; 0: all alike.
        budget_share: the budget in parts of what all requests would use.
        seed: of every draw.
    """

    name: str
    arrivals_mtok: FloatArray
    price_usd_per_mtok: FloatArray
    step_h: float
    value_usd_per_mtok: float
    value_top_tenth_share: float
    size_sigma_ratio: float
    budget_share: float
    seed: int

    @property
    def window_s(self) -> float:
        """Length of the window."""
        return self.arrivals_mtok.size * self.step_h * S_PER_H

    @property
    def full_mtok(self) -> float:
        """All that is asked for."""
        return float(self.arrivals_mtok.sum())

    @property
    def arrived_share(self) -> tuple[float, ...]:
        """F: the share of the requests that has come by the end of each interval."""
        parts = np.cumsum(self.arrivals_mtok) / self.arrivals_mtok.sum()
        return (0.0, *(float(part) for part in parts[:-1]), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPolicy:
    """What one way of restraint makes of the same requests, mean of the seeds.

    Attributes:
        policy: its name.
        tokens_share: tokens it serves of all that are asked for.
        requests_share: requests it serves.
        value_kept_share: value it keeps of all.
        value_usd: that value.
        cost_usd: what the tokens cost.
        tokens_off_share: its tokens over those of pacing, less one.
    """

    policy: str
    tokens_share: float
    requests_share: float
    value_kept_share: float
    value_usd: float
    cost_usd: float
    tokens_off_share: float

    @property
    def margin_usd(self) -> float:
        """Value less cost."""
        return self.value_usd - self.cost_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as a JSON-ready mapping."""
        return asdict(self) | {"margin_usd": self.margin_usd, "words": WORDS[self.policy]}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestraintRequests:
    """The seven ways side by side.

    Attributes:
        tier: the tier's name.
        policies: in the order of `CONTROLLERS`.
        clairvoyant_share: value above cost that pacing keeps of what could have been kept with
            every request known beforehand, at the prices of the board and the same budget; 1
            where nothing could.
        random_low_usd, random_high_usd: interval of the margin of dropping at random.
        budget_share: the budget in parts of what all requests would use.
        value_top_tenth_share: of the values.
        seeds_count: draws that the figures are means of.
        requests_count: requests of each draw.
    """

    tier: str
    policies: tuple[RequestPolicy, ...]
    clairvoyant_share: float
    random_low_usd: float
    random_high_usd: float
    budget_share: float
    value_top_tenth_share: float
    seeds_count: int
    requests_count: int

    def policy(self, name: str) -> RequestPolicy:
        """Return one of them by name."""
        return next(policy for policy in self.policies if policy.policy == name)

    @property
    def margin_up_share(self) -> float:
        """Gain of pacing over serving everything, in parts of the size of that margin."""
        before_usd = self.policy(UNLIMITED).margin_usd
        return (self.policy(OURS).margin_usd - before_usd) / abs(before_usd)

    @property
    def value_kept_share(self) -> float:
        """Value that pacing keeps."""
        return self.policy(OURS).value_kept_share

    @property
    def beats_random(self) -> bool:
        """Whether pacing lies above the interval of dropping at random."""
        return self.policy(OURS).margin_usd > self.random_high_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as a JSON-ready mapping."""
        told = asdict(self) | {"policies": [policy.to_dict() for policy in self.policies]}
        return told | {
            "margin_up_share": self.margin_up_share,
            "value_kept_share": self.value_kept_share,
            "beats_random": self.beats_random,
        }


def restraint_requests(
    tier: RequestTier,
    cost_usd: Callable[[FloatArray], float],
    *,
    seeds_count: int = SEEDS_COUNT,
    requests_count: int = REQUESTS_COUNT,
) -> RestraintRequests:
    """Hold seven ways of restraint against each other at equal tokens.

    Args:
        tier: the requests.
        cost_usd: what serving these Mtok costs, by interval [T].
        seeds_count: draws.
        requests_count: requests of each draw.
    """
    drawn = [_draw(tier, at, requests_count) for at in range(seeds_count)]
    played = [_play(tier, each) for each in drawn]
    profiles = {name: np.mean([one.served[name] for one in played], axis=0) for name in CONTROLLERS}
    costs = {name: cost_usd(profile) for name, profile in profiles.items()}
    all_mtok, ours_mtok = float(tier.arrivals_mtok.sum()), float(profiles[OURS].sum())
    policies = []
    for name in CONTROLLERS:
        mtok = float(profiles[name].sum())
        policies.append(
            RequestPolicy(
                policy=name,
                tokens_share=mtok / all_mtok,
                requests_share=float(np.mean([one.requests_share[name] for one in played])),
                value_kept_share=float(np.mean([one.kept_share[name] for one in played])),
                value_usd=float(np.mean([one.value_usd[name] for one in played])),
                cost_usd=costs[name],
                tokens_off_share=mtok / ours_mtok - 1.0 if ours_mtok > 0.0 else 0.0,
            )
        )
    half = 0.5 * (1.0 - RESTRAINT_INTERVAL_SHARE)
    random_usd = np.concatenate([one.random_usd for one in played])
    low, high = np.quantile(random_usd, (half, 1.0 - half)) - costs["random_drop"]
    return RestraintRequests(
        tier=tier.name,
        policies=tuple(policies),
        clairvoyant_share=float(np.mean([one.clairvoyant_share for one in played])),
        random_low_usd=float(low),
        random_high_usd=float(high),
        budget_share=tier.budget_share,
        value_top_tenth_share=tier.value_top_tenth_share,
        seeds_count=seeds_count,
        requests_count=requests_count,
    )


# ---- one draw ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Draw:
    """Requests of a window and of the one before it.

    `hour` is the interval of each [n], `weight` how many requests each stands for [n].
    """

    day: BudgetDay
    past: BudgetDay
    hour: IntArray
    weight: FloatArray
    random: np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Played:
    """What each way made of one draw; `served` is Mtok by interval [T]."""

    served: dict[str, FloatArray]
    requests_share: dict[str, float]
    kept_share: dict[str, float]
    value_usd: dict[str, float]
    random_usd: FloatArray
    clairvoyant_share: float


def _draw(tier: RequestTier, at: int, count: int) -> _Draw:
    random = np.random.default_rng([tier.seed, 80, at])
    day, hour, weight = _day(tier, random, count)
    past, _, _ = _day(tier, random, count)
    return _Draw(day=day, past=past, hour=hour, weight=weight, random=random)


def _day(
    tier: RequestTier, random: np.random.Generator, count: int
) -> tuple[BudgetDay, IntArray, FloatArray]:
    """Draw requests whose tokens make up every interval exactly.

    An interval of which no request was drawn gets one, so that none is lost.
    """
    parts = tier.arrivals_mtok.size
    shares = tier.arrivals_mtok / tier.arrivals_mtok.sum()
    hour = np.concatenate([np.flatnonzero(shares > 0.0), random.choice(parts, count, p=shares)])
    inside = random.random(hour.size)
    order = np.argsort(hour + inside, kind="stable")
    hour, place = hour[order], (hour + inside)[order]
    size = _lognormal(random, hour.size, tier.size_sigma_ratio)
    sized = np.bincount(hour, weights=size, minlength=parts)
    scale = tier.arrivals_mtok / np.where(sized > 0.0, sized, 1.0)
    mtok = size * scale[hour]
    # Value is of a request, whatever its size, and a drawn one stands for `scale` others.
    value_ratio = _lognormal(random, hour.size, sigma_of(tier.value_top_tenth_share))
    value_usd = tier.value_usd_per_mtok * value_ratio * scale[hour]
    cost_usd = mtok * tier.price_usd_per_mtok[hour]
    day = BudgetDay(
        arrival_s=place * tier.step_h * S_PER_H,
        gain_usd=(value_usd - cost_usd)[:, None],
        # One kind of work: joules are in proportion to tokens, and pacing knows no unit.
        use_quantity=mtok[:, None],
        value_usd=value_usd,
        cost_usd=cost_usd[:, None],
        work_ratio=mtok,
    )
    return day, hour.astype(np.int64), scale[hour]


def _play(tier: RequestTier, drawn: _Draw) -> _Played:
    """Let pacing spend the budget, then give every other way the tokens that it used."""
    day = drawn.day
    budget_mtok = tier.budget_share * tier.full_mtok
    forecast = _forecast(tier, drawn.past, budget_mtok)
    paced = _choices(tier, OURS, drawn, forecast, budget_mtok)
    used_mtok = float(day.use_quantity[paced != REFUSED, 0].sum())
    equal_mtok = max(used_mtok, LEAST_SHARE * tier.full_mtok)
    equal = _forecast(tier, drawn.past, equal_mtok)
    choices = {
        name: paced if name == OURS else _choices(tier, name, drawn, equal, equal_mtok)
        for name in CONTROLLERS
    }
    # A coin for each request would miss the tokens by a percent or so.
    choices["random_drop"] = np.full(day.arrival_s.size, REFUSED)
    choices["random_drop"][_at_random(drawn, used_mtok)] = 0
    all_usd, parts = float(day.value_usd.sum()), tier.arrivals_mtok.size
    served = {name: each != REFUSED for name, each in choices.items()}
    value_usd = {name: float(day.value_usd[each].sum()) for name, each in served.items()}
    gain_usd = float(day.gain_usd[served[OURS], 0].sum())
    best_usd = clairvoyant_usd(day, budget_mtok)
    all_weight = float(drawn.weight.sum())
    return _Played(
        served={
            name: np.asarray(np.bincount(drawn.hour[each], day.work_ratio[each], parts), float)
            for name, each in served.items()
        },
        requests_share={
            name: float(drawn.weight[each].sum()) / all_weight for name, each in served.items()
        },
        kept_share={name: each / all_usd for name, each in value_usd.items()},
        value_usd=value_usd,
        random_usd=_random_values_usd(drawn, used_mtok),
        clairvoyant_share=gain_usd / best_usd if best_usd > 0.0 else 1.0,
    )


def _forecast(tier: RequestTier, past: BudgetDay, budget_mtok: float) -> Forecast:
    return forecast_of(past, budget_quantity=budget_mtok, arrived_share=tier.arrived_share)


def _choices(
    tier: RequestTier, name: str, drawn: _Draw, forecast: Forecast, budget_mtok: float
) -> IntArray:
    pacing = pacing_of(forecast, budget_quantity=budget_mtok, window_s=tier.window_s)
    return choices_of(
        name, drawn.day, forecast, budget_quantity=budget_mtok, pacing=pacing, random=drawn.random
    )


def _random_values_usd(drawn: _Draw, used_mtok: float) -> FloatArray:
    """Return what is kept by each of many random droppings to as many tokens [seeds]."""
    value_usd = drawn.day.value_usd
    kept = [value_usd[_at_random(drawn, used_mtok)].sum() for _ in range(RANDOM_SEEDS_COUNT)]
    return np.array(kept)


def _at_random(drawn: _Draw, used_mtok: float) -> IntArray:
    """Return as many requests, all alike in chance, as use no more than that."""
    use = drawn.day.use_quantity[:, 0]
    order = drawn.random.permutation(use.size)
    until = int(np.searchsorted(np.cumsum(use[order]), used_mtok, side="right"))
    return np.asarray(order[:until], dtype=np.int64)


def _lognormal(random: np.random.Generator, count: int, sigma_ratio: float) -> FloatArray:
    """Draw from a lognormal of mean 1."""
    drawn = np.exp(sigma_ratio * random.standard_normal(count) - 0.5 * sigma_ratio**2)
    return np.asarray(drawn, dtype=np.float64)
