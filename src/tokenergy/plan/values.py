"""Worth: what one more unit of each size saves in a year, and what the last one saved.

Let W(x) be the least cost of everything but a candidate's own annuity, with its size held at x and
all else chosen again. `high` is -W'(x-), what the last unit saves; `low` is -W'(x+), what one more
would. W is convex, so low <= high; where a plan is free to choose, low <= annuity <= high, and
where a limit stops it, the excess over the annuity is that limit's rent. At size 0 `low` is the
break-even annuity: the price at which the candidate would enter. Both ends come from solving the
whole program again, hot, a small step away: a single dual is a point of the interval (plan sheet,
section 5).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from tokenergy.plan.held import Direction, End, Held
from tokenergy.units import H_PER_YEAR

FIRST_STEP_SHARE: Final = 1e-3
"""First step, as a share of the size (of the most, where the size is 0)."""
LEAST_STEP_SHARE: Final = 1e-5
"""Least first step, as a share of the most."""
AGREEMENT_SHARE: Final = 0.01
"""A derivative and a quotient of optima that differ by more are told as such."""
NOTHING_SHARE: Final = 1e-7
"""A size below this share of the most is 0."""

Basis = Literal["resolved", "steps"]
"""How a worth was found: by solving the whole program again a little away, or a whole step away."""
Unit = Literal["MW", "GPU", "MWh"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What one unit of a size is worth, per year.

    Attributes:
        name, kind, site: the candidate, or the noun whose size is not for choice.
        unit: what its size is counted in.
        size_quantity: the size in the plan.
        most_quantity: its limit; None: no limit is known.
        annuity_usd_per_unit_year: what a unit costs a year; None: it is not for sale here.
        low_usd_per_unit_year: worth of one more unit; None: it cannot be told, see `note`.
        high_usd_per_unit_year: worth of the last unit; None at size 0, or see `note`.
        basis: how it was found.
        step_quantity: the smaller of the steps that were taken.
        note: why an end is missing, or how sure it is; empty where there is nothing to say.
    """

    name: str
    kind: str
    site: str
    unit: Unit
    size_quantity: float
    most_quantity: float | None
    annuity_usd_per_unit_year: float | None
    low_usd_per_unit_year: float | None
    high_usd_per_unit_year: float | None
    basis: Basis = "resolved"
    step_quantity: float = 0.0
    note: str = ""

    @property
    def built(self) -> bool:
        """Whether the plan holds any of it."""
        return self.size_quantity > NOTHING_SHARE * max(1.0, self.most_quantity or 0.0)

    @property
    def rent_usd_per_unit_year(self) -> float | None:
        """What one more unit is worth beyond its annuity: above 0 only where a limit stops it."""
        if self.low_usd_per_unit_year is None:
            return None
        return max(0.0, self.low_usd_per_unit_year - (self.annuity_usd_per_unit_year or 0.0))

    @property
    def short_usd_per_unit_year(self) -> float | None:
        """What a unit that is not built lacks to its annuity; None where it is built."""
        if self.built or self.low_usd_per_unit_year is None:
            return None
        return max(0.0, (self.annuity_usd_per_unit_year or 0.0) - self.low_usd_per_unit_year)

    def to_dict(self) -> dict[str, Any]:
        """Return the worth as a JSON-ready mapping, rent and shortfall included."""
        return asdict(self) | {
            "rent_usd_per_unit_year": self.rent_usd_per_unit_year,
            "short_usd_per_unit_year": self.short_usd_per_unit_year,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """Something with a size whose worth is asked for.

    Attributes:
        name, kind, site, unit, size_quantity, most_quantity, annuity_usd_per_unit_year: as in
            `Worth`.
        direction: what one unit more changes.
        steps_of_quantity: whole steps that the size comes in; None: it may have any value.
        note: told with the worth.
    """

    name: str
    kind: str
    site: str
    unit: Unit
    size_quantity: float
    most_quantity: float | None
    annuity_usd_per_unit_year: float | None
    direction: Direction
    steps_of_quantity: float | None = None
    note: str = ""


def worths(
    held: Held,
    sized: Sequence[Sized],
    *,
    hours_h: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Worth]:
    """Yield the worth of each size, in order, per year.

    Args:
        held: the plan's program, solved and hot.
        sized: what to price.
        hours_h: length of the horizon: a worth over it is told per year of 8,760 h.
        on_progress: told after each with how many are done, and how many there are.
    """
    for done, one in enumerate(sized, start=1):
        yield _worth(held, one, years_ratio=hours_h / H_PER_YEAR)
        if on_progress is not None:
            on_progress(done, len(sized))


def _worth(held: Held, one: Sized, *, years_ratio: float) -> Worth:
    size, most = one.size_quantity, max(one.most_quantity or 0.0, one.size_quantity, 1e-9)
    some = size > NOTHING_SHARE * most
    up = max(FIRST_STEP_SHARE * (size if some else most), LEAST_STEP_SHARE * most)
    down = min(up, 0.5 * size)
    if one.steps_of_quantity is not None:
        up = down = one.steps_of_quantity
    own_usd = (one.annuity_usd_per_unit_year or 0.0) * years_ratio
    low = held.end(one.direction, first_quantity=up, own_usd=own_usd)
    high = held.end(one.direction, first_quantity=-down, own_usd=own_usd) if some else None
    return Worth(
        name=one.name,
        kind=one.kind,
        site=one.site,
        unit=one.unit,
        size_quantity=size if some else 0.0,
        most_quantity=one.most_quantity,
        annuity_usd_per_unit_year=one.annuity_usd_per_unit_year,
        low_usd_per_unit_year=_yearly(low, years_ratio),
        high_usd_per_unit_year=None if high is None else _yearly(high, years_ratio),
        basis="resolved" if one.steps_of_quantity is None else "steps",
        step_quantity=min(abs(end.step_quantity) for end in (low, high) if end is not None),
        note="; ".join(each for each in (one.note, *_notes(one, low, high)) if each),
    )


def _notes(one: Sized, low: End, high: End | None) -> Iterator[str]:
    if low.usd_per_unit is None:
        yield "there cannot be more of it: another limit stops it"
    if high is not None and high.usd_per_unit is None:
        yield "there cannot be less of it: the company's own limits need all of it"
    for word, end in (("low", low), ("high", high)):
        if end is not None and end.apart_share > AGREEMENT_SHARE:
            yield (
                f"{word}: the derivative and the quotient of optima differ by "
                f"{end.apart_share:.1%} at a step of {abs(end.step_quantity):.3g} {one.unit}"
            )


def _yearly(end: End, years_ratio: float) -> float | None:
    return None if end.usd_per_unit is None else end.usd_per_unit / years_ratio
