"""Profit against users: what one more user adds, where that changes its sign, and what it takes.

Economics sheet, section 5, on a real company: the cost is that of the dispatch program, not of a
formula. Derivatives are central differences of 1 % of the users.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np

from tokenergy.dispatch.world import World
from tokenergy.economics.books import WINDOW_H, BookKeeper, Books, Size
from tokenergy.economics.negative_scale import (
    STEP_SHARE,
    BreakEven,
    Scale,
    break_even_conversion,
)
from tokenergy.errors import InputError

Capacity = Literal["stands", "follows"]
"""`stands`: as the file has it; `follows`: grows with the users from today's number on, at the
file's own prices, contracts as signed."""
Told = Callable[[int, int], None]
"""Told (done, of)."""

RATIOS: Final[tuple[float, ...]] = tuple(
    round(float(ratio), 12) for ratio in np.geomspace(0.1, 10.0, 13)
)
"""From a tenth of today's users to ten times as many; 1 is among them."""
NEAR_SHARE: Final = 1e-3
"""A turn is found to this share of its users."""
HALVINGS_MOST: Final = 4
"""How often the span between two points is halved in search of a turn that they hide."""
ROUNDING_SHARE: Final = 1e-6
"""A slope below this share of what a user costs or brings is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitPoint:
    """The books at one number of users, and what one more user changes.

    Attributes:
        users_ratio: users over those of the file.
        capacity_ratio: capacity over that of the file.
        books: revenue, cost and what was served.
        scale: average and marginal cost, marginal revenue, elasticity; it tells negative scale
            (a user costs more than it brings) from diseconomies (cost per user rises).
    """

    users_ratio: float
    capacity_ratio: float
    books: Books
    scale: Scale

    @property
    def slope_usd_per_user_year(self) -> float:
        """What one more user adds to the profit in a year: dPi/dN, 0 where it is rounding."""
        slope = self.scale.marginal_profit_usd_per_user_year
        size = max(self.scale.average_usd_per_user_year, abs(self.scale.revenue_usd_per_user_year))
        return slope if abs(slope) > ROUNDING_SHARE * size else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the point as a JSON-ready mapping."""
        place = {"users_ratio": self.users_ratio, "capacity_ratio": self.capacity_ratio}
        return place | self.books.to_dict() | self.scale.to_dict()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A number of users at which a sign changes.

    Attributes:
        users_count, users_ratio: where, to 0.1 %.
        rises: from here on the sign is +, before it -.
        profit_usd_per_year: the profit there.
        served_share: what is served there of what is asked for.
        gpus_bound_share: share of the fleet-hours in which the GPUs bind there.
    """

    users_count: float
    users_ratio: float
    rises: bool
    profit_usd_per_year: float
    served_share: float
    gpus_bound_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitCurve:
    """Profit against users.

    Attributes:
        capacity: whether capacity stands or follows.
        basis: what one window stands for.
        points: by number of users, rising.
        today: the point at the users of the file.
        turns: every change of the sign of dPi/dN: where growth begins to lose, or to pay.
        zeros: every change of the sign of the profit itself.
        paid_share: part of today's users that pay.
        break_even: the part that has to; None where all pay or none does.
        missing: prices of capital that the file does not state: they are left out.
    """

    capacity: Capacity
    window_h: float
    basis: str
    points: tuple[ProfitPoint, ...]
    today: ProfitPoint
    turns: tuple[Turn, ...]
    zeros: tuple[Turn, ...]
    paid_share: float
    break_even: BreakEven | None
    missing: tuple[str, ...]

    @property
    def n_star_count(self) -> tuple[float, ...]:
        """Every number of users at which dPi/dN changes its sign."""
        return tuple(turn.users_count for turn in self.turns)

    def says(self) -> tuple[str, ...]:
        """Say what the curve shows."""
        lines = [self.today.scale.sentence()]
        first, last = self.points[0].books.users_count, self.points[-1].books.users_count
        span = f"between {first:,.0f} and {last:,.0f} users"
        for turn in self.turns:
            what = "one more user begins to pay" if turn.rises else "one more user begins to lose"
            lines.append(
                f"At {turn.users_count:,.0f} users ({turn.users_ratio:.2f} times "
                f"{self.today.books.users_count:,.0f}) {what}; GPUs bind in "
                f"{turn.gpus_bound_share:.0%} of fleet-hours, and "
                f"{turn.served_share:.1%} of what is asked for is served."
            )
        if not self.turns:
            lines.append(f"What one more user adds does not change its sign {span}.")
        lines.append(self._sign_of_profit(span))
        if self.break_even is None:
            whose = "all" if self.paid_share else "none"
            lines.append(f"Of its users {whose} pay: there is no break-even conversion.")
        else:
            lines.append(f"{self.break_even.sentence} {self.paid_share:.2%} pay.")
        if self.missing:
            lines.append("Left out, since the file states no price: " + ", ".join(self.missing))
        return tuple(lines)

    def _sign_of_profit(self, span: str) -> str:
        """Say where the company makes a profit, and where a loss."""
        first, words = self.points[0].books.profit_usd_per_year > 0.0, ("a loss", "a profit")
        if not self.zeros:
            return f"The company makes {words[first]} everywhere {span}."
        parts = [f"{words[not zero.rises]} up to {zero.users_count:,.0f}" for zero in self.zeros]
        return f"The company makes {', '.join(parts)} users, {words[self.zeros[-1].rises]} beyond."

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as one JSON-ready object."""
        return {
            "capacity": self.capacity,
            "window_h": self.window_h,
            "basis": self.basis,
            "today": self.today.to_dict(),
            "n_star_count": list(self.n_star_count),
            "turns": [asdict(turn) for turn in self.turns],
            "zeros": [asdict(zero) for zero in self.zeros],
            "paid_share": self.paid_share,
            "break_even": None if self.break_even is None else self.break_even.to_dict(),
            "missing": list(self.missing),
            "says": list(self.says()),
            "points": [point.to_dict() for point in self.points],
        }


def profit_at(
    world: World,
    *,
    users_ratio: float = 1.0,
    capacity: Capacity = "stands",
    window_h: float = WINDOW_H,
) -> ProfitPoint:
    """Return the books at one number of users, and what one more changes.

    Args:
        world: a company with users.
        users_ratio: users over those of the file.
        capacity: whether GPUs, connections and batteries stand or follow the users.
        window_h: hours of the horizon that stand for the year.

    Raises:
        InputError: if no tier has users, or the ratio is not positive.
    """
    _refuse_without_users(world, (users_ratio,))
    return point_of(BookKeeper(world, window_h=window_h), users_ratio, capacity)


def profit_curve(
    world: World,
    *,
    capacity: Capacity = "stands",
    window_h: float = WINDOW_H,
    at_ratio: Sequence[float] = RATIOS,
    on_progress: Told | None = None,
) -> ProfitCurve:
    """Return profit against users, every turn, and the conversion that breaks even.

    Args:
        world: a company with users.
        capacity: whether GPUs, connections and batteries stand or follow the users.
        window_h: hours of the horizon that stand for the year.
        at_ratio: users over those of the file, rising; two turns between two neighbours
            cannot be seen.
        on_progress: told of the points that are done.

    Raises:
        InputError: if no tier has users, or a ratio is not positive.
    """
    _refuse_without_users(world, at_ratio)
    keeper = BookKeeper(world, window_h=window_h)
    points = []
    for done, ratio in enumerate(at_ratio):
        points.append(point_of(keeper, ratio, capacity))
        if on_progress is not None:
            on_progress(done + 1, len(at_ratio))
    today = next((p for p in points if p.users_ratio == 1.0), None)

    def slope(ratio: float) -> float:
        return point_of(keeper, ratio, capacity).slope_usd_per_user_year

    def profit(ratio: float) -> float:
        return keeper.books(_size(ratio, capacity)).profit_usd_per_year

    profits = [(p.users_ratio, p.books.profit_usd_per_year) for p in points]
    return ProfitCurve(
        capacity=capacity,
        window_h=keeper.window_h,
        basis=keeper.basis,
        points=tuple(points),
        today=point_of(keeper, 1.0, capacity) if today is None else today,
        turns=_turns(keeper, capacity, _slopes(keeper, capacity, points), slope),
        zeros=_turns(keeper, capacity, profits, profit),
        paid_share=paid_share(world),
        break_even=_break_even(keeper, capacity),
        missing=keeper.missing,
    )


def point_of(
    keeper: BookKeeper, users_ratio: float, capacity: Capacity, *, size: Size | None = None
) -> ProfitPoint:
    """Return the point at a number of users; `size` says more about it where there is more.

    Where capacity follows, it also follows the one user more from which the derivative is made;
    below today's users, and where `size` states the capacity, it stands.
    """
    here = _size(users_ratio, capacity) if size is None else size
    books = keeper.books(here)
    cost, revenue = _marginal(keeper, here, grows=size is None and _grows(users_ratio, capacity))
    return ProfitPoint(
        users_ratio=users_ratio,
        capacity_ratio=here.capacity_ratio,
        books=books,
        scale=Scale(
            users_count=books.users_count,
            average_usd_per_user_year=books.cost_usd_per_year / books.users_count,
            marginal_usd_per_user_year=cost,
            revenue_usd_per_user_year=revenue,
            profit_usd_per_year=books.profit_usd_per_year,
        ),
    )


def paid_share(world: World) -> float:
    """Return the part of a company's users that pay anything."""
    tiers = world.company.tiers
    paying = sum(t.users.count for t in tiers if t.users is not None and not t.is_free)
    return paying / sum(t.users.count for t in tiers if t.users is not None)


def _grows(users_ratio: float, capacity: Capacity) -> bool:
    return capacity == "follows" and users_ratio >= 1.0


def _size(users_ratio: float, capacity: Capacity) -> Size:
    capacity_ratio = users_ratio if _grows(users_ratio, capacity) else 1.0
    return Size(users_ratio=users_ratio, capacity_ratio=capacity_ratio)


def _marginal(keeper: BookKeeper, size: Size, *, grows: bool) -> tuple[float, float]:
    """Return cost and revenue of one more user of the tiers that are meant, USD per year."""

    def books(step_share: float) -> Books:
        moved = Size(
            users_ratio=size.users_ratio * (1.0 + step_share),
            capacity_ratio=size.capacity_ratio * (1.0 + step_share if grows else 1.0),
            tokens_ratio=size.tokens_ratio,
            tiers=size.tiers,
        )
        return keeper.books(moved)

    more, less = books(STEP_SHARE), books(-STEP_SHARE)
    users_count = more.users_count - less.users_count
    cost = more.cost_usd_per_year - less.cost_usd_per_year
    return cost / users_count, (more.revenue_usd_per_year - less.revenue_usd_per_year) / users_count


def _slopes(
    keeper: BookKeeper, capacity: Capacity, points: Sequence[ProfitPoint]
) -> list[tuple[float, float]]:
    """Return (users ratio, dPi/dN) of the points, and of some in between that the grid missed."""
    every = [points[0]]
    for left, right in pairwise(points):
        every += [*_between(keeper, capacity, left, right, HALVINGS_MOST), right]
    return [(point.users_ratio, point.slope_usd_per_user_year) for point in every]


def _between(
    keeper: BookKeeper, capacity: Capacity, left: ProfitPoint, right: ProfitPoint, halvings: int
) -> list[ProfitPoint]:
    """Return points between two neighbours that hide a turn.

    They do where the profit moves from one to the other and the slope at neither says so: then
    the middle (in the logarithm) is looked at, and halved again.
    """
    moved_usd = right.books.profit_usd_per_year - left.books.profit_usd_per_year
    size_usd = max(abs(right.books.profit_usd_per_year), abs(left.books.profit_usd_per_year))
    says_so = max(p.slope_usd_per_user_year * moved_usd for p in (left, right)) > 0.0
    if not halvings or says_so or abs(moved_usd) <= ROUNDING_SHARE * size_usd:
        return []
    ratio = float(np.sqrt(left.users_ratio * right.users_ratio))
    middle = point_of(keeper, ratio, capacity)
    before = _between(keeper, capacity, left, middle, halvings - 1)
    return [*before, middle, *_between(keeper, capacity, middle, right, halvings - 1)]


def _turns(
    keeper: BookKeeper,
    capacity: Capacity,
    signed: Sequence[tuple[float, float]],
    of: Callable[[float], float],
) -> tuple[Turn, ...]:
    """Return every change of sign between neighbours, found by halving in the logarithm."""
    found = []
    signed = [pair for pair in signed if pair[1] != 0.0]
    for (left, before), (right, after) in pairwise(signed):
        if (before < 0.0) == (after < 0.0):
            continue
        low, high = left, right
        while high / low > 1.0 + NEAR_SHARE:
            middle = float(np.sqrt(low * high))
            if (of(middle) < 0.0) == (before < 0.0):
                low = middle
            else:
                high = middle
        ratio = float(np.sqrt(low * high))
        books = keeper.books(_size(ratio, capacity))
        found.append(
            Turn(
                users_count=books.users_count,
                users_ratio=ratio,
                rises=after > 0.0,
                profit_usd_per_year=books.profit_usd_per_year,
                served_share=books.served_share,
                gpus_bound_share=books.gpus_bound_share,
            )
        )
    return tuple(found)


def _break_even(keeper: BookKeeper, capacity: Capacity) -> BreakEven | None:
    """Return the conversion at today's users at which a user brings what it costs.

    The free users alone and the paying ones alone are moved by 1 %. Capacity that follows is
    not theirs alone: here it stands.
    """
    tiers = [tier for tier in keeper.world.company.tiers if tier.users is not None]
    free = frozenset(tier.name for tier in tiers if tier.is_free)
    paying = frozenset(tier.name for tier in tiers if not tier.is_free)
    if not free or not paying:
        return None
    free_cost, free_revenue = _marginal(keeper, Size(tiers=free), grows=False)
    paid_cost, paid_revenue = _marginal(keeper, Size(tiers=paying), grows=False)
    return break_even_conversion(
        price_usd_per_user=paid_revenue,
        free_revenue_usd_per_user=free_revenue,
        paid_cost_usd_per_user=paid_cost,
        free_cost_usd_per_user=free_cost,
    )


def _refuse_without_users(world: World, at_ratio: Sequence[float]) -> None:
    """Refuse what no curve can be drawn from."""
    if not any(tier.users is not None for tier in world.company.tiers):
        raise InputError(
            f"company {world.company.company!r} names the users of no tier: profit against users "
            "needs tiers[].users.count"
        )
    for ratio in at_ratio:
        if not ratio > 0.0:
            raise InputError(f"users_ratio is {ratio:g}; it must be above 0")
