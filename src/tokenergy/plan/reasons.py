"""Why a site stands where it does in a plan: power, megawatts, reach, date and GPUs in words."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from tokenergy.plan.program import PlanProgram
from tokenergy.plan.values import Worth
from tokenergy.units import KW_PER_MW

ALIKE_SHARE: Final = 0.02
"""Prices that lie nearer together are called the same."""


def candidates_at(plan: PlanProgram, site: str, kind: str | None = None) -> list[int]:
    """Return the candidates of a site by index, of one kind or all."""
    return [
        at
        for at, each in enumerate(plan.candidates)
        if each.site == site and (kind is None or each.kind == kind)
    ]


def reason(
    plan: PlanProgram,
    site: str,
    facts: Mapping[str, Mapping[str, Any]],
    worths: Sequence[Worth],
) -> str:
    """Say in words why a site stands where it does: power, megawatts, reach, date, GPUs."""
    return "; ".join(_clauses(plan, site, facts, worths))


def _clauses(
    plan: PlanProgram,
    site: str,
    facts: Mapping[str, Mapping[str, Any]],
    worths: Sequence[Worth],
) -> Iterator[str]:
    mine = facts[site]
    price, others = mine["power_usd_per_mwh"], [
        each["power_usd_per_mwh"] for name, each in facts.items() if name != site
    ]  # fmt: skip
    yield _compared(price, others)
    for each in worths:
        if each.site == site and each.kind == "contract" and each.built:
            yield f"{each.name} signed for {each.size_quantity:,.4g} MW"
    yield from _megawatts(site, mine, worths)
    if alone := _alone(plan, site):
        yield f"the only site within the latency of {' and '.join(alone)}"
    reached, asked = mine["reached_count"], mine["workloads_count"]
    if reached < asked:
        yield f"within the latency of {reached} of {asked} workloads only"
    elif any(each["reached_count"] < asked for each in facts.values()):
        yield f"within the latency of all {asked} workloads"
    noun = next(each for each in plan.company.sites if each.name == site)
    first = _first_day(plan, site) or noun.energised_on
    if first is not None and first > plan.company.horizon.start.date():
        yield f"connected from {first:%Y-%m-%d} on"
    yield from _gpu_price(plan, site)


def _first_day(plan: PlanProgram, site: str) -> date | None:
    """Return the first date of a site's queue; None: it has none."""
    assert plan.company.plan is not None  # candidates come from it
    size = next((each for each in plan.company.plan.sites if each.name == site), None)
    return size.queue[0].energised_on if size is not None and size.queue else None


def _alone(plan: PlanProgram, site: str) -> list[str]:
    """Return the workloads that no other site reaches in time."""
    world, found = plan.world, []
    for at, load in enumerate(world.workloads):
        sites = {
            world.site_names[world.deployments[route.deployment].site]
            for route in world.routes
            if route.workload == at and not world.deployments[route.deployment].external
        }
        if sites == {site}:
            found.append(load.name)
    return found


def nearest(worths: Sequence[Worth], site: str) -> tuple[float, Worth] | None:
    """Return what is nearest to paying at a site: the fall that its price lacks, and its worth."""
    lacking = [
        (each.short_usd_per_unit_year / each.annuity_usd_per_unit_year, each)
        for each in worths
        if each.site == site
        and each.kind in ("site", "fleet")
        and each.annuity_usd_per_unit_year
        and each.short_usd_per_unit_year is not None
    ]
    return min(lacking, key=lambda pair: pair[0], default=None)


def _megawatts(site: str, mine: Mapping[str, Any], worths: Sequence[Worth]) -> Iterator[str]:
    own = [each for each in worths if each.kind == "site" and each.site == site]
    if not mine["built"]:
        if (found := nearest(worths, site)) is not None:
            low = found[1].low_usd_per_unit_year or 0.0
            cost = found[1].annuity_usd_per_unit_year or 0.0
            yield (
                f"a first {found[1].unit} of {found[1].name} is worth {low:,.0f} USD a year and "
                f"costs {cost:,.0f}"
            )
        return
    if not own:
        return
    built_mw, reach_mw, most_mw = mine["built_mw"], mine["reach_mw"], mine["most_mw"]
    rents = [each.rent_usd_per_unit_year or 0.0 for each in own]
    if reach_mw - built_mw <= 1e-6 * reach_mw:
        later = f", {most_mw - reach_mw:,.4g} more come later" if most_mw > reach_mw else ""
        rent = f", one more is worth {max(rents) / KW_PER_MW:,.0f} USD/kW a year beyond its cost"
        yield f"all of its {reach_mw:,.4g} MW are built{later}{rent if max(rents) > 0.0 else ''}"
    else:
        yield f"{built_mw:,.4g} of {reach_mw:,.4g} MW built, the rest is free"


def _gpu_price(plan: PlanProgram, site: str) -> Iterator[str]:
    prices: dict[str, list[float]] = {}
    for each in plan.candidates:
        if each.kind == "fleet" and each.usd_per_unit_year > 0.0:
            prices.setdefault(each.site, []).append(each.usd_per_unit_year)
    if site not in prices or len(prices) < 2:
        return
    own = min(prices[site])
    other = min(min(found) for name, found in prices.items() if name != site)
    if abs(own - other) > ALIKE_SHARE * other:
        yield f"its GPUs cost {own:,.0f} USD a year, elsewhere {other:,.0f}"


def _compared(own_usd_per_mwh: float, others_usd_per_mwh: Sequence[float]) -> str:
    """Say a price of power, and whether it is the least or the most of all."""
    own, others = own_usd_per_mwh, others_usd_per_mwh
    text = f"power at {own:,.1f} USD/MWh on the mean"
    if others and own < min(others) - ALIKE_SHARE * abs(min(others)):
        return f"cheapest {text} (next {min(others):,.1f})"
    if others and own > max(others) + ALIKE_SHARE * abs(max(others)):
        return f"dearest {text} (next {max(others):,.1f})"
    return text
