"""What each tier earns, on both bases, and what is left of it for the company.

Economics sheet, section 4. `contribution` is revenue less tokens at the margin, `full_margin`
revenue less what the tokens used and what is fixed for the tier. Capacity that nothing used and
the company's staff are no tier's:

    sum over tiers of full margin - unused capacity - staff = revenue - allocation
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from tokenergy.company.tier import Tier
from tokenergy.dispatch.world import World
from tokenergy.economics.attribution import WorkloadCost, least_known
from tokenergy.economics.unit_cost import FullCost
from tokenergy.units import H_PER_MONTH, H_PER_YEAR, TOKENS_PER_MTOK

Basis = Literal["marginal", "usage"]
"""`marginal`: at what one more token cost; `usage`: at what the tokens used, capital in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierMargin:
    """What one tier earned over the span, and of what.

    Attributes:
        users_count: who holds the tier; None: the file does not say.
        months: length of the span.
        served_requests_count: requests behind `served_mtok`, at the workloads' mean lengths.
        token_revenue_usd, request_revenue_usd: paid for what was served, by Mtok or by request.
        subscription_revenue_usd, other_revenue_usd: paid by user and month, whatever was served.
        conversion_value_usd: subscriptions that free requests are expected to bring: no cash,
            and in no margin; None where the tier is not worth its conversions.
        marginal_usd: tokens at what one more cost when they came; None without prices.
        energy_mwh: of its tokens, at the meter.
        power_usd to wear_usd: what the tokens used, in parts.
        dispatch_usd: the part of these that is no capital.
        tier_fixed_usd: staff and contracts of this tier alone.
        churn_per_month, acquisition_usd_per_user: as the file states them.
        basis_of_contribution, basis_of_full_margin: what tokens cost in each.
        meter_tier: how the least known of its joules are known; None without any.
        energy_low_share, energy_high_share: band of these joules, 5th to 95th percentile.
    """

    tier: str
    users_count: int | None
    months: float
    served_mtok: float
    refused_mtok: float
    served_requests_count: float
    token_revenue_usd: float
    request_revenue_usd: float
    subscription_revenue_usd: float
    other_revenue_usd: float
    conversion_value_usd: float | None
    marginal_usd: float | None
    energy_mwh: float
    power_usd: float
    silicon_usd: float
    powered_capacity_usd: float
    network_usd: float
    wear_usd: float
    dispatch_usd: float
    tier_fixed_usd: float
    churn_per_month: float | None
    acquisition_usd_per_user: float | None
    meter_tier: str | None
    energy_low_share: float | None
    energy_high_share: float | None
    basis_of_contribution: Basis = "marginal"
    basis_of_full_margin: Basis = "usage"

    @property
    def revenue_usd(self) -> float:
        """Everything that its users bring."""
        return self.variable_revenue_usd + self.flat_revenue_usd

    @property
    def variable_revenue_usd(self) -> float:
        """What is paid for tokens: it grows with them."""
        return self.token_revenue_usd + self.request_revenue_usd

    @property
    def flat_revenue_usd(self) -> float:
        """What a user brings however much is asked for."""
        return self.subscription_revenue_usd + self.other_revenue_usd

    @property
    def usage_usd(self) -> float:
        """What the tokens used."""
        both = self.power_usd + self.silicon_usd + self.powered_capacity_usd
        return both + self.network_usd + self.wear_usd

    @property
    def contribution_usd(self) -> float | None:
        """Revenue less tokens at the margin."""
        return None if self.marginal_usd is None else self.revenue_usd - self.marginal_usd

    @property
    def surplus_usd(self) -> float | None:
        """What prices at the margin pay beyond the dispatch: rents, which pay for assets."""
        return None if self.marginal_usd is None else self.marginal_usd - self.dispatch_usd

    @property
    def full_margin_usd(self) -> float:
        """Revenue less what the tokens used and what is fixed for the tier."""
        return self.revenue_usd - self.usage_usd - self.tier_fixed_usd

    @property
    def full_margin_low_usd(self) -> float:
        """The full margin where the tier's joules lie at the dear end of their band."""
        return self.full_margin_usd + min(self._band_usd())

    @property
    def full_margin_high_usd(self) -> float:
        """The full margin where the tier's joules lie at the cheap end of their band."""
        return self.full_margin_usd + max(self._band_usd())

    @property
    def gross_margin_share(self) -> float | None:
        """Revenue less what the tokens used, over revenue; None without revenue."""
        revenue_usd = self.revenue_usd
        return (revenue_usd - self.usage_usd) / revenue_usd if revenue_usd > 0.0 else None

    @property
    def price_usd_per_mtok(self) -> float | None:
        """Revenue for a Mtok served, flat revenue included."""
        return self._per_mtok(self.revenue_usd)

    @property
    def marginal_usd_per_mtok(self) -> float | None:
        """Cost of a Mtok at the margin."""
        return None if self.marginal_usd is None else self._per_mtok(self.marginal_usd)

    @property
    def usage_usd_per_mtok(self) -> float | None:
        """Cost of a Mtok by what it used."""
        return self._per_mtok(self.usage_usd)

    @property
    def contribution_usd_per_user_month(self) -> float | None:
        """Contribution of a user in a month: the mean m of the sheet."""
        contribution_usd = self.contribution_usd
        if contribution_usd is None or self.users_count is None:
            return None
        return contribution_usd / (self.users_count * self.months)

    @property
    def lifetime_usd_per_user(self) -> float | None:
        """LTV = m / churn; None where nobody is said to leave, or none ever does."""
        margin_usd = self.contribution_usd_per_user_month
        if margin_usd is None or not self.churn_per_month:
            return None
        return margin_usd / self.churn_per_month

    @property
    def payback_months(self) -> float | None:
        """CAC / m; None where a user never pays back."""
        margin_usd = self.contribution_usd_per_user_month
        if self.acquisition_usd_per_user is None or margin_usd is None or margin_usd <= 0.0:
            return None
        return self.acquisition_usd_per_user / margin_usd

    @property
    def lifetime_over_acquisition_ratio(self) -> float | None:
        """LTV / CAC."""
        lifetime_usd = self.lifetime_usd_per_user
        if lifetime_usd is None or not self.acquisition_usd_per_user:
            return None
        return lifetime_usd / self.acquisition_usd_per_user

    def _per_mtok(self, usd: float) -> float | None:
        return usd / self.served_mtok if self.served_mtok > 0.0 else None

    def _band_usd(self) -> tuple[float, float]:
        """Return how far the band of the joules moves the margin, to first order."""
        low, high = self.energy_low_share, self.energy_high_share
        if low is None or high is None:
            return 0.0, 0.0
        return self.power_usd * (1.0 - high), self.power_usd * (1.0 - low)

    def to_dict(self) -> dict[str, Any]:
        """Return the margin as a JSON-ready mapping, what follows from it included."""
        return asdict(self) | {name: getattr(self, name) for name in _FOLLOWS}


_FOLLOWS: Final = tuple(
    name for name, member in vars(TierMargin).items() if isinstance(member, property)
)


def margin_by_tier(
    world: World, full: FullCost, costs: Sequence[WorkloadCost]
) -> tuple[TierMargin, ...]:
    """Return the margin of every tier, in the order of the file.

    Args:
        world: the company as arrays, with its file.
        full: the full cost of the run.
        costs: what each workload's tokens cost (`attribute`), in the order of the world's.
    """
    months = full.hours_h / H_PER_MONTH
    return tuple(_margin(world, tier, months, costs) for tier in world.company.tiers)


def _margin(world: World, tier: Tier, months: float, every: Sequence[WorkloadCost]) -> TierMargin:
    pairs = [
        (load, cost)
        for load, cost in zip(world.workloads, every, strict=True)
        if load.tier == tier.name
    ]
    costs = [cost for _, cost in pairs]
    requests = sum(
        cost.served_mtok * TOKENS_PER_MTOK / load.tokens_per_request_count for load, cost in pairs
    )
    tokens_usd = (tier.price_usd_per_mtok or 0.0) * sum(cost.served_mtok for cost in costs)
    users, brought = tier.users, tier.from_conversion
    user_months = 0.0 if users is None else users.count * months
    other_usd = 0.0 if users is None else users.other_usd_per_user_month
    priced = [cost.marginal_usd for cost in costs if cost.marginal_usd is not None]
    return TierMargin(
        tier=tier.name,
        users_count=None if users is None else users.count,
        months=months,
        served_mtok=sum(cost.served_mtok for cost in costs),
        refused_mtok=sum(cost.refused_mtok for cost in costs),
        served_requests_count=requests,
        token_revenue_usd=tokens_usd,
        request_revenue_usd=(tier.price_usd_per_request or 0.0) * requests,
        subscription_revenue_usd=(tier.price_usd_per_user_month or 0.0) * user_months,
        other_revenue_usd=other_usd * user_months,
        conversion_value_usd=(
            None if brought is None else brought.uplift_share * brought.ltv_usd * requests
        ),
        marginal_usd=sum(priced) if len(priced) == len(costs) else None,
        energy_mwh=sum(cost.energy_mwh for cost in costs),
        power_usd=sum(cost.power_usd for cost in costs),
        silicon_usd=sum(cost.silicon_usd for cost in costs),
        powered_capacity_usd=sum(cost.powered_capacity_usd for cost in costs),
        network_usd=sum(cost.network_usd for cost in costs),
        wear_usd=sum(cost.wear_usd for cost in costs),
        dispatch_usd=sum(cost.dispatch_usd for cost in costs),
        tier_fixed_usd=tier.fixed_usd_per_year * months * H_PER_MONTH / H_PER_YEAR,
        churn_per_month=None if users is None else users.churn_share_per_month,
        acquisition_usd_per_user=None if users is None else users.acquisition_usd_per_user,
        meter_tier=least_known(cost.meter_tier for cost in costs if cost.meter_tier is not None),
        energy_low_share=_band_share(costs, "energy_low_share"),
        energy_high_share=_band_share(costs, "energy_high_share"),
    )


def _band_share(costs: Iterable[WorkloadCost], end: str) -> float | None:
    """Return an end of the energy's band, by MWh."""
    drawing = [cost for cost in costs if cost.energy_mwh > 0.0]
    mwh = sum(cost.energy_mwh for cost in drawing)
    return sum(getattr(cost, end) * cost.energy_mwh for cost in drawing) / mwh if mwh else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyMargin:
    """What is left for the company over the span, on the allocation basis.

    Attributes:
        revenue_usd: of all tiers.
        conversion_value_usd: expected of free requests: no cash, in no margin; None where no
            tier is worth its conversions.
        contribution_usd: revenue less tokens at the margin; None without prices.
        surplus_usd: what prices at the margin pay beyond the dispatch; None without prices.
        dispatch_usd: power, leases by the awake hour, APIs, network, wear.
        capital_usd: GPUs and powered capacity, used or not.
        tiers_margin_usd: the tiers' full margins (basis: usage).
        unused_capacity_usd: capital that nothing used.
        tier_fixed_usd, staff_usd: staff and contracts, of single tiers and of the company.
        allocation_usd: everything that is paid for.
        margin_usd: revenue less allocation.
        gross_margin_share: margin before staff and what is fixed, over revenue.
        burn_usd_per_year: what the company loses in a year at this rate; 0 where it earns.
        burn_multiple_ratio: burn over the revenue that a year of growth adds; None where growth
            is not known or adds none.
        missing: prices that the file does not state: in none of the figures.
    """

    revenue_usd: float
    conversion_value_usd: float | None
    contribution_usd: float | None
    surplus_usd: float | None
    dispatch_usd: float
    capital_usd: float
    tiers_margin_usd: float
    unused_capacity_usd: float
    tier_fixed_usd: float
    staff_usd: float
    allocation_usd: float
    margin_usd: float
    gross_margin_share: float | None
    burn_usd_per_year: float
    burn_multiple_ratio: float | None
    missing: tuple[str, ...]
    basis: str = "allocation"

    def to_dict(self) -> dict[str, Any]:
        """Return the margin as a JSON-ready mapping."""
        return asdict(self)


def company_margin(
    full: FullCost,
    tiers: Sequence[TierMargin],
    *,
    new_revenue_usd_per_year: float | None = None,
) -> CompanyMargin:
    """Return what is left for the company.

    Args:
        full: the full cost of the run.
        tiers: the margins of all tiers.
        new_revenue_usd_per_year: what a year of growth adds to a year's revenue; None: growth
            is not known.
    """
    revenue_usd = sum(tier.revenue_usd for tier in tiers)
    margin_usd = revenue_usd - full.allocation_usd
    used_usd = sum(tier.usage_usd - tier.dispatch_usd for tier in tiers)
    contributions = [t.contribution_usd for t in tiers if t.contribution_usd is not None]
    surpluses = [t.surplus_usd for t in tiers if t.surplus_usd is not None]
    priced = len(contributions) == len(tiers)
    brought = [t.conversion_value_usd for t in tiers if t.conversion_value_usd is not None]
    served_usd = full.allocation_usd - full.staff_usd - full.tier_fixed_usd
    burn_usd_per_year = max(0.0, -margin_usd) * H_PER_YEAR / full.hours_h
    added_usd = new_revenue_usd_per_year or 0.0
    return CompanyMargin(
        revenue_usd=revenue_usd,
        conversion_value_usd=sum(brought) if brought else None,
        contribution_usd=sum(contributions) if priced else None,
        surplus_usd=sum(surpluses) if priced else None,
        dispatch_usd=sum(tier.dispatch_usd for tier in tiers),
        capital_usd=used_usd + full.unused_capacity_usd,
        tiers_margin_usd=sum(tier.full_margin_usd for tier in tiers),
        unused_capacity_usd=full.unused_capacity_usd,
        tier_fixed_usd=full.tier_fixed_usd,
        staff_usd=full.staff_usd,
        allocation_usd=full.allocation_usd,
        margin_usd=margin_usd,
        gross_margin_share=(revenue_usd - served_usd) / revenue_usd if revenue_usd > 0.0 else None,
        burn_usd_per_year=burn_usd_per_year,
        burn_multiple_ratio=burn_usd_per_year / added_usd if added_usd > 0.0 else None,
        missing=full.missing,
    )
