"""From revenue to margin in steps: what each kind of cost takes, per tier and for the company.

Panel 1 of the CFO page (economics sheet, section 7). A tier's steps are on the usage basis and
end at its full margin; the company's hold unused capacity as a step of its own and end at
revenue less allocation. Each step starts where the one before it ends, so the steps sum.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from tokenergy.economics.margin import TierMargin
from tokenergy.economics.unit_cost import FullCost

COMPANY: Final = "company"
"""What the waterfall of the whole company is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it adds (costs are below 0), and between which levels it stands.

    The first step starts at 0; the last, `margin`, shows the level that is left and adds nothing
    to it.
    """

    name: str
    usd: float
    start_usd: float
    end_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """Steps from revenue to margin.

    Attributes:
        of: the tier's name, or `COMPANY`.
        is_company: whether it is of the whole company: a tier may bear any name.
        basis: `usage` for a tier, `allocation` for the company.
        steps: in the order in which they are shown.
    """

    of: str
    is_company: bool
    basis: str
    steps: tuple[Step, ...]

    @property
    def margin_usd(self) -> float:
        """What is left."""
        return self.steps[-1].end_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the waterfall as a JSON-ready mapping."""
        return asdict(self)


def waterfalls(full: FullCost, tiers: Sequence[TierMargin]) -> tuple[Waterfall, ...]:
    """Return the company's waterfall, then each tier's in the order of the file.

    `staff` of a tier is what is fixed for it alone; the company's is that of all tiers and its
    own. GPUs are owned, leased or, as external APIs, somebody else's.
    """
    made = [_of_company(full, tiers)]
    for tier in tiers:
        taken = _used(tier) | {"staff": tier.tier_fixed_usd}
        steps = _steps(tier.revenue_usd, taken)
        made.append(Waterfall(of=tier.tier, is_company=False, basis="usage", steps=steps))
    return tuple(made)


def _of_company(full: FullCost, tiers: Sequence[TierMargin]) -> Waterfall:
    each = [_used(tier) for tier in tiers]
    taken = {name: sum(used[name] for used in each) for name in (each[0] if each else ())}
    taken["unused_capacity"] = full.unused_capacity_usd
    taken["staff"] = full.staff_usd + full.tier_fixed_usd
    steps = _steps(sum(tier.revenue_usd for tier in tiers), taken)
    return Waterfall(of=COMPANY, is_company=True, basis="allocation", steps=steps)


def _used(tier: TierMargin) -> dict[str, float]:
    """Return what the tier's tokens used, in the order of the page."""
    return {
        "energy": tier.power_usd,
        "gpu": tier.silicon_usd,
        "facility": tier.powered_capacity_usd,
        "battery_wear": tier.wear_usd,
        "network": tier.network_usd,
    }


def _steps(revenue_usd: float, taken: dict[str, float]) -> tuple[Step, ...]:
    """Lay steps end to end; a cost of 0 takes no 0 of its own sign with it."""
    level = revenue_usd
    steps = [Step(name="revenue", usd=level, start_usd=0.0, end_usd=level)]
    for name, usd in taken.items():
        end = level - usd
        steps.append(Step(name=name, usd=0.0 - usd, start_usd=level, end_usd=end))
        level = end
    steps.append(Step(name="margin", usd=0.0, start_usd=level, end_usd=level))
    return tuple(steps)
