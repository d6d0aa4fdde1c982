"""Proportion: a figure far out of scale with its neighbours is in another unit, or misplaced."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from tokenergy.company.check.sizes import plausible
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.site import Site
from tokenergy.company.tariff import Tariff

MOST_CONNECTIONS: Final = 100.0
"""Power of a battery, contract or tariff over that of its connection: kW for MW makes it 1000."""
GENEROUS_MW_PER_GPU: Final = 0.002
"""More than any GPU draws with its host and cooling."""
MOST_GPU_LOADS: Final = 200.0
"""Power of a connection over all that its GPUs may draw."""
FARTHEST_ZONE_H: Final = 3.5
"""Clocks of a zone against the sun: western China is 3 h ahead of it, nowhere is more."""
SEASONS: Final = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
"""In one of them clocks show no summer time."""
DEG_PER_H: Final = 15.0
LONGEST_PRIORITY_S: Final = 300.0
"""Nobody who is served first waits longer for a first token: ms for s makes it 300 and more."""


def check_proportion(parts: Parts) -> Iterator[Finding]:
    """Yield figures that are plausible alone and not beside the others."""
    for path, site in parts.placed("sites"):
        yield from _connection(path, site, parts)
        yield from _zone(path, site)
    for section, field in (
        ("batteries", "power_mw"),
        ("contracts", "contract_mw"),
        ("contracts", "capacity_mw"),
        ("contracts", "committed_mw"),
    ):
        for path, item in parts.placed(section):
            if hasattr(item, field) and plausible(section, field, item):
                yield from _beside_connection(path, item, field, getattr(item, field), parts)
    for path, contract in parts.placed("contracts"):
        produced = hasattr(contract, "project_mw")
        if produced and plausible("contracts", "project_mw", contract):
            size_mw = contract.project_mw * getattr(contract, "share", 1.0)
            yield from _beside_connection(path, contract, "project_mw", size_mw, parts)
    for path, tariff in parts.placed("tariffs"):
        for field, size_mw in _contracted(tariff):
            yield from _beside_connection(path, tariff, field, size_mw, parts)
    for path, tier in parts.placed("tiers"):
        if tier.service_tier == "priority" and tier.ttft_limit_s > LONGEST_PRIORITY_S:
            yield Finding(
                code="UNIT_SLIP",
                path=f"{path}.ttft_limit_s",
                value=f"{tier.ttft_limit_s:g}",
                limit=f"{LONGEST_PRIORITY_S:g}",
                unit="s",
                reason=f"tier {tier.name!r} is served first and lets its users wait that long "
                "for a first token: the limit is perhaps in ms",
                remedy="State it in s, or choose service_tier flex or batch",
                severity="warning",
            )


def _contracted(tariff: Tariff) -> Iterator[tuple[str, float]]:
    """Yield where a tariff states megawatts of its own meter, and how many."""
    for at, item in enumerate(tariff.demand):
        for field in ("contract_mw", "planned_mw"):
            size_mw = getattr(item, field)
            if size_mw is not None:
                yield f"demand[{at}].{field}", size_mw
        for month, past in enumerate(item.history or ()):
            yield f"demand[{at}].history[{month}].peak_mw", past.peak_mw
            if past.billed_mw is not None:
                yield f"demand[{at}].history[{month}].billed_mw", past.billed_mw
    if plausible("tariffs", "standby_mw", tariff):
        yield "standby_mw", tariff.standby_mw
    if tariff.large_load is not None and plausible("tariffs", "large_load.contract_mw", tariff):
        yield "large_load.contract_mw", tariff.large_load.contract_mw


def _beside_connection(
    path: str, item: Any, field: str, size_mw: float, parts: Parts
) -> Iterator[Finding]:
    site = parts.find("sites", item.site)
    if site is None:
        return
    room_mw = max(site.import_limit_mw, site.export_limit_mw)
    if size_mw > MOST_CONNECTIONS * room_mw:
        yield Finding(
            code="UNIT_SLIP",
            path=f"{path}.{field}",
            value=f"{size_mw:g}",
            limit=f"{MOST_CONNECTIONS * room_mw:g}",
            unit="MW",
            reason=f"it is {size_mw / room_mw:,.0f} times the grid connection of site "
            f"{site.name!r}, {room_mw:g} MW: one of the two is perhaps in kW",
            remedy="State both in MW",
        )


def _connection(path: str, site: Site, parts: Parts) -> Iterator[Finding]:
    """Compare a connection with what stands behind it; no GPUs, nothing to compare."""
    known = "fleets" not in parts.unread and not parts.lost("fleets")
    known &= plausible("sites", "import_limit_mw", site)
    gpus_count = sum(fleet.gpu_count for fleet in parts.fleets if fleet.site == site.name)
    load_mw = gpus_count * GENEROUS_MW_PER_GPU + site.fixed_load_mw
    if known and gpus_count and site.import_limit_mw > MOST_GPU_LOADS * load_mw:
        yield Finding(
            code="UNIT_SLIP",
            path=f"{path}.import_limit_mw",
            value=f"{site.import_limit_mw:g}",
            limit=f"{MOST_GPU_LOADS * load_mw:g}",
            unit="MW",
            reason=f"the {gpus_count:,} GPUs and the fixed load of site {site.name!r} draw "
            f"{load_mw:.3g} MW at the very most: the limit is perhaps in kW",
            remedy="State it in MW",
            severity="warning",
        )


def _zone(path: str, site: Site) -> Iterator[Finding]:
    """Compare the clocks of a market with the sun of its site."""
    zone = ZoneInfo(site.market.time_zone)
    offsets = [moment.astimezone(zone).utcoffset() or timedelta(0) for moment in SEASONS]
    clock_h = min(offsets) / timedelta(hours=1)
    sun_h = site.longitude_deg / DEG_PER_H
    apart_h = abs((clock_h - sun_h + 12.0) % 24.0 - 12.0)
    if apart_h > FARTHEST_ZONE_H:
        yield Finding(
            code="ZONE_FAR_FROM_SITE",
            path=f"{path}.market.time_zone",
            value=site.market.time_zone,
            limit=f"{FARTHEST_ZONE_H:g} h from the sun",
            reason=f"the clocks of the market are {apart_h:.1f} h apart from the sun at site "
            f"{site.name!r} (longitude {site.longitude_deg:g} degrees)",
            remedy="Correct time_zone, or latitude_deg and longitude_deg if they are swapped",
            severity="warning",
        )
