"""Profit against users: today, under the company's own restraint, and along its path of growth.

Both curves are drawn with the capacity that stands: what growth does tonight. What one more user
does where GPUs and connections are bought along is told beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.company.company import Company
from tokenergy.company.currency import all_in_currency, in_currency
from tokenergy.company.finding import Finding
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.world import World
from tokenergy.economics.growth_path import GrowthPath, Rebuild, growth_path
from tokenergy.economics.profit import ProfitCurve, ProfitPoint, Told, profit_at, profit_curve
from tokenergy.economics.restrained import Restrained, restrained, value_classes
from tokenergy.economics.tonight import Option, options
from tokenergy.economics.tonight import says as tonight_says

NEARLY_ALL_SHARE = 0.9995
"""What would be told as 100.0 % of what is asked for is all of it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Grown:
    """What growth does to the profit of a company.

    Attributes:
        today: profit against users as the file is.
        restrained: the same under the file's restraint; None where it states none.
        following: today's users where capacity is bought for one more of them.
        restraint: what the restraint changes; None likewise.
        path: along the file's path of growth; None where it states none.
        restrained_path: the same path under the file's restraint; None where it lacks either.
        tonight: what going on, restraining and suspending the free tiers comes to; empty where
            no tier with users is free.
        currency: of all money.
    """

    today: ProfitCurve
    restrained: ProfitCurve | None
    following: ProfitPoint
    restraint: Restrained | None
    path: GrowthPath | None
    restrained_path: GrowthPath | None
    tonight: tuple[Option, ...]
    currency: str

    @property
    def paid_share(self) -> float:
        """Part of today's users that pay."""
        return self.today.paid_share

    @property
    def break_even_share(self) -> float | None:
        """Part of the users that has to pay so that one more adds no loss; None: no such part."""
        found = self.today.break_even
        return None if found is None else found.conversion_share

    @property
    def n_star_count(self) -> tuple[float, ...]:
        """Every number of users at which one more begins to lose, or to pay."""
        return self.today.n_star_count

    @property
    def new_revenue_usd_per_year(self) -> float | None:
        """What the first year of the path adds to a year's revenue; None: not known."""
        return None if self.path is None else self.path.new_revenue_usd_per_year

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a reader must know: no break-even."""
        found = None if self.today.break_even is None else self.today.break_even.finding
        return () if found is None else (found,)

    def says(self) -> tuple[str, ...]:
        """Say what the curves show, those under restraint after those of today."""
        lines = [f"Today: {line}" for line in self.today.says()]
        if self.restraint is not None and self.restrained is not None:
            lines += [f"Restraint: {line}" for line in self.restraint.says()]
            lines += [f"With restraint: {line}" for line in self.restrained.says()]
        told = (*lines, *tonight_says(self.tonight, currency=self.currency))
        return tuple(in_currency(line, self.currency) for line in told)

    @property
    def full_from_count(self) -> float | None:
        """The least of the users on the curve from which on one more adds nothing; None: no such.

        All that can be served is served there, and who else comes is refused.
        """
        found = None
        for point in reversed(self.today.points):
            if point.slope_usd_per_user_year != 0.0:
                break
            found = point.books.users_count
        return found

    @property
    def restraint_adds_usd_per_year(self) -> float | None:
        """What the restraint adds to today's profit; None where the file states none."""
        if self.restrained is None:
            return None
        limited = self.restrained.today.books.profit_usd_per_year
        return limited - self.today.today.books.profit_usd_per_year

    @property
    def restraint_costs_conversions_usd_per_year(self) -> float | None:
        """Value of the subscriptions that it is expected to cost, no cash; None likewise."""
        if self.restrained is None:
            return None
        expected = self.today.today.books.conversions_usd_per_year
        return expected - self.restrained.today.books.conversions_usd_per_year

    def line(self) -> str:
        """Say in one line what one more user does, where that turns, and what restraint adds."""
        scale, later = self.today.today.scale, self.following.scale
        costs, brings = scale.marginal_usd_per_user_year, scale.revenue_usd_per_user_year
        bought, money = later.marginal_usd_per_user_year, self.currency
        text = (
            f"One more user costs {costs:z,.2f} {money} a year ({bought:z,.2f} if capacity is "
            f"bought along) and brings {brings:z,.2f}: {self._growth_word()}{self._turns_text()}"
        )
        served_share = self.today.today.books.served_share
        if served_share < NEARLY_ALL_SHARE:
            text += f"; of what is asked for today {served_share:.1%} is served"
        if self.break_even_share is not None:
            text += f"; {self.break_even_share:.2%} would have to pay, {self.paid_share:.2%} do"
        return f"{text}{self._restraint_text()}."

    @property
    def lasts(self) -> bool:
        """Whether one more user is no loss where capacity is bought along either."""
        return self.following.slope_usd_per_user_year >= 0.0

    def _growth_word(self) -> str:
        """Say what one more user does to the profit that there is, or to the loss."""
        slope = self.today.today.slope_usd_per_user_year
        loss = self.today.today.books.profit_usd_per_year < 0.0
        if slope == 0.0:
            return "growth changes nothing"
        if slope < 0.0:
            return "growth makes the loss larger" if loss else "growth takes from the profit"
        word = "growth makes the loss smaller" if loss else "growth pays"
        return word if self.lasts else f"{word}, while what stands has room"

    def _turns_text(self) -> str:
        turns = [f"{turn.users_count:,.0f}" for turn in self.today.turns]
        if turns:
            return f"; on the capacity that stands it turns at {' and '.join(turns)} users"
        text = "; it turns nowhere from a tenth to ten times the users"
        if self.full_from_count is None or self.full_from_count <= self._today_count:
            return text
        return f"{text}, but from {self.full_from_count:,.0f} on one more adds nothing"

    @property
    def _today_count(self) -> float:
        return self.today.today.books.users_count

    def _restraint_text(self) -> str:
        more, fewer = (
            self.restraint_adds_usd_per_year,
            self.restraint_costs_conversions_usd_per_year,
        )
        if self.restrained is None or more is None or fewer is None:
            return ""
        money = self.currency
        text = f"; restraint {'adds' if more >= 0.0 else 'takes'} {abs(more):,.0f} {money} a year"
        if fewer >= 1.0:
            text += f", and {fewer:,.0f} of subscriptions to come are lost with what is not made"
        gone = self._today_count - self.restrained.today.books.users_count
        return f"{text}, with {gone:,.0f} users gone" if gone >= 1.0 else text

    def to_dict(self) -> dict[str, Any]:
        """Return the curves as a JSON-ready mapping."""
        told: dict[str, Any] = all_in_currency(self._curves(), self.currency)
        return told

    def _curves(self) -> dict[str, Any]:
        return {
            "capacity": self.today.capacity,
            "paid_share": self.paid_share,
            "break_even_share": self.break_even_share,
            "n_star_count": list(self.n_star_count),
            "today": self.today.to_dict(),
            "restrained": None if self.restrained is None else self.restrained.to_dict(),
            "following": self.following.to_dict(),
            "full_from_count": self.full_from_count,
            "restraint_adds_usd_per_year": self.restraint_adds_usd_per_year,
            "restraint_costs_conversions_usd_per_year": (
                self.restraint_costs_conversions_usd_per_year
            ),
            "restraint": [] if self.restraint is None else list(self.restraint.says()),
            "tonight": [option.to_dict() for option in self.tonight],
            "tonight_says": list(tonight_says(self.tonight, currency=self.currency)),
            "growth": None if self.path is None else self.path.to_dict(),
            "growth_restrained": (
                None if self.restrained_path is None else self.restrained_path.to_dict()
            ),
        }


def grown(company: OpenCompany, *, on_progress: Progress | None = None) -> Grown | None:
    """Return what growth does to a company; None where no tier has users.

    Args:
        company: an opened company.
        on_progress: told of the points that are done.
    """
    file = company.company
    if not any(tier.users is not None for tier in file.tiers):
        return None
    rebuild = partial(_rebuilt, company)
    limits = restrained(file) if file.restraint else None
    today = value_classes(company.world)
    limited = None if limits is None else value_classes(limits.world(rebuild(limits.company)))

    def path_of(world: World, made: Rebuild, what: str) -> GrowthPath | None:
        if file.growth is None:
            return None
        told = _reporter(on_progress, what)
        return growth_path(world, file.growth, rebuild=made, on_progress=told)

    return Grown(
        today=profit_curve(
            today,
            on_progress=_reporter(on_progress, "users today"),
        ),
        restrained=None
        if limited is None
        else profit_curve(
            limited,
            on_progress=_reporter(on_progress, "users with restraint"),
        ),
        following=profit_at(today, capacity="follows"),
        restraint=limits,
        path=path_of(company.world, rebuild, "path of growth"),
        restrained_path=None
        if limits is None
        else path_of(
            limits.world(rebuild(limits.company)),
            lambda changed: limits.world(rebuild(changed)),
            "path with restraint",
        ),
        tonight=options(today, limited),
        currency=file.currency,
    )


def _rebuilt(company: OpenCompany, changed: Company) -> World:
    """Return the world of a changed company on the series of the file."""
    return replace(build_world(changed, company.inputs, company.catalogue), company=changed)


def _reporter(on_progress: Progress | None, what: str) -> Told | None:
    told: Callable[[str, int, int], None] | None = on_progress
    return None if told is None else partial(told, what)
