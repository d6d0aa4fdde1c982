"""The path of a company as its users grow: profit by month, what it burns, what becomes short.

Economics sheet, section 5. Three knobs are never one: what a token sells for, how many tokens a
user asks for, and which models answer. Capacity follows the users by a lead time, so that what
is short in between shows as unserved work and as limits that bind.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from tokenergy.company.company import Company
from tokenergy.company.growth import Growth
from tokenergy.dispatch.world import World
from tokenergy.economics.books import WINDOW_H, BookKeeper, Size
from tokenergy.economics.growth_knobs import (
    at_price,
    capacity_ratio_at,
    price_ratio_at,
    standing_knobs,
    tokens_ratio_at,
    users_ratio_at,
)
from tokenergy.economics.profit import ProfitPoint, Told, point_of
from tokenergy.errors import InputError
from tokenergy.units import MONTHS_PER_YEAR

Rebuild = Callable[[Company], World]
"""Makes the world of a company with other ladders: series and catalogue are its caller's."""

EVERY_MONTHS: Final = 3
"""Months from one that is solved to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPoint:
    """One month of the path.

    Attributes:
        month: months after the start of the horizon.
        solved: whether the program was solved for it; else it lies on a line between two.
        users_count, users_ratio, capacity_ratio, price_ratio, tokens_ratio: where growth and
            its knobs stand; ratios are over the file.
        revenue_usd_per_month, cost_usd_per_month, profit_usd_per_month: of this month.
        cumulative_usd: profit of all months up to this one.
        slope_usd_per_user_year: what one more user adds to the profit of a year, dPi/dN.
        unserved_share: part of what is asked for that is refused.
        mw_bound_share: share of the site-hours in which a grid connection binds.
        gpus_bound_share: share of the fleet-hours in which GPUs bind.
    """

    month: int
    solved: bool
    users_count: float
    users_ratio: float
    capacity_ratio: float
    price_ratio: float
    tokens_ratio: float
    revenue_usd_per_month: float
    cost_usd_per_month: float
    profit_usd_per_month: float
    cumulative_usd: float
    slope_usd_per_user_year: float
    unserved_share: float
    mw_bound_share: float
    gpus_bound_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTurn:
    """A month of the path in which dPi/dN changes its sign.

    `month` lies on a line between two solved months; `rises`: from then on a user pays.
    """

    month: float
    users_count: float
    rises: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthPath:
    """Profit along the path of users.

    Attributes:
        basis: what one window stands for.
        window_h: its length.
        every_months: months from one that is solved to the next.
        points: month by month.
        turns: where dPi/dN changes its sign.
        standing: the knobs that stand still, in words.
        missing: prices of capital that the file does not state: they are left out.
    """

    basis: str
    window_h: float
    every_months: int
    points: tuple[PathPoint, ...]
    turns: tuple[PathTurn, ...]
    standing: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def burn_usd(self) -> float:
        """What all months with a loss lose together; never negative."""
        return math.fsum(max(0.0, -point.profit_usd_per_month) for point in self.points)

    @property
    def cumulative_usd(self) -> float:
        """Profit of the whole path."""
        return self.points[-1].cumulative_usd

    @property
    def deepest_usd(self) -> float:
        """The most that has been lost at any month: what has to be raised; 0 if never below."""
        return max(0.0, *(-point.cumulative_usd for point in self.points))

    @property
    def first_profitable(self) -> int | None:
        """The first month with a profit; None where there is none."""
        return next((p.month for p in self.points if p.profit_usd_per_month > 0.0), None)

    @property
    def new_revenue_usd_per_year(self) -> float | None:
        """What the first year of the path adds to a year's revenue; None: it is shorter."""
        if len(self.points) <= MONTHS_PER_YEAR:
            return None
        first, later = self.points[0], self.points[int(MONTHS_PER_YEAR)]
        return (later.revenue_usd_per_month - first.revenue_usd_per_month) * MONTHS_PER_YEAR

    @property
    def n_star_count(self) -> tuple[float, ...]:
        """Users at which dPi/dN changes its sign along the path."""
        return tuple(turn.users_count for turn in self.turns)

    def mw_bound(self) -> tuple[int, ...]:
        """Return the solved months in which megawatts bind somewhere."""
        return tuple(p.month for p in self.points if p.solved and p.mw_bound_share > 0.0)

    def gpus_bound(self) -> tuple[int, ...]:
        """Return the solved months in which GPUs bind somewhere."""
        return tuple(p.month for p in self.points if p.solved and p.gpus_bound_share > 0.0)

    def says(self) -> tuple[str, ...]:
        """Say what the path shows, and what stands still in it."""
        last = self.points[-1]
        lines = [
            f"In month {last.month} there are {last.users_count:,.0f} users; the path "
            f"{'earns' if self.cumulative_usd >= 0.0 else 'loses'} "
            f"{abs(self.cumulative_usd):,.0f} USD, {self._burn_text()}."
        ]
        if self.first_profitable is None:
            lines.append("No month has a profit.")
        else:
            lines.append(f"The first month with a profit is month {self.first_profitable}.")
        for turn in self.turns:
            what = "begins to pay" if turn.rises else "begins to lose"
            lines.append(
                f"About month {turn.month:.0f}, at {turn.users_count:,.0f} users, one more {what}."
            )
        worst = max(self.points, key=lambda point: point.unserved_share)
        if worst.unserved_share > 0.0:
            lines.append(
                f"Most is refused in month {worst.month}: {worst.unserved_share:.1%} of what is "
                f"asked for; GPUs bind there in {worst.gpus_bound_share:.0%} of fleet-hours, "
                f"megawatts in {worst.mw_bound_share:.0%} of site-hours."
            )
        if self.standing:
            lines.append("Standing still: " + "; ".join(self.standing) + ".")
        if self.every_months > 1:
            lines.append(
                f"One month in {self.every_months} is solved, months between lie on a line."
            )
        if self.missing:
            lines.append("Left out, since the file states no price: " + ", ".join(self.missing))
        return tuple(lines)

    def _burn_text(self) -> str:
        if self.burn_usd == 0.0:
            return "and no month has a loss"
        text = f"months with a loss burn {self.burn_usd:,.0f}"
        if self.deepest_usd > 0.0:
            text += f", and at the lowest point {self.deepest_usd:,.0f} have to have been raised"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return the path as one JSON-ready object."""
        return {
            "basis": self.basis,
            "window_h": self.window_h,
            "every_months": self.every_months,
            "burn_usd": self.burn_usd,
            "cumulative_usd": self.cumulative_usd,
            "deepest_usd": self.deepest_usd,
            "first_profitable_month": self.first_profitable,
            "new_revenue_usd_per_year": self.new_revenue_usd_per_year,
            "n_star_count": list(self.n_star_count),
            "turns": [asdict(turn) for turn in self.turns],
            "mw_bound_months": list(self.mw_bound()),
            "gpus_bound_months": list(self.gpus_bound()),
            "standing": list(self.standing),
            "missing": list(self.missing),
            "says": list(self.says()),
            "points": [asdict(point) for point in self.points],
        }


def growth_path(
    world: World,
    growth: Growth | None = None,
    *,
    rebuild: Rebuild | None = None,
    window_h: float = WINDOW_H,
    every_months: int = EVERY_MONTHS,
    on_progress: Told | None = None,
) -> GrowthPath:
    """Return profit month by month along a path of users.

    Args:
        world: a company with users.
        growth: the path; None: the company's own.
        rebuild: makes the world of a company with other ladders; needed for a model mix.
        window_h: hours of the horizon that stand for a month's year.
        every_months: months from one that is solved to the next; months in which the mix
            changes, and those before them, are solved besides.
        on_progress: told of the months that are solved.

    Raises:
        InputError: if there is no path or no users, or a mix without `rebuild`.
    """
    growth = _growth_of(world, growth, rebuild, every_months)
    months = _solved_months(growth, every_months)
    keeper, made_for = BookKeeper(world, window_h=window_h), (frozenset[str](), 1.0)
    solved: dict[int, ProfitPoint] = {}
    for done, month in enumerate(months):
        mix, price_ratio = _ladders(growth, month), price_ratio_at(growth, month)
        key = (frozenset(f"{name}:{ladder}" for name, ladder in mix.items()), price_ratio)
        if key != made_for:
            answered = _answered(world, mix, rebuild)
            priced = at_price(answered, price_ratio, growth.price_elasticity_ratio)
            keeper, made_for = BookKeeper(priced, window_h=window_h), key
        size = _size_at(growth, month)
        solved[month] = point_of(keeper, size.users_ratio, "stands", size=size)
        if on_progress is not None:
            on_progress(done + 1, len(months))
    return GrowthPath(
        basis=keeper.basis,
        window_h=keeper.window_h,
        every_months=every_months,
        points=_between(growth, solved),
        turns=_path_turns(growth, solved),
        standing=standing_knobs(growth),
        missing=keeper.missing,
    )


def _size_at(growth: Growth, month: int) -> Size:
    return Size(
        users_ratio=users_ratio_at(growth, month),
        capacity_ratio=capacity_ratio_at(growth, month),
        tokens_ratio=tokens_ratio_at(growth, month),
    )


def _ladders(growth: Growth, month: int) -> dict[str, tuple[str, ...]]:
    """Return the ladders that hold in a month, by workload: of several steps the latest."""
    steps = sorted(growth.model_mix, key=lambda step: step.month)
    return {step.workload: step.ladder for step in steps if step.month <= month}


def _answered(world: World, ladders: dict[str, tuple[str, ...]], rebuild: Rebuild | None) -> World:
    """Return the world with the ladders of a month."""
    if not ladders or rebuild is None:
        return world
    company = world.company
    workloads = tuple(
        load.model_copy(update={"ladder": ladders.get(load.name, load.ladder)})
        for load in company.workloads
    )
    return rebuild(company.model_copy(update={"workloads": workloads}))


def _growth_of(
    world: World, growth: Growth | None, rebuild: Rebuild | None, every_months: int
) -> Growth:
    """Return the path, or refuse what none can be drawn from."""
    company = world.company
    growth = company.growth if growth is None else growth
    if growth is None:
        raise InputError(f"company {company.company!r} states no growth: add growth: {{...}}")
    if not any(tier.users is not None for tier in company.tiers):
        raise InputError(
            f"company {company.company!r} names the users of no tier: growth needs "
            "tiers[].users.count"
        )
    if growth.model_mix and rebuild is None:
        raise InputError("growth.model_mix changes ladders: pass rebuild, which makes their world")
    if every_months < 1:
        raise InputError(f"every_months is {every_months}; it must be at least 1")
    return growth


# ---- from solved months to the path --------------------------------------------------------


def _solved_months(growth: Growth, every_months: int) -> list[int]:
    """Return the months to solve: one in so many, the last, and both sides of each step."""
    last = growth.months - 1
    months = {*range(0, growth.months, every_months), last}
    for step in growth.model_mix:
        first = math.ceil(step.month)
        months |= {month for month in (first - 1, first) if 0 <= month <= last}
    return sorted(months)


def _between(growth: Growth, solved: dict[int, ProfitPoint]) -> tuple[PathPoint, ...]:
    """Return every month: solved ones as they are, the others on lines between them."""
    at = list(solved)

    def line(of: Callable[[ProfitPoint], float]) -> list[float]:
        values = [of(point) for point in solved.values()]
        return [float(value) for value in np.interp(range(growth.months), at, values)]

    users_count = next(iter(solved.values())).books.users_count
    revenue = line(lambda point: point.books.revenue_usd_per_year / MONTHS_PER_YEAR)
    cost = line(lambda point: point.books.cost_usd_per_year / MONTHS_PER_YEAR)
    slope = line(lambda point: point.slope_usd_per_user_year)
    unserved = line(lambda point: max(0.0, 1.0 - point.books.served_share))
    megawatts = line(lambda point: point.books.mw_bound_share)
    gpus = line(lambda point: point.books.gpus_bound_share)
    points, sum_usd = [], 0.0
    for month in range(growth.months):
        sum_usd += revenue[month] - cost[month]
        size = _size_at(growth, month)
        points.append(
            PathPoint(
                month=month,
                solved=month in solved,
                users_count=users_count / _size_at(growth, 0).users_ratio * size.users_ratio,
                users_ratio=size.users_ratio,
                capacity_ratio=size.capacity_ratio,
                price_ratio=price_ratio_at(growth, month),
                tokens_ratio=size.tokens_ratio,
                revenue_usd_per_month=revenue[month],
                cost_usd_per_month=cost[month],
                profit_usd_per_month=revenue[month] - cost[month],
                cumulative_usd=sum_usd,
                slope_usd_per_user_year=slope[month],
                unserved_share=unserved[month],
                mw_bound_share=megawatts[month],
                gpus_bound_share=gpus[month],
            )
        )
    return tuple(points)


def _path_turns(growth: Growth, solved: dict[int, ProfitPoint]) -> tuple[PathTurn, ...]:
    """Return the months, on lines between solved ones, in which dPi/dN changes its sign."""
    slopes = [(month, point.slope_usd_per_user_year) for month, point in solved.items()]
    slopes = [pair for pair in slopes if pair[1] != 0.0]
    today_count = next(iter(solved.values())).books.users_count / users_ratio_at(growth, 0.0)
    turns = []
    for (month, before), (later, after) in pairwise(slopes):
        if (before < 0.0) == (after < 0.0):
            continue
        at_months = month + (later - month) * before / (before - after)
        turns.append(
            PathTurn(
                month=at_months,
                users_count=today_count * users_ratio_at(growth, at_months),
                rises=after > 0.0,
            )
        )
    return tuple(turns)
