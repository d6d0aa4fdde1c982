"""Negative scale: whether one more user makes the loss larger, and which conversion stops it.

Economics sheet, section 5. A cost is a function of the users, in USD per year, what is fixed
inside. Two questions are never mixed: whether a user costs more than it brings (negative scale),
and whether cost per user rises with users (diseconomies: an elasticity above 1).
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from tokenergy.company.finding import Finding
from tokenergy.units import H_PER_YEAR, MONTHS_PER_YEAR

Cost = Callable[[float], float]
"""USD per year by number of users, fixed cost inside."""

STEP_SHARE: Final = 0.01
"""Step of the central difference on either side (sheet, section 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who pays, and what a user brings in a year."""

    paid_share: float
    price_usd_per_user_year: float
    free_usd_per_user_year: float
    """What a user who does not pay brings, e.g. advertising."""

    @property
    def revenue_usd_per_user_year(self) -> float:
        """What one more user brings, at this conversion: phi p + (1 - phi) a."""
        free_share = 1.0 - self.paid_share
        return (
            self.paid_share * self.price_usd_per_user_year
            + free_share * self.free_usd_per_user_year
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Cost, revenue and profit at a number of users, and what one more user changes."""

    users_count: float
    average_usd_per_user_year: float
    marginal_usd_per_user_year: float
    revenue_usd_per_user_year: float
    profit_usd_per_year: float

    @property
    def marginal_profit_usd_per_user_year(self) -> float:
        """What one more user adds to the profit: dPi/dN."""
        return self.revenue_usd_per_user_year - self.marginal_usd_per_user_year

    @property
    def elasticity_ratio(self) -> float:
        """Per cent of cost for a per cent of users: MC / AC."""
        return self.marginal_usd_per_user_year / self.average_usd_per_user_year

    @property
    def negative_scale(self) -> bool:
        """Whether one more user costs more than it brings."""
        return self.marginal_profit_usd_per_user_year < 0.0

    @property
    def diseconomies(self) -> bool:
        """Whether cost per user rises with users."""
        return self.elasticity_ratio > 1.0

    def sentence(self) -> str:
        """Say which of the two holds."""
        marginal, brings = self.marginal_usd_per_user_year, self.revenue_usd_per_user_year
        rises = "rises" if self.diseconomies else "does not rise"
        if self.negative_scale:
            earns = self.profit_usd_per_year > 0.0
            grows = "growth takes from the profit" if earns else "growth makes the loss larger"
            word = f"more than it brings: {grows}"
        else:
            word = "no more than it brings: growth does not make a loss larger"
        return (
            f"At {self.users_count:,.0f} users one more costs {marginal:z.2f} USD a year and "
            f"brings {brings:z.2f}, {word}. Cost per user ({self.average_usd_per_user_year:z.2f}) "
            f"{rises} with users: elasticity {self.elasticity_ratio:z.2f}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping."""
        return asdict(self) | {
            "marginal_profit_usd_per_user_year": self.marginal_profit_usd_per_user_year,
            "elasticity_ratio": self.elasticity_ratio,
            "negative_scale": self.negative_scale,
            "diseconomies": self.diseconomies,
        }


def marginal_usd_per_user_year(cost: Cost, users_count: float) -> float:
    """Return what one more user costs: the central difference over 1 % on either side."""
    step_count = STEP_SHARE * users_count
    return (cost(users_count + step_count) - cost(users_count - step_count)) / (2.0 * step_count)


def scale_at(cost: Cost, audience: Audience, users_count: float) -> Scale:
    """Return cost, revenue and profit at a number of users."""
    cost_usd = cost(users_count)
    brings = audience.revenue_usd_per_user_year
    return Scale(
        users_count=users_count,
        average_usd_per_user_year=cost_usd / users_count,
        marginal_usd_per_user_year=marginal_usd_per_user_year(cost, users_count),
        revenue_usd_per_user_year=brings,
        profit_usd_per_year=brings * users_count - cost_usd,
    )


BreakEvenCase = Literal["breaks_even", "always_profitable", "none_suffices", "none_helps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The share of users that has to pay so that one more user adds no loss.

    Attributes:
        case: `breaks_even` at `conversion_share`; `always_profitable`: a free user already pays
            for itself; `none_suffices`: not even if everybody paid; `none_helps`: a paying user
            leaves no more than a free one.
        conversion_share: phi*, above 0 up to 1; None in the other cases.
        formula_ratio: what the formula gives, also below 0 or above 1; None where its
            denominator is not positive.
        sentence: the case in words, with its figures.
        finding: `NO_BREAKEVEN` where no conversion is a break-even to aim at.
    """

    case: BreakEvenCase
    conversion_share: float | None
    formula_ratio: float | None
    sentence: str
    finding: Finding | None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a JSON-ready mapping."""
        return asdict(self)


def break_even_conversion(
    *,
    price_usd_per_user: float,
    free_revenue_usd_per_user: float,
    paid_cost_usd_per_user: float,
    free_cost_usd_per_user: float,
) -> BreakEven:
    """Return the conversion at which a user brings what it costs.

    `phi (p - c_paid) + (1 - phi) (a - c_free) = 0`, so that
    `phi* = (c_free - a) / ((p - c_paid) + (c_free - a))`: the sheet's `(MC - a) / (p - a)` where
    both kinds of users cost the same (section 5).

    Args:
        price_usd_per_user: what a paying user brings, all in.
        free_revenue_usd_per_user: what a free user brings.
        paid_cost_usd_per_user: marginal cost of a paying user.
        free_cost_usd_per_user: marginal cost of a free user; all four over the same time.
    """
    paid_leaves = price_usd_per_user - paid_cost_usd_per_user
    free_lacks = free_cost_usd_per_user - free_revenue_usd_per_user
    says = f"A paying user leaves {paid_leaves:z.2f} USD, a free one {-free_lacks:z.2f}"
    gain = paid_leaves + free_lacks
    if gain <= 0.0:
        return _none_helps(says, paid_leaves, free_lacks)
    ratio = free_lacks / gain
    if free_lacks <= 0.0:
        says += ": each pays for itself, at any conversion."
        return _break_even("always_profitable", says, ratio=ratio)
    if paid_leaves < 0.0:
        says += ": no conversion saves it, not even if everybody paid."
        finding = _no_break_even(
            "a paying user brings less than it costs, and so does a free one",
            "Raise the price above the cost of a paying user, or lower that cost",
        )
        return _break_even("none_suffices", says, ratio=ratio, finding=finding)
    says += f": {ratio:.2%} of the users have to pay."
    return _break_even("breaks_even", says, ratio=ratio, share=ratio)


def _none_helps(says: str, paid_leaves_usd: float, free_lacks_usd: float) -> BreakEven:
    """Answer where a paying user leaves no more than a free one."""
    if free_lacks_usd > 0.0:
        says += ": both lose, and conversion does not help."
    elif paid_leaves_usd >= 0.0:
        says += ": both pay for themselves, though a free one leaves as much or more."
    else:
        says += ": the paying users are the loss, and more of them make it larger."
    finding = _no_break_even(
        "a paying user leaves no more than a free one, so that no conversion is a break-even",
        "Raise the price, or limit what a paying user may ask for",
    )
    return _break_even("none_helps", says, ratio=None, finding=finding)


def _break_even(
    case: BreakEvenCase,
    sentence: str,
    *,
    ratio: float | None,
    share: float | None = None,
    finding: Finding | None = None,
) -> BreakEven:
    return BreakEven(
        case=case,
        conversion_share=share,
        formula_ratio=ratio,
        sentence=sentence,
        finding=finding,
    )


def _no_break_even(reason: str, remedy: str) -> Finding:
    return Finding(
        code="NO_BREAKEVEN", path="tiers", reason=reason, remedy=remedy, severity="warning"
    )


# ---- the toy of the sheet: two companies that differ only in what a user costs ------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerBlock:
    """Power at one price, the year round, up to a size."""

    size_mw: float
    usd_per_mwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyCompany:
    """A company whose users all ask for the same, on power that comes in blocks.

    Attributes:
        fixed_usd_per_year: does not move with users.
        other_usd_per_user_year: what a user costs beside power.
        mwh_per_mtok: power behind a Mtok.
        mtok_per_user_month: what a user asks for; 0: no tokens are made.
        blocks: power, cheapest first; the last is endless.
    """

    fixed_usd_per_year: float
    other_usd_per_user_year: float
    mwh_per_mtok: float
    mtok_per_user_month: float
    blocks: tuple[PowerBlock, ...]

    @property
    def user_mwh(self) -> float:
        """Power that a user takes in a year."""
        return self.mwh_per_mtok * self.mtok_per_user_month * MONTHS_PER_YEAR

    def cost_usd_per_year(self, users_count: float) -> float:
        """Return the cost of a number of users, blocks filled in order of price."""
        cost_usd = self.fixed_usd_per_year + self.other_usd_per_user_year * users_count
        left_mwh = self.user_mwh * users_count
        for block in self.blocks:
            taken_mwh = min(left_mwh, block.size_mw * H_PER_YEAR)
            cost_usd += taken_mwh * block.usd_per_mwh
            left_mwh -= taken_mwh
        return cost_usd

    def next_usd_per_user_year(self, users_count: float, *, fewer: bool = False) -> float:
        """Return what the next user costs, or (`fewer`) what the last one did."""
        price = 0.0
        edges = (*self.edges_count, math.inf) if self.blocks else ()
        for block, edge in zip(self.blocks, edges, strict=True):
            price = block.usd_per_mwh
            if users_count < edge or (fewer and users_count == edge):
                break
        return self.other_usd_per_user_year + self.user_mwh * price

    @property
    def edges_count(self) -> tuple[float, ...]:
        """Users at which a block of power is full, the endless one apart."""
        edges, filled_mw = [], 0.0
        for block in self.blocks[:-1]:
            filled_mw += block.size_mw
            edges.append(filled_mw * H_PER_YEAR / self.user_mwh)
        return tuple(edges)


TOY_GPU_USD_PER_MTOK: Final = 0.70
TOY_MTOK_PER_USER_MONTH: Final = 0.3
TOY_MTOK_PER_MWH: Final = 1_100.0

TOY_SAAS: Final = ToyCompany(
    fixed_usd_per_year=5e6,
    other_usd_per_user_year=0.02,
    mwh_per_mtok=0.0,
    mtok_per_user_month=0.0,
    blocks=(),
)
"""Software as a service: a user costs two cents a year."""

TOY_AI: Final = ToyCompany(
    fixed_usd_per_year=5e6,
    other_usd_per_user_year=TOY_GPU_USD_PER_MTOK * TOY_MTOK_PER_USER_MONTH * MONTHS_PER_YEAR,
    mwh_per_mtok=1.0 / TOY_MTOK_PER_MWH,
    mtok_per_user_month=TOY_MTOK_PER_USER_MONTH,
    blocks=(
        PowerBlock(size_mw=20.0, usd_per_mwh=35.0),
        PowerBlock(size_mw=20.0, usd_per_mwh=60.0),
        PowerBlock(size_mw=30.0, usd_per_mwh=95.0),
        PowerBlock(size_mw=math.inf, usd_per_mwh=160.0),
    ),
)
"""The same, but a user asks for tokens: GPUs by the Mtok, power by the block."""
