"""What a plan is held against: dates of the horizon, the budget, and the scenarios."""

from collections.abc import Iterator
from datetime import date
from math import fsum
from typing import Any, Final
from zoneinfo import ZoneInfo

from tokenergy.company.check.terms import midnight, span_text
from tokenergy.company.finding import Finding
from tokenergy.company.horizon import Horizon
from tokenergy.company.parts import Parts
from tokenergy.company.planning import Planning, SiteSize
from tokenergy.units import KW_PER_MW, KWH_PER_MWH

NEARLY_SHARE: Final = 1e-6


def check_worlds(parts: Parts) -> Iterator[Finding]:
    """Yield sizes that come too late, a budget below all of them, scenarios that are no set."""
    if parts.horizon is not None:
        yield from _too_late(parts, parts.horizon)
    if parts.plan is not None:
        yield from _budget(parts.plan, parts)
    yield from _probabilities(parts)


# ---- dates -------------------------------------------------------------------------------


def _too_late(parts: Parts, horizon: Horizon) -> Iterator[Finding]:
    for path, size in parts.open_sizes("sites"):
        site = parts.find("sites", size.name)
        if site is not None:
            yield from _site_too_late(path, size, site, horizon)
    for path, size in parts.open_sizes("fleets"):
        fleet = parts.find("fleets", size.name)
        site = None if fleet is None else parts.find("sites", fleet.site)
        if fleet is None or site is None or fleet.delivered_on is None:
            continue
        if _beyond(fleet.delivered_on, site, horizon):
            yield Finding(
                code="FLEET_NEVER_DELIVERED",
                path=f"{path}.name",
                value=fleet.delivered_on.isoformat(),
                limit=span_text(horizon),
                reason=f"the GPUs of fleet {size.name!r} come after the horizon: they would be "
                "paid for and serve nothing",
                remedy="Correct delivered_on, lengthen the horizon, or leave the fleet out",
            )
    for path, scenario in parts.open_sizes("scenarios"):
        for name, day in scenario.energised_on.items():
            site = parts.find("sites", name)
            if site is not None and _beyond(day, site, horizon):
                yield _never(f"{path}.energised_on.{name}", name, day, horizon, warning=True)


def _site_too_late(path: str, size: SiteSize, site: Any, horizon: Horizon) -> Iterator[Finding]:
    late = [step for step in size.queue if _beyond(step.energised_on, site, horizon)]
    if size.queue and len(late) == len(size.queue):
        yield _never(f"{path}.queue", size.name, late[0].energised_on, horizon)
        return
    for step in late:
        position = size.queue.index(step)
        yield Finding(
            code="QUEUE_STEP_BEYOND_HORIZON",
            path=f"{path}.queue[{position}].energised_on",
            value=step.energised_on.isoformat(),
            limit=span_text(horizon),
            reason=f"this step of the queue of site {size.name!r} comes after the horizon: it "
            "would be paid for and deliver nothing, so no plan builds it",
            remedy="Lengthen the horizon, or leave the step out",
            severity="warning",
        )
    days = [site.energised_on, site.ramp[0].start if site.ramp and not size.queue else None]
    for day in days:
        if day is not None and _beyond(day, site, horizon):
            yield _never(f"{path}.name", size.name, day, horizon)
            return


def _beyond(day: date, site: Any, horizon: Horizon) -> bool:
    return midnight(day, ZoneInfo(site.market.time_zone)) >= horizon.end


def _never(path: str, name: str, day: date, horizon: Horizon, *, warning: bool = False) -> Finding:
    return Finding(
        code="SITE_NEVER_ENERGISED",
        path=path,
        value=day.isoformat(),
        limit=span_text(horizon),
        reason=f"site {name!r} has no grid connection within the horizon"
        + (" in this scenario" if warning else ": no plan can build it"),
        remedy="Correct the date, lengthen the horizon, or leave the site out",
        severity="warning" if warning else "error",
    )


# ---- the budget --------------------------------------------------------------------------


def _budget(plan: Planning, parts: Parts) -> Iterator[Finding]:
    if plan.budget_usd is None:
        return
    least_usd = fsum(_least_usd(plan, parts))
    if least_usd > plan.budget_usd * (1.0 + NEARLY_SHARE):
        yield Finding(
            code="BUDGET_BELOW_LEAST",
            path="plan.budget_usd",
            value=f"{plan.budget_usd:.10g}",
            limit=f"{least_usd:.10g}",
            unit=parts.currency,
            reason="the least sizes of the plan alone take more capital than the budget has",
            remedy=f"Raise budget_usd to {least_usd:,.0f} at least, or lower least sizes",
        )


def _least_usd(plan: Planning, parts: Parts) -> Iterator[float]:
    """Yield what the least of each open size costs to build; what has no price counts nothing."""
    for size in plan.sites:
        site = parts.find("sites", size.name)
        if site is not None and size.least_mw > 0.0:
            yield size.open_usd or 0.0
            yield KW_PER_MW * _least_site_usd_per_kw(size, site.facility_usd_per_kw or 0.0)
    for fleet_size in plan.fleets:
        fleet = parts.find("fleets", fleet_size.name)
        if fleet is not None and fleet.owned is not None:
            yield fleet_size.least_count * fleet.owned.usd_per_gpu
    for battery_size in plan.batteries:
        battery = parts.find("batteries", battery_size.name)
        if battery is not None and battery.price_usd_per_kwh is not None:
            hours = battery.capacity_mwh / battery.power_mw
            yield battery_size.least_mw * hours * KWH_PER_MWH * battery.price_usd_per_kwh
    for contract_size in plan.contracts:
        contract = parts.find("contracts", contract_size.name)
        price_usd_per_kw = getattr(contract, "price_usd_per_kw", None)
        if price_usd_per_kw is not None:
            yield contract_size.least_mw * KW_PER_MW * price_usd_per_kw


def _least_site_usd_per_kw(size: SiteSize, usd_per_kw: float) -> float:
    """Return least MW x USD/kW: the first steps of a queue are filled first, as a plan must."""
    if not size.queue:
        return size.least_mw * usd_per_kw
    sum_usd_per_kw, left_mw = 0.0, size.least_mw
    for step in size.queue:
        mw = min(left_mw, step.mw)
        sum_usd_per_kw += mw * (usd_per_kw if step.usd_per_kw is None else step.usd_per_kw)
        left_mw -= mw
    return sum_usd_per_kw


# ---- scenarios ---------------------------------------------------------------------------


def _probabilities(parts: Parts) -> Iterator[Finding]:
    scenarios = [item for _, item in parts.open_sizes("scenarios")]
    stated = [each.probability_share for each in scenarios if each.probability_share is not None]
    if not stated or parts.plan is None:
        return
    if len(stated) < len(scenarios):
        silent = [each.name for each in scenarios if each.probability_share is None]
        yield Finding(
            code="SCENARIO_PROBABILITY",
            path="plan.scenarios",
            value=f"{len(stated)}",
            limit=f"{len(scenarios)}",
            unit="scenarios",
            reason=f"some scenarios say how likely they are, and {', '.join(silent)} do not",
            remedy="State probability_share of every scenario, or of none: then all are alike",
        )
    elif abs(fsum(stated) - 1.0) > NEARLY_SHARE:
        yield Finding(
            code="SCENARIO_PROBABILITY",
            path="plan.scenarios",
            value=f"{fsum(stated):.6g}",
            limit="1",
            reason="the probabilities of the scenarios do not sum to 1",
            remedy="Correct probability_share; a scenario with a name alone is the file as it is",
        )
