"""Which users pay for themselves: margins by user of each tier, on both bases.

Economics sheet, section 4. Within a tier a user's margin is a line in what is asked for,

    margin(x) = flat + slope x,    slope = price - cost of a Mtok,

with `flat` what a user brings in any case, less the tier's fixed cost on the usage basis. A
subscriber breaks even at x = flat / (cost - price); where tokens are paid for one by one, flat
is 0 and all users of a tier have the sign of the slope. How unevenly users ask is taken from the
ledger if it knows users, else from the tail that the company file states, else from nowhere.

A tier's cost of a Mtok is its mean: a user whose hours are dearer than the tier's is not told
apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.users import Users
from tokenergy.economics.heavy_tail import Empirical, Lognormal, UsageDistribution
from tokenergy.economics.margin import Basis, TierMargin

FloatArray = NDArray[np.float64]
Source = Literal["ledger", "lognormal"]
BINS_COUNT: Final = 24
BINS_FROM_SHARE: Final = 0.01
BINS_TO_SHARE: Final = 0.95
"""Bins of equal width lie between these parts of the users; what is beyond is one open bin."""
LORENZ_COUNT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginLine:
    """A user's margin in a month as a line in what is asked for, and what the users earn in all.

    Attributes:
        flat_usd_per_user_month: what is left of a user who asks for nothing; None where tier
            and ledger know no users and a fixed cost is shared by them.
        slope_usd_per_mtok: what each Mtok adds.
        margin_usd: of all users over the span: the tier's own margin on this basis.
    """

    basis: Basis
    flat_usd_per_user_month: float | None
    slope_usd_per_mtok: float
    margin_usd: float

    @property
    def break_even_mtok_per_user_month(self) -> float | None:
        """Usage at which a user earns nothing; None where no usage does so."""
        flat, slope = self.flat_usd_per_user_month, self.slope_usd_per_mtok
        if flat is None or slope == 0.0 or flat == 0.0 or (flat > 0.0) == (slope > 0.0):
            return None
        return -flat / slope

    @property
    def losers(self) -> Literal["none", "all", "light", "heavy"] | None:
        """Which users lose money; None where the line is not known."""
        flat, slope = self.flat_usd_per_user_month, self.slope_usd_per_mtok
        if flat is None:
            return None
        if self.break_even_mtok_per_user_month is not None:
            return "heavy" if slope < 0.0 else "light"
        return "all" if flat < 0.0 or slope < 0.0 else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class LorenzPoint:
    """What the worst `users_share` of the users earn together over the span."""

    users_share: float
    margin_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginBin:
    """The part of the users whose margin lies in a range; None: open at that end."""

    low_usd_per_user_month: float | None
    high_usd_per_user_month: float | None
    users_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprofitable:
    """Who loses money in a tier, on one basis.

    Attributes:
        share: part of the users whose margin is below 0; None where usage is not known and
            decides.
        loss_usd: what they lose in all, over the span, above 0; None likewise, and without a
            number of users.
        lorenz: from the worst user on; empty without a distribution.
        histogram: from the worst margin on, with an edge at 0; empty without a distribution.
    """

    line: MarginLine
    share: float | None
    loss_usd: float | None
    lorenz: tuple[LorenzPoint, ...] = ()
    histogram: tuple[MarginBin, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a JSON-ready mapping."""
        line = self.line
        follows = {
            "break_even_mtok_per_user_month": line.break_even_mtok_per_user_month,
            "losers": line.losers,
        }
        return asdict(line) | follows | {k: v for k, v in asdict(self).items() if k != "line"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUsers:
    """The users of one tier.

    Attributes:
        users_count: of the company file, else those that the ledger saw.
        observed_count: users that the ledger saw; they stand for all.
        source: where the distribution of usage is from; None: it is not known.
        mean_mtok_per_user_month: served to the mean user.
        marginal: at what tokens cost at the margin; None where the run has no prices.
        usage: at what tokens used, and what is fixed for the tier.
    """

    tier: str
    users_count: int | None
    observed_count: int | None
    source: Source | None
    mean_mtok_per_user_month: float | None
    marginal: Unprofitable | None
    usage: Unprofitable

    def to_dict(self) -> dict[str, Any]:
        """Return the tier's users as a JSON-ready mapping."""
        row = {name: getattr(self, name) for name in ("tier", "users_count", "observed_count")}
        row |= {name: getattr(self, name) for name in ("source", "mean_mtok_per_user_month")}
        marginal = None if self.marginal is None else self.marginal.to_dict()
        return row | {"marginal": marginal, "usage": self.usage.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMargins:
    """The users of all tiers.

    Attributes:
        tiers: in the order of the file.
        unprofitable_share: part of the users of all tiers that lose money, on the usage basis;
            None where one tier's is not known.
        marginal_unprofitable_share: the same at the margin.
        findings: tiers whose usage by user is not known.
    """

    tiers: tuple[TierUsers, ...]
    unprofitable_share: float | None
    marginal_unprofitable_share: float | None
    findings: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the users as a JSON-ready mapping."""
        return {
            "share_unprofitable": self.unprofitable_share,
            "marginal_share_unprofitable": self.marginal_unprofitable_share,
            "tiers": [tier.to_dict() for tier in self.tiers],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def user_margins(
    company: Company,
    margins: Sequence[TierMargin],
    ledger_mtok: Mapping[str, Sequence[float]],
) -> UserMargins:
    """Return margins by user of every tier.

    Args:
        company: says who holds a tier, and with what tail.
        margins: of the tiers, in the order of the file.
        ledger_mtok: tokens of each user by tier, as a ledger knows them over any span; empty
            without one. Only their proportions count: the mean is that of the run.
    """
    pairs = list(zip(company.tiers, margins, strict=True))
    tiers = tuple(_tier(t.users, m, ledger_mtok.get(t.name, ())) for t, m in pairs)
    return UserMargins(
        tiers=tiers,
        unprofitable_share=_of_all(tiers, "usage"),
        marginal_unprofitable_share=_of_all(tiers, "marginal"),
        findings=tuple(
            _unknown(tier.tier)
            for tier in tiers
            if tier.source is None and (tier.users_count is not None or tier.usage.share is None)
        ),
    )


def margin_line(margin: TierMargin, basis: Basis, users_count: int | None) -> MarginLine | None:
    """Return a user's margin as a line in usage; None at the margin where nothing is priced.

    Where nothing was served, what the tier costs is shared by its users.
    """
    if basis == "usage":
        return _usage_line(margin, users_count)
    if margin.marginal_usd is None:
        return None
    return _line(margin, basis, users_count, tokens_usd=margin.marginal_usd, fixed_usd=0.0)


def _usage_line(margin: TierMargin, users_count: int | None) -> MarginLine:
    fixed_usd = margin.tier_fixed_usd
    return _line(margin, "usage", users_count, tokens_usd=margin.usage_usd, fixed_usd=fixed_usd)


def _line(
    margin: TierMargin,
    basis: Basis,
    users_count: int | None,
    *,
    tokens_usd: float,
    fixed_usd: float,
) -> MarginLine:
    flat_usd, slope = margin.flat_revenue_usd - fixed_usd, 0.0
    if margin.served_mtok > 0.0:
        slope = (margin.variable_revenue_usd - tokens_usd) / margin.served_mtok
    else:
        flat_usd -= tokens_usd
    user_months = 0.0 if users_count is None else users_count * margin.months
    flat = flat_usd / user_months if user_months else (0.0 if flat_usd == 0.0 else None)
    return MarginLine(
        basis=basis,
        flat_usd_per_user_month=flat,
        slope_usd_per_mtok=slope,
        margin_usd=margin.revenue_usd - fixed_usd - tokens_usd,
    )


def _tier(users: Users | None, margin: TierMargin, seen_mtok: Sequence[float]) -> TierUsers:
    seen = math.fsum(seen_mtok)  # exact, so that the order of the users changes no bit
    observed = len(seen_mtok) if seen > 0.0 else None
    count = margin.users_count if margin.users_count is not None else observed
    mean = None if count is None else margin.served_mtok / (count * margin.months)
    source: Source | None = None
    tail: UsageDistribution | None = None
    if mean is not None and mean > 0.0:
        if observed is not None:
            scale = mean * observed / seen
            source, tail = "ledger", Empirical(tuple(mtok * scale for mtok in seen_mtok))
        elif users is not None and users.top_tenth_share is not None:
            share = users.top_tenth_share
            source, tail = "lognormal", Lognormal.from_top_tenth_share(share, mean_mtok=mean)
    user_months = None if count is None else count * margin.months
    at_margin = margin_line(margin, "marginal", count)
    return TierUsers(
        tier=margin.tier,
        users_count=count,
        observed_count=observed,
        source=source,
        mean_mtok_per_user_month=mean,
        marginal=None if at_margin is None else _unprofitable(at_margin, tail, user_months),
        usage=_unprofitable(_usage_line(margin, count), tail, user_months),
    )


def _unprofitable(
    line: MarginLine, tail: UsageDistribution | None, user_months: float | None
) -> Unprofitable:
    if line.losers is None:
        return Unprofitable(line=line, share=None, loss_usd=None)
    if tail is None or user_months is None:
        same = {"none": (0.0, 0.0), "all": (1.0, -line.margin_usd)}
        share, loss_usd = same.get(line.losers, (None, None))
        return Unprofitable(line=line, share=share, loss_usd=loss_usd)
    share, loss_usd_per_user = _losses(line, tail)
    return Unprofitable(
        line=line,
        share=share,
        loss_usd=loss_usd_per_user * user_months,
        lorenz=_lorenz(line, tail, user_months),
        histogram=_histogram(line, tail),
    )


def _losses(line: MarginLine, tail: UsageDistribution) -> tuple[float, float]:
    """Return who loses, and how much of it a month, spread over all users, USD above 0."""
    flat, slope = line.flat_usd_per_user_month or 0.0, line.slope_usd_per_mtok
    if slope <= 0.0:
        split = tail.margin(fixed_usd=flat, usd_per_mtok=-slope)
        return split.unprofitable_share, split.loss_usd_per_user
    if flat >= 0.0:
        return 0.0, 0.0
    even_mtok = -flat / slope
    short_mtok = even_mtok - tail.mean_mtok * tail.kept_share(even_mtok)
    return 1.0 - tail.share_above(even_mtok), slope * max(0.0, short_mtok)


def _lorenz(
    line: MarginLine, tail: UsageDistribution, user_months: float
) -> tuple[LorenzPoint, ...]:
    """Return what the worst users earn together: the heavy ones where a token costs money."""
    flat, slope = line.flat_usd_per_user_month or 0.0, line.slope_usd_per_mtok
    points = []
    for at in range(LORENZ_COUNT + 1):
        users = at / LORENZ_COUNT
        tokens = tail.lorenz_share(users)
        if slope < 0.0:
            tokens = 1.0 - tail.lorenz_share((LORENZ_COUNT - at) / LORENZ_COUNT)
        usd = (users * flat + slope * tail.mean_mtok * tokens) * user_months
        points.append(LorenzPoint(users_share=users, margin_usd=usd))
    return tuple(points)


def _histogram(line: MarginLine, tail: UsageDistribution) -> tuple[MarginBin, ...]:
    """Return bins of equal width in usage, and so in margin, with an edge at break-even."""
    flat, slope = line.flat_usd_per_user_month or 0.0, line.slope_usd_per_mtok
    if slope == 0.0:
        return (
            MarginBin(low_usd_per_user_month=flat, high_usd_per_user_month=flat, users_share=1.0),
        )
    start, end = tail.quantile_mtok(BINS_FROM_SHARE), tail.quantile_mtok(BINS_TO_SHARE)
    marks = {float(mark) for mark in np.linspace(start, end, BINS_COUNT - 1)}
    even_mtok = line.break_even_mtok_per_user_month
    edges = sorted(marks if even_mtok is None else marks | {even_mtok})
    above = [1.0, *(tail.share_above(edge) for edge in edges), 0.0]
    levels = [
        None,
        *(0.0 if edge == even_mtok else flat + slope * edge for edge in edges),
        None,
    ]
    bins = []
    for at in range(len(edges) + 1):
        ends = (levels[at], levels[at + 1]) if slope > 0.0 else (levels[at + 1], levels[at])
        low, high = ends
        bins.append(
            MarginBin(
                low_usd_per_user_month=low,
                high_usd_per_user_month=high,
                users_share=above[at] - above[at + 1],
            )
        )
    return tuple(bins if slope > 0.0 else bins[::-1])


def _of_all(tiers: Sequence[TierUsers], basis: Basis) -> float | None:
    """Return the part of all users that loses money; None where one tier's is not known."""
    held = [tier for tier in tiers if tier.users_count is not None]
    lost = 0.0
    for tier in held:
        found = tier.usage if basis == "usage" else tier.marginal
        if found is None or found.share is None:
            return None
        lost += (tier.users_count or 0) * found.share
    return lost / sum(tier.users_count or 0 for tier in held) if held else None


def _unknown(tier: str) -> Finding:
    return Finding(
        code="USAGE_UNKNOWN",
        path=f"tiers.{tier}.users.top_tenth_share",
        value="not stated",
        reason=f"how unevenly the users of tier {tier!r} ask for tokens is not known, so that "
        "their margins cannot be told apart",
        remedy="Name a ledger whose requests have tenants, or state users with a "
        "top_tenth_share: the part of the tokens that the heaviest tenth asks for",
        severity="warning",
    )
