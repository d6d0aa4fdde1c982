"""Open sizes: ranges that hold something, steps that fit them, and a price for each unit."""

from collections.abc import Iterator
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.planning import PLANNED, SiteSize

NO_SIZE: Final = {
    "spot": "it settles whatever the others leave",
    "cfe": "it is a promise about the load",
    "rec": "it covers a share of the load",
    "demand_response": "it is an offer to draw less, whatever was built",
}
"""Kinds of contract that a plan cannot choose the size of, and why."""
FIELDS: Final = {
    "sites": ("least_mw", "most_mw", "step_mw", "MW"),
    "fleets": ("least_count", "most_count", "step_count", "GPUs"),
    "batteries": ("least_mw", "most_mw", "step_mw", "MW"),
    "contracts": ("least_mw", "most_mw", "step_mw", "MW"),
}
"""By list of the plan: the fields of its range, and their unit."""
MANY_STEPS_COUNT: Final = 10_000
"""Beyond it whole steps are finer than any forecast, and slow; 10,000 is our guess."""
NEARLY: Final = 1e-9


def check_planning(parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong with the sizes that the plan leaves open."""
    yield from _twice(parts)
    for section in FIELDS:
        for path, size in parts.open_sizes(section):
            yield from _range(path, section, size, parts)
    for path, size in parts.open_sizes("sites"):
        yield from _queue(path, size)
        yield from _site_price(path, size, parts)
        yield from _held(path, size, parts)
    for path, size in parts.open_sizes("batteries"):
        battery = parts.find("batteries", size.name)
        if battery is not None and battery.price_usd_per_kwh is None:
            yield _no_price(path, f"battery {size.name!r}", "price_usd_per_kwh")
    for path, size in parts.open_sizes("contracts"):
        contract = parts.find("contracts", size.name)
        if contract is not None:
            yield from _contract(path, contract)


def _twice(parts: Parts) -> Iterator[Finding]:
    """Refuse two sizes of one name, of two kinds as well: a plan is told by names alone."""
    first: dict[tuple[bool, str], str] = {}
    for section in PLANNED:
        for path, item in parts.open_sizes(section):
            key = section == "scenarios", item.name
            if key in first:
                yield Finding(
                    code="DUPLICATE_NAME",
                    path=f"{path}.name",
                    value=item.name,
                    reason=f"{first[key]} is called {item.name!r} already, and what a plan says of "
                    "a size or a scenario it says by its name alone",
                    remedy="Keep one of the two, or rename what it names",
                )
            first.setdefault(key, path)


# ---- ranges and steps --------------------------------------------------------------------


def _range(path: str, section: str, size: Any, parts: Parts) -> Iterator[Finding]:
    low, high, steps, unit = FIELDS[section]
    least, most, step = (getattr(size, field) for field in (low, high, steps))
    if most < least:
        yield Finding(
            code="PLAN_MOST_BELOW_LEAST",
            path=f"{path}.{high}",
            value=f"{most:g}",
            limit=f"{least:g}",
            unit=unit,
            reason=f"{high} of {size.name!r} lies below its {low}: no size is left",
            remedy=f"Raise {high}, or lower {low}",
        )
        return
    for room in _rooms(section, size, least_quantity=least, most_quantity=most):
        if step is not None:
            yield from _step(f"{path}.{steps}", size.name, room, step_quantity=step, unit=unit)
    item = parts.find(section, size.name)
    own = None if item is None else _own(item)
    if own is not None and not least * (1 - NEARLY) <= own <= most * (1 + NEARLY):
        yield Finding(
            code="PLAN_EXCLUDES_FILE",
            path=f"{path}.{high if own > most else low}",
            value=f"{own:g}",
            limit=f"{least:g} to {most:g}",
            unit=unit,
            reason=f"the file's own size of {size.name!r} is none that the plan may choose",
            remedy="Nothing, if that is meant; else widen the range",
            severity="warning",
        )


def _rooms(section: str, size: Any, *, least_quantity: float, most_quantity: float) -> list[float]:
    """Return how far a size reaches above its least: of a queue, step by step."""
    if section != "sites" or not size.queue:
        return [most_quantity - least_quantity]
    rooms_mw, left_mw = [], least_quantity
    for step in size.queue:
        rooms_mw.append(step.mw - min(left_mw, step.mw))
        left_mw = max(0.0, left_mw - step.mw)
    return rooms_mw


def _step(
    path: str, name: str, room_quantity: float, *, step_quantity: float, unit: str
) -> Iterator[Finding]:
    count = room_quantity / step_quantity
    if abs(count - round(count)) > NEARLY * max(1.0, count):
        yield Finding(
            code="PLAN_STEP_DOES_NOT_FIT",
            path=path,
            value=f"{step_quantity:g}",
            limit=f"{room_quantity:g}",
            unit=unit,
            reason=f"the range of {name!r} above its least is {room_quantity:g} {unit}, which is "
            f"{count:.4g} steps: no whole number of them reaches the most",
            remedy="Choose a step that divides the range, or change the range",
        )
    elif count > MANY_STEPS_COUNT:
        yield Finding(
            code="PLAN_STEPS_MANY",
            path=path,
            value=f"{round(count)}",
            limit=f"{MANY_STEPS_COUNT}",
            unit="steps",
            reason=f"{name!r} may be built in {round(count):,} whole steps: finer than anything "
            "known about them, and whole numbers are slow",
            remedy="Choose a larger step, or leave it out",
            severity="warning",
        )


def _own(item: Any) -> float | None:
    """Return the size that the file states of a thing; None where its kind has none."""
    if getattr(item, "kind", None) in ("ppa_as_produced", "ppa_virtual"):
        return float(item.project_mw * item.share)
    for field in (
        "import_limit_mw", "gpu_count", "power_mw", "project_mw", "contract_mw", "capacity_mw",
    ):  # fmt: skip
        if hasattr(item, field):
            return float(getattr(item, field))
    return None


def _queue(path: str, size: SiteSize) -> Iterator[Finding]:
    if not size.queue:
        return
    sum_mw = sum(step.mw for step in size.queue)
    if abs(sum_mw - size.most_mw) > NEARLY * sum_mw:
        yield Finding(
            code="QUEUE_MISMATCH",
            path=f"{path}.queue",
            value=f"{sum_mw:g}",
            limit=f"{size.most_mw:g}",
            unit="MW",
            reason=f"the steps in the queue of site {size.name!r} bring {sum_mw:g} MW together, "
            f"and its most_mw is {size.most_mw:g}",
            remedy="Make the two agree",
        )


# ---- prices and kinds --------------------------------------------------------------------


def _site_price(path: str, size: SiteSize, parts: Parts) -> Iterator[Finding]:
    site = parts.find("sites", size.name)
    own = size.queue and all(step.usd_per_kw is not None for step in size.queue)
    if site is not None and site.facility_usd_per_kw is None and not own:
        yield _no_price(path, f"site {size.name!r}", "facility_usd_per_kw")


def _no_price(path: str, what: str, field: str) -> Finding:
    return Finding(
        code="MISSING_PRICE",
        path=f"{path}.name",
        value=field,
        reason=f"{what} may be built larger, and the file does not say what that costs: it would "
        "be free",
        remedy=f"State {field} where it stands in the file, 0 if it is free indeed",
    )


def _held(path: str, size: SiteSize, parts: Parts) -> Iterator[Finding]:
    """Warn of GPUs without an open size at a site that may be left out: they hold it."""
    if size.least_mw > 0.0:
        return
    sized = {fleet.name for _, fleet in parts.open_sizes("fleets")}
    for fleet in parts.fleets:
        if fleet.site == size.name and fleet.name not in sized:
            yield Finding(
                code="SITE_HELD_BY_FLEET",
                path=f"{path}.least_mw",
                value=fleet.name,
                reason=f"site {size.name!r} may be left out, and fleet {fleet.name!r} there has no "
                "open size: its GPUs stand and draw power whatever is built",
                remedy=f"Add {fleet.name} to plan.fleets, or state least_mw",
                severity="warning",
            )


def _contract(path: str, contract: Any) -> Iterator[Finding]:
    kind = contract.kind
    if kind in NO_SIZE:
        yield Finding(
            code="CONTRACT_WITHOUT_SIZE",
            path=f"{path}.name",
            value=kind,
            limit="block, ppa_as_produced, ppa_baseload, ppa_virtual, colocation, on_site",
            reason=f"a plan cannot choose the size of contract {contract.id!r}: {NO_SIZE[kind]}",
            remedy="Leave it out of plan.contracts: it stays in the file as it stands",
        )
    if kind == "on_site" and contract.commits:
        yield Finding(
            code="OPEN_SIZE_COMMITS",
            path=f"{path}.name",
            value=f"min_load_share {contract.min_load_share:g}, start_usd {contract.start_usd:g}",
            limit="0",
            reason=f"whether plant {contract.id!r} runs is a yes or no, and its size would be "
            "multiplied with it: the program would not be linear",
            remedy="Leave min_load_share and start_usd out, or fix its size",
        )
    if kind == "on_site" and contract.price_usd_per_kw is None:
        yield _no_price(path, f"plant {contract.id!r}", "price_usd_per_kw")
    if _must_take(contract):
        yield Finding(
            code="OPEN_SIZE_MUST_TAKE",
            path=f"{path}.name",
            value=kind,
            reason=f"contract {contract.id!r} delivers behind the meter and nobody may refuse it: "
            "with an open size it may not fit behind a meter whose load is open, too",
            remedy="Deliver it over the grid, allow may_curtail, or fix its size",
        )


def _must_take(contract: Any) -> bool:
    if getattr(contract, "delivery", "grid") != "behind_the_meter":
        return False
    return contract.kind in ("block", "ppa_baseload") or not contract.may_curtail
