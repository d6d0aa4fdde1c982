"""The draws behind T7: single days of three sites against the same days of one.

Drawn on their own: the day; the mean price of each zone (log-uniform in `usd_per_mwh`: the hours
of the day keep their ratio to the zone's mean); the mean utilisation (uniform in
`utilisation_share`); the worth of a token (log-uniform in `token_price_usd_per_mtok`); and the
milliseconds of network that the latency limit of chat leaves (uniform). Both sides have foresight
and start with every GPU awake. The single site stands where the drawn mean price is lowest and is
let off the latency limit: the limit is a cost of geography only, never a reason for it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np

from tokenergy.company.preset import Range
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.thesis.draws import within
from tokenergy.thesis.three_company import FIXED_MW, PUE, SITES_COUNT, Layout, Terms
from tokenergy.thesis.three_sites import Scene, warm
from tokenergy.units import MS_PER_S

DAY_H: Final = 24
DRAWN: Final = ("usd_per_mwh", "utilisation_share", "token_price_usd_per_mtok")
NETWORK_ROOM_MS: Final = (10.0, 100.0)
"""From one's own region alone to any of the three; an assumption."""
NEAR_RATIO: Final = 2.0
"""Price levels are near if the dearest zone is at most this many times the cheapest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """In what part of the drawn days three sites are the cheaper choice.

    Attributes:
        count: how many days.
        holds_share: part in which three sites cost less.
        before_fixed_holds_share: the same if an extra site had no fixed load.
        near_count, near_holds_share: those whose zones have near price levels; None: none had.
        far_holds_share: the others.
        saving_median_share: median saving over the dispatch cost of the single site.
    """

    count: int
    holds_share: float
    before_fixed_holds_share: float
    near_count: int
    near_holds_share: float | None
    far_holds_share: float | None
    saving_median_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Held:
    """A layout on the whole series, its program of one day in the solver."""

    world: World
    model: WindowModel
    start: State

    @classmethod
    def of(cls, scene: Scene, layout: Layout, terms: Terms) -> "_Held":
        hours = scene.hours_count - scene.hours_count % DAY_H
        world = scene.world(layout, terms, first=0, hours_count=hours, history_h=0)
        start = warm(world)
        window = true_window(world, begin=0, count=DAY_H)
        return cls(world=world, model=WindowModel(world, window, start), start=start)

    def cost_usd(self, day: int, *, price_ratio: FloatArray, demand_ratio: float) -> float:
        """Return the optimum of a day whose prices [S] and demand are scaled."""
        known = true_window(self.world, begin=day * DAY_H, count=DAY_H)
        return self.model.solve(_scaled(known, price_ratio, demand_ratio), self.start).objective_usd


def _scaled(window: Window, price_ratio: FloatArray, demand_ratio: float) -> Window:
    return replace(
        window,
        buy_usd_per_mwh=window.buy_usd_per_mwh * price_ratio[:, None],
        sell_usd_per_mwh=window.sell_usd_per_mwh * price_ratio[:, None],
        arrivals_mtok=window.arrivals_mtok * demand_ratio,
    )


def drawn(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    *,
    ranges: Mapping[str, Range],
    utilisation_share: float,
    seed: int,
    count: int,
) -> Draws:
    """Solve `count` drawn days of three sites and of one.

    Args:
        scene: the series.
        layout: three sites, sized for `utilisation_share`.
        terms: what is not drawn.
        ranges: of the prices, the utilisation and the worth of tokens.
        utilisation_share: mean utilisation that the layout was sized for.
        seed: of the draws.
        count: how many.

    Raises:
        InputError: if a zone's mean price is not above 0: it cannot be scaled to a level.
    """
    mean = scene.mean_usd_per_mwh()
    dice = np.random.default_rng([seed, 7])
    day = dice.integers(0, scene.hours_count // DAY_H, size=count)
    level = within(dice, ranges["usd_per_mwh"], count=(count, SITES_COUNT))
    used = within(dice, ranges["utilisation_share"], count=count)
    worth = within(dice, ranges["token_price_usd_per_mtok"], count=count)
    room_ms = dice.uniform(*NETWORK_ROOM_MS, size=count)
    alone = [_Held.of(scene, scene.gathered(layout, at), terms) for at in range(SITES_COUNT)]
    spread: dict[tuple[bool, ...], _Held] = {}
    saved, before = np.empty(count), np.empty(count)
    for at in range(count):
        three = _within(scene, layout, terms, float(room_ms[at]), spread)
        # All money is in proportion: a token worth twice as much is power at half the price.
        ratio = level[at] / mean * terms.token_usd_per_mtok / worth[at]
        demand_ratio = float(used[at]) / utilisation_share
        home = int(np.argmin(level[at]))
        one_usd = alone[home].cost_usd(
            int(day[at]), price_ratio=ratio[home : home + 1], demand_ratio=demand_ratio
        )
        three_usd = three.cost_usd(int(day[at]), price_ratio=ratio, demand_ratio=demand_ratio)
        saved[at] = (one_usd - three_usd) / abs(one_usd)
        before[at] = saved[at] + _fixed_usd(scene, int(day[at]), ratio, home=home) / abs(one_usd)
    near = level.max(axis=1) <= NEAR_RATIO * level.min(axis=1)
    return Draws(
        count=count,
        holds_share=float(np.mean(saved > 0.0)),
        before_fixed_holds_share=float(np.mean(before > 0.0)),
        near_count=int(near.sum()),
        near_holds_share=float(np.mean(saved[near] > 0.0)) if near.any() else None,
        far_holds_share=float(np.mean(saved[~near] > 0.0)) if not near.all() else None,
        saving_median_share=float(np.median(saved)),
    )


def _fixed_usd(scene: Scene, day: int, price_ratio: FloatArray, *, home: int) -> float:
    """Return what the fixed load of the two other sites costs: it moves no decision."""
    price = scene.price_usd_per_mwh[:, day * DAY_H : (day + 1) * DAY_H].sum(axis=1) * price_ratio
    return float(PUE * FIXED_MW * (price.sum() - price[home]))


def _within(
    scene: Scene,
    layout: Layout,
    terms: Terms,
    room_ms: float,
    held: dict[tuple[bool, ...], _Held],
) -> _Held:
    """Return three sites whose chat keeps the limit; one program for each set of routes."""
    if not held:
        everyone = _Held.of(scene, layout, terms)
        held[(True,) * len(everyone.world.routes)] = everyone
    everyone = next(iter(held.values()))
    loads = everyone.world.workloads
    kept = tuple(
        r.rtt_ms <= room_ms or loads[r.workload].defer_count > 0 for r in everyone.world.routes
    )
    if kept not in held:
        limit_s = scene.chat_ttft_s + room_ms / MS_PER_S
        held[kept] = _Held.of(scene, layout, replace(terms, ttft_limit_s=limit_s))
    return held[kept]
