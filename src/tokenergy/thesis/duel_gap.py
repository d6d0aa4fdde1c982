"""The gap between two companies: month by month, in sum, and split by what made it.

Two price rules stand side by side. `cost`: a token sells for the higher of the two full costs,
so that the dearer company earns nothing by construction and a token that it cannot make costs it
nothing either: megawatts have no worth of their own there. `stated`: a token sells for what the
company files say, and a company without megawatts loses the margin of what it cannot serve.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from tokenergy.thesis.duel_month import Asked, MonthBook
from tokenergy.units import MONTHS_PER_YEAR

Rule = Literal["cost", "stated"]
RULES: Final[tuple[Rule, ...]] = ("cost", "stated")
SHORT_SHARE: Final = 1e-6
"""A company is short of megawatts where it leaves more than this share of what the other serves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelMonth:
    """One month of both companies."""

    month: int
    own: MonthBook
    rival: MonthBook

    @property
    def price_usd_per_mtok(self) -> float | None:
        """The higher full cost; None where neither serves."""
        costs = [book.full_usd_per_mtok for book in (self.own, self.rival)]
        return max((cost for cost in costs if cost is not None), default=None)

    def margin_usd(self, book: MonthBook, rule: Rule) -> float:
        """Return what one of the two earns: (price - full cost) x served, exactly 0 at its cost."""
        if rule == "stated":
            return book.revenue_usd - book.cost_usd
        price, cost = self.price_usd_per_mtok, book.full_usd_per_mtok
        if price is None or cost is None:
            return -book.cost_usd
        return (price - cost) * book.served_mtok

    def gap_usd(self, rule: Rule) -> float:
        """Return the margin of the owner less that of its rival."""
        return self.margin_usd(self.own, rule) - self.margin_usd(self.rival, rule)

    @property
    def is_short(self) -> bool:
        """Whether the rival serves less than the owner does."""
        return self.rival.served_mtok < (1.0 - SHORT_SHARE) * self.own.served_mtok

    def to_dict(self) -> dict[str, Any]:
        """Return the month as a JSON-ready mapping."""
        return {
            "month": self.month,
            "price_usd_per_mtok": self.price_usd_per_mtok,
            "own_usd_per_mtok": self.own.full_usd_per_mtok,
            "rival_usd_per_mtok": self.rival.full_usd_per_mtok,
            "own_mtok": self.own.served_mtok,
            "rival_mtok": self.rival.served_mtok,
            "own_mw": self.own.peak_mw,
            "rival_mw": self.rival.peak_mw,
            "gap_cost_usd": self.gap_usd("cost"),
            "gap_stated_usd": self.gap_usd("stated"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DuelPath:
    """A duel at one delay of the rival's megawatts.

    Attributes:
        delay_months: that the rival waits.
        asked: whether it asks at the start for all that its path needs, or for each in its time.
        wacc_share: that later months are discounted at.
        months: in their order, from 0.
    """

    delay_months: float
    asked: Asked
    wacc_share: float
    months: tuple[DuelMonth, ...]

    @property
    def before(self) -> tuple[DuelMonth, ...]:
        """The months before the rival's megawatts arrive."""
        return tuple(month for month in self.months if month.month < self.delay_months)

    def total_usd(self, rule: Rule) -> float:
        """Return the gap of all months, undiscounted."""
        return sum(month.gap_usd(rule) for month in self.months)

    def present_usd(self, rule: Rule) -> float:
        """Return the gap of all months, discounted to the first at the WACC."""
        yearly = 1.0 + self.wacc_share
        return sum(
            month.gap_usd(rule) / float(yearly ** (month.month / MONTHS_PER_YEAR))
            for month in self.months
        )

    def before_usd(self, rule: Rule) -> float:
        """Return the gap of the months before the rival's megawatts arrive."""
        return sum(month.gap_usd(rule) for month in self.before)

    def least_usd(self, rule: Rule) -> float | None:
        """Return the least gap of a month before then; None where nobody waits."""
        return min((month.gap_usd(rule) for month in self.before), default=None)

    def closes_month(self, rule: Rule) -> int | None:
        """Return the month from which on there is no gap above 0, or the rival has its megawatts.

        None: the moat stands at the end of the path.
        """
        held = [month.month for month in self.before if month.gap_usd(rule) > 0.0]
        closes = held[-1] + 1 if held else 0
        return closes if closes < len(self.months) else None

    @property
    def short_count(self) -> int:
        """Months in which the rival serves less than the owner."""
        return sum(month.is_short for month in self.months)

    def to_dict(self) -> dict[str, Any]:
        """Return the sums of the path as a JSON-ready mapping."""
        told: dict[str, Any] = {
            "delay_months": self.delay_months,
            "asked": self.asked,
            "short_count": self.short_count,
            "unserved_mtok": sum(m.own.served_mtok - m.rival.served_mtok for m in self.months),
        }
        for rule in RULES:
            told |= {
                f"gap_{rule}_usd": self.total_usd(rule),
                f"gap_{rule}_present_usd": self.present_usd(rule),
                f"gap_{rule}_before_usd": self.before_usd(rule),
                f"gap_{rule}_after_usd": self.total_usd(rule) - self.before_usd(rule),
                f"gap_{rule}_least_usd": self.least_usd(rule),
                f"closes_{rule}_month": self.closes_month(rule),
            }
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class GapParts:
    """What made a gap, over all months.

    `kwh_usd`: the gap if the owner had its prices and the rival's megawatts. `megawatts_usd`: if
    it had its megawatts and the rival's prices. `interaction_usd`: what is left, the cheaper
    power of the tokens that only it can make.
    """

    kwh_usd: float
    megawatts_usd: float
    interaction_usd: float

    @property
    def gap_usd(self) -> float:
        """The whole gap."""
        return self.kwh_usd + self.megawatts_usd + self.interaction_usd

    @property
    def decides(self) -> Literal["kwh", "megawatts", "neither"]:
        """The larger of the two levers."""
        if self.kwh_usd == self.megawatts_usd == 0.0:
            return "neither"
        return "kwh" if abs(self.kwh_usd) > abs(self.megawatts_usd) else "megawatts"

    def to_dict(self) -> dict[str, Any]:
        """Return the parts as a JSON-ready mapping."""
        return {
            "kwh_usd": self.kwh_usd,
            "megawatts_usd": self.megawatts_usd,
            "interaction_usd": self.interaction_usd,
            "decides": self.decides,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Two companies with the same demand and different power books.

    Attributes:
        path: at the delay that the rival's file states.
        as_needed: the same where the rival asks for megawatts only when its users come.
        sweep: over delays of the rival.
        cost_parts, stated_parts: what made the gap of `path`, by price rule.
        missing: prices of capital that a file does not state: left out of every figure.
    """

    path: DuelPath
    as_needed: DuelPath
    sweep: tuple[DuelPath, ...]
    cost_parts: GapParts
    stated_parts: GapParts
    missing: tuple[str, ...]

    @property
    def empty_halls_usd(self) -> float:
        """What the owner's halls would cost while empty, if all of them stood from the start."""
        rents = [month.own.facility_usd for month in self.path.months]
        return sum(max(rents) - rent for rent in rents)

    def to_dict(self) -> dict[str, Any]:
        """Return the duel as a JSON-ready mapping."""
        return {
            "path": self.path.to_dict(),
            "months": [month.to_dict() for month in self.path.months],
            "as_needed": self.as_needed.to_dict(),
            "sweep": [path.to_dict() for path in self.sweep],
            "cost_parts": self.cost_parts.to_dict(),
            "stated_parts": self.stated_parts.to_dict(),
            "empty_halls_usd": self.empty_halls_usd,
            "missing": list(self.missing),
        }
