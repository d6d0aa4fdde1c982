"""Power: what a connection must carry, and in which money it is paid for."""

from collections.abc import Iterator
from typing import Any

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.site import Site


def check_power(parts: Parts) -> Iterator[Finding]:
    """Yield what is wrong between sites, contracts and batteries."""
    for path, site in parts.placed("sites"):
        yield from _fixed_load(path, site)
        yield from _behind_the_meter(path, site, parts)
    for section, noun in (("contracts", "contract"), ("tariffs", "tariff")):
        for path, item in parts.placed(section):
            if item.currency not in (None, parts.currency):
                yield Finding(
                    code="CURRENCY_MIXED",
                    path=f"{path}.currency",
                    value=item.currency,
                    limit=parts.currency,
                    reason=f"{noun} {item.id!r} is not in the company's money",
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
    least_mw = min([site.import_limit_mw, *(step.mw for step in site.ramp)])
    if need_mw > least_mw:
        yield Finding(
            code="IMPORT_BELOW_FIXED_LOAD",
            path=f"{path}.{'import_limit_mw' if least_mw == site.import_limit_mw else 'ramp'}",
            value=f"{least_mw:g}",
            limit=f"{need_mw:g}",
            unit="MW",
            reason=f"site {site.name!r} draws {site.fixed_load_mw:g} MW of fixed load x PUE "
            f"{pue:g} before its first token",
            remedy=f"Raise import_limit_mw{' and its ramp' * bool(site.ramp)}, or lower "
            "fixed_load_mw",
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
    """Return the most that a contract puts behind the meter and nobody may refuse.

    A neighbour's generator (colocation) can always be turned down, paid or not.
    """
    if getattr(contract, "delivery", "grid") != "behind_the_meter":
        return 0.0
    if contract.kind in ("block", "ppa_baseload"):
        return float(contract.contract_mw)
    return 0.0 if contract.may_curtail else float(contract.project_mw * contract.share)
