"""The residual: what the contracts of a site leave is settled once, by somebody, at all times."""

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

from tokenergy.company.check.terms import clock_of, span_of
from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.site import Site


def check_residual(parts: Parts) -> Iterator[Finding]:
    """Yield sites whose residual is settled twice, or by nobody."""
    seen: set[str] = set()
    for path, site in parts.placed("sites"):
        if site.name not in seen:  # of two with one name, the first
            yield from _site(path, site, parts)
        seen.add(site.name)


def _site(path: str, site: Site, parts: Parts) -> Iterator[Finding]:
    """One spot contract, or supply tariffs that follow each other through the horizon."""
    spots = [
        (where, contract)
        for where, contract in parts.placed("contracts")
        if contract.kind == "spot" and contract.site == site.name
    ]
    supplies = [
        (where, tariff)
        for where, tariff in parts.placed("tariffs")
        if tariff.site == site.name and _supplies(tariff) and _touches(tariff, parts)
    ]
    for where, contract in spots[1:]:
        yield _double(where, spots[0][0], contract.id, site)
    if spots:
        for where, tariff in supplies:
            yield _double(where, spots[0][0], tariff.id, site)
        return
    if supplies:
        yield from _needs_a_market(path, site, parts)
    ordered = sorted(supplies, key=lambda each: _span(each[1], parts))
    for (before, earlier), (where, tariff) in pairwise(ordered):
        if _span(tariff, parts)[0] < _span(earlier, parts)[1]:
            yield _double(where, before, tariff.id, site)
    if not _may_have_lost_one(site, parts):
        yield from _missing(path, site, [tariff for _, tariff in ordered], parts)


def _needs_a_market(path: str, site: Site, parts: Parts) -> Iterator[Finding]:
    """A supplier bills the meter: what arrives over it from others has nobody to balance it."""
    for where, contract in parts.placed("contracts"):
        if contract.site == site.name and getattr(contract, "delivery", "") == "grid":
            yield Finding(
                code="DELIVERY_WITHOUT_MARKET",
                path=f"{where}.delivery",
                value=contract.id,
                limit="behind_the_meter",
                reason=f"site {site.name!r} buys from a supply tariff, which bills all that its "
                "meter imports: power delivered over the grid would be paid twice",
                remedy="Deliver it behind the meter, make it a ppa_virtual, or give the site a "
                "spot contract and the tariff settles: delivery",
            )
    if site.import_price is not None:
        yield Finding(
            code="DELIVERY_WITHOUT_MARKET",
            path=f"{path}.import_price",
            value=site.name,
            reason=f"site {site.name!r} buys from a supply tariff: no market price of it can rise "
            "with its load",
            remedy="Drop import_price, or give the site a spot contract",
        )


def _supplies(tariff: Any) -> bool:
    return tariff.energy is not None and tariff.energy.settles == "supply"


def _touches(tariff: Any, parts: Parts) -> bool:
    start, end = _span(tariff, parts)
    return bool(start < end)


def _span(tariff: Any, parts: Parts) -> tuple[Any, Any]:
    if parts.horizon is None:
        return (tariff.start or date.min, tariff.end or date.max)
    return span_of(tariff, clock_of(tariff, parts), parts.horizon)


def _double(where: str, first: str, name: str, site: Site) -> Finding:
    return Finding(
        code="DOUBLE_RESIDUAL",
        path=where,
        value=name,
        reason=f"{first} settles the residual of site {site.name!r} already, and it is settled "
        "once: every MWh of it would be paid twice",
        remedy="Keep one spot contract for each site, or one tariff of settles: supply (delivery "
        "comes on top of spot)",
    )


def _missing(path: str, site: Site, supplies: list[Any], parts: Parts) -> Iterator[Finding]:
    """Tell from when on nobody sells the site what its contracts do not deliver."""
    horizon = parts.horizon
    since = ""
    if supplies and horizon is not None:
        reached = horizon.start
        for tariff in supplies:
            start, end = _span(tariff, parts)
            if start > reached:
                break
            reached = max(reached, end)
        if reached >= horizon.end:
            return
        since = f" from {reached:%Y-%m-%dT%H:%MZ} on"
    elif supplies:
        return
    yield Finding(
        code="SPOT_MISSING",
        path=path,
        value=site.name,
        reason=f"site {site.name!r} has no spot contract and no supply tariff{since}: nothing "
        "says what its residual costs",
        remedy=f"Add {{kind: spot, id: {site.name}-spot, site: {site.name}}} to contracts, or a "
        "tariff with settles: supply",
    )


def _may_have_lost_one(site: Site, parts: Parts) -> bool:
    """Tell whether something unreadable could be this site's spot contract or supply."""
    contracts = parts.lost("contracts").values()
    lost = [words for words in contracts if words.get("kind", "spot") == "spot"]
    lost += parts.lost("tariffs").values()
    return not parts.unread.isdisjoint({"contracts", "tariffs"}) or any(
        words.get("site", site.name) == site.name for words in lost
    )
