"""Power: what a connection must carry, who settles its residual, and in which money."""

from collections.abc import Iterator
from typing import Any

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.site import Site


def check_power(parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong between sites, contracts and batteries."""
    seen: set[str] = set()
    for path, site in parts.placed("sites"):
        yield from _fixed_load(path, site)
        if site.name not in seen:  # of two with one name, the first
            yield from _one_spot(path, site, parts)
        seen.add(site.name)
        yield from _behind_the_meter(path, site, parts)
    for path, contract in parts.placed("contracts"):
        if contract.currency not in (None, parts.currency):
            yield Finding(
                code="CURRENCY_MIXED",
                path=f"{path}.currency",
                value=contract.currency,
                limit=parts.currency,
                reason=f"contract {contract.id!r} is not in the company's money",
                remedy=f"State its prices in {parts.currency}, and where the rate comes from",
            )


def worst_pue(site: Site) -> float:
    """Return the highest PUE that the site can have."""
    if isinstance(site.pue, tuple):
        return max(point.pue for point in site.pue)
    return site.pue


def _fixed_load(path: str, site: Site) -> Iterator[Finding]:
    pue = worst_pue(site)
    need_mw = site.fixed_load_mw * pue
    if need_mw > site.import_limit_mw:
        yield Finding(
            code="IMPORT_BELOW_FIXED_LOAD",
            path=f"{path}.import_limit_mw",
            value=f"{site.import_limit_mw:g}",
            limit=f"{need_mw:g}",
            unit="MW",
            reason=f"site {site.name!r} draws {site.fixed_load_mw:g} MW of fixed load x PUE "
            f"{pue:g} before its first token",
            remedy="Raise import_limit_mw, or lower fixed_load_mw",
        )


def _one_spot(path: str, site: Site, parts: Parts) -> Iterator[Finding]:
    spots = [
        where
        for where, contract in parts.placed("contracts")
        if contract.kind == "spot" and contract.site == site.name
    ]
    for where in spots[1:]:
        yield Finding(
            code="SPOT_REPEATED",
            path=where,
            value=site.name,
            reason=f"{spots[0]} settles the residual of site {site.name!r} already, and it is "
            "settled once",
            remedy="Keep one spot contract for each site",
        )
    if not spots and not _may_have_lost_a_spot(site, parts):
        yield Finding(
            code="SPOT_MISSING",
            path=path,
            value=site.name,
            reason=f"site {site.name!r} has no spot contract: nothing says what its residual costs",
            remedy=f"Add {{kind: spot, id: {site.name}-spot, site: {site.name}}} to contracts",
        )


def _may_have_lost_a_spot(site: Site, parts: Parts) -> bool:
    """Tell whether an unreadable contract could be this site's spot contract."""
    return "contracts" in parts.unread or any(
        words.get("kind", "spot") == "spot" and words.get("site", site.name) == site.name
        for words in parts.lost("contracts").values()
    )


def _behind_the_meter(path: str, site: Site, parts: Parts) -> Iterator[Finding]:
    """Compare what must be taken behind the meter with what the site can put somewhere."""
    taken_mw = sum(
        _must_take_mw(contract) for contract in parts.contracts if contract.site == site.name
    )
    battery_mw = sum(b.power_mw for b in parts.batteries if b.site == site.name)
    room_mw = site.import_limit_mw + site.export_limit_mw + battery_mw
    if taken_mw > room_mw:
        yield Finding(
            code="BEHIND_METER_OVERSUPPLY",
            path=f"{path}.export_limit_mw",
            value=f"{taken_mw:g}",
            limit=f"{room_mw:g}",
            unit="MW",
            reason=f"contracts deliver more behind the meter of {site.name!r}, with no right "
            "to curtail, than its load, its batteries and its export can absorb",
            remedy="Allow curtailment (may_curtail), or raise export_limit_mw",
            severity="warning",
        )


def _must_take_mw(contract: Any) -> float:
    if getattr(contract, "delivery", "grid") != "behind_the_meter":
        return 0.0
    if contract.kind == "block":
        return float(contract.contract_mw)
    return 0.0 if contract.may_curtail else float(contract.project_mw * contract.share)
