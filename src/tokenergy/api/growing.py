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
from tokenergy.company.finding import Finding
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.world import World
from tokenergy.economics.growth_path import GrowthPath, growth_path
from tokenergy.economics.profit import ProfitCurve, ProfitPoint, Told, profit_at, profit_curve
from tokenergy.economics.restrained import Restrained, restrained, value_classes
from tokenergy.economics.tonight import Option, options
from tokenergy.economics.tonight import says as tonight_says


@dataclass(frozen=True, kw_only=True, eq=False)
class Grown:
    """What growth does to the profit of a company.

    Attributes:
        today: profit against users as the file is.
        restrained: the same under the file's restraint; None where it states none.
        following: today's users where capacity is bought for one more of them.
        restraint: what the restraint changes; None likewise.
        path: along the file's path of growth; None where it states none.
        tonight: what going on, restraining and suspending the free tiers comes to; empty where
            no tier with users is free.
        currency: of all money.
    """

    today: ProfitCurve
    restrained: ProfitCurve | None
    following: ProfitPoint
    restraint: Restrained | None
    path: GrowthPath | None
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
        return (*lines, *tonight_says(self.tonight, currency=self.currency))

    def line(self) -> str:
        """Say in one line what one more user does, where that turns, and what restraint adds."""
        scale, later = self.today.today.scale, self.following.scale
        costs, brings = scale.marginal_usd_per_user_year, scale.revenue_usd_per_user_year
        word = "growth makes the loss larger" if scale.negative_scale else "growth pays"
        text = (
            f"One more user costs {costs:.2f} USD a year ({later.marginal_usd_per_user_year:.2f} "
            f"if capacity is bought along) and brings {brings:.2f}: {word}"
        )
        turns = [f"{turn.users_count:,.0f}" for turn in self.today.turns]
        text += (
            f"; on the capacity that stands it turns at {' and '.join(turns)} users"
            if turns
            else "; it turns nowhere from a tenth to ten times the users"
        )
        if self.break_even_share is not None:
            text += f"; {self.break_even_share:.2%} would have to pay, {self.paid_share:.2%} do"
        if self.restrained is not None:
            more = self.restrained.today.books.profit_usd_per_year
            more -= self.today.today.books.profit_usd_per_year
            text += f"; restraint {'adds' if more >= 0.0 else 'takes'} {abs(more):,.0f} USD a year"
        return text + "."

    def to_dict(self) -> dict[str, Any]:
        """Return the curves as a JSON-ready mapping."""
        return {
            "capacity": self.today.capacity,
            "paid_share": self.paid_share,
            "break_even_share": self.break_even_share,
            "n_star_count": list(self.n_star_count),
            "today": self.today.to_dict(),
            "restrained": None if self.restrained is None else self.restrained.to_dict(),
            "following": self.following.to_dict(),
            "restraint": [] if self.restraint is None else list(self.restraint.says()),
            "tonight": [option.to_dict() for option in self.tonight],
            "tonight_says": list(tonight_says(self.tonight, currency=self.currency)),
            "growth": None if self.path is None else self.path.to_dict(),
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
        path=None
        if file.growth is None
        else growth_path(
            company.world,
            file.growth,
            rebuild=rebuild,
            on_progress=_reporter(on_progress, "path of growth"),
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
