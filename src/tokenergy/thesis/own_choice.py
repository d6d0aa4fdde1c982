"""Which contracts to sign over many price years: the plan of every year, joined by cutting planes.

What a year costs is convex in the megawatts that are signed, and its plan tells at any mix the
cost and what one megawatt more adds: a plane that lies below the year's cost everywhere. A small
program minimises the mean over the years of the highest planes so far, which bounds the best mix
from below; the plans of all years at its answer bound it from above.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.errors import UnexpectedError
from tokenergy.lp.highs import LinearModel
from tokenergy.lp.program import Program
from tokenergy.thesis.own_company import YearPlan

GAP_SHARE: Final = 1e-5
ROUNDS_MOST_COUNT: Final = 60
MILLION: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """A mix of contracts, and how far from the best it can be.

    Attributes:
        mw: megawatts of each contract [3].
        costs_usd: of each planned year [Y].
        lower_usd: no mix costs less on the mean of the planned years.
        rounds_count: how often all years were planned.
    """

    mw: FloatArray
    costs_usd: FloatArray
    lower_usd: float
    rounds_count: int

    @property
    def mean_usd(self) -> float:
        """Mean cost of the planned years."""
        return float(self.costs_usd.mean())

    @property
    def gap_share(self) -> float:
        """How far the bounds lie apart, of the cost."""
        return (self.mean_usd - self.lower_usd) / max(1.0, abs(self.mean_usd))


@dataclass(slots=True, kw_only=True, eq=False)
class Planes:
    """Planes below the cost of every year: they hold for any choice, and are shared by all.

    Attributes:
        plans: of every planned year.
        most_mw: megawatts of each contract that deliver what is used [3].
        points, costs_usd, slopes: where all years were planned, and what was found [n, ...].
    """

    plans: Sequence[YearPlan]
    most_mw: FloatArray
    points: list[FloatArray] = field(default_factory=list)
    costs_usd: list[FloatArray] = field(default_factory=list)
    slopes: list[FloatArray] = field(default_factory=list)

    def touch(self, mw: FloatArray, told: Callable[[], None]) -> FloatArray:
        """Plan every year at a mix and keep its planes; return the costs [Y]."""
        found = []
        for plan in self.plans:
            found.append(plan.at(mw))
            told()
        self.points.append(mw)
        self.costs_usd.append(np.array([cost for cost, _ in found]))
        self.slopes.append(np.array([slope for _, slope in found]))
        return self.costs_usd[-1]

    def lowest(self, open_: FloatArray) -> tuple[FloatArray, float]:
        """Return the mix under which the planes are lowest on the mean, and how low that is.

        Columns, in millions of USD: the part of what is used that each contract delivers, and
        the cost of every year. Contracts together deliver no more than is used: a company that
        signs more trades power.
        """
        contracts, years = len(self.most_mw), len(self.plans)
        program = Program(1)
        program.add_columns("share", contracts)
        program.add_columns("cost", years)
        program.add_rows("used", 1)
        program.link(
            "used", "share", row_at=[0] * contracts, column_at=range(contracts), values=1.0
        )
        lower, upper = [-np.inf], [1.0]
        for at, (point, costs, slopes) in enumerate(
            zip(self.points, self.costs_usd, self.slopes, strict=True)
        ):
            name = f"plane{at}"
            program.add_rows(name, years)
            program.link(name, "cost", values=1.0)
            rows = np.repeat(np.arange(years), contracts)
            program.link(
                name,
                "share",
                row_at=rows,
                column_at=np.tile(np.arange(contracts), years),
                values=-(slopes * self.most_mw).ravel() / MILLION,
            )
            lower += ((costs - slopes @ point) / MILLION).tolist()
            upper += [np.inf] * years
        model = LinearModel(
            program.matrix(),
            costs=np.concatenate([np.zeros(contracts), np.full(years, 1.0 / years)]),
            lower=np.concatenate([np.zeros(contracts), np.full(years, -np.inf)]),
            upper=np.concatenate([open_.astype(float), np.full(years, np.inf)]),
            row_lower=np.array(lower),
            row_upper=np.array(upper),
        )
        solution = model.solve()
        return solution.columns[:contracts] * self.most_mw, solution.objective_usd * MILLION


def choose(
    planes: Planes, open_: FloatArray, start_mw: FloatArray, told: Callable[[], None]
) -> Choice:
    """Return the mix of least mean cost over the planned years.

    Args:
        planes: what is known so far; more is added.
        open_: which contracts may be signed [3].
        start_mw: a first mix: the nearer, the sooner it ends.
        told: called after each year's plan.

    Raises:
        UnexpectedError: if the bounds do not meet.
    """
    best_mw, best_usd = start_mw, planes.touch(start_mw, told)
    for rounds in range(1, ROUNDS_MOST_COUNT):
        mw, lower_usd = planes.lowest(open_)
        choice = Choice(mw=best_mw, costs_usd=best_usd, lower_usd=lower_usd, rounds_count=rounds)
        if choice.gap_share <= GAP_SHARE:
            return choice
        costs = planes.touch(mw, told)
        if costs.mean() < best_usd.mean():
            best_mw, best_usd = mw, costs
    raise UnexpectedError(f"T6: after {ROUNDS_MOST_COUNT} rounds the bounds do not meet: {choice}")
