"""Contracts among each other: what counts as clean, what was promised, what moves a market."""

from collections.abc import Iterator
from typing import Any, Final

from tokenergy.company.finding import Finding
from tokenergy.company.parts import Parts
from tokenergy.company.site import Site

WITH_OUTPUT: Final = frozenset(
    {"block", "ppa_as_produced", "ppa_baseload", "ppa_virtual", "colocation"}
)
"""Kinds whose output may be clean; a plant that burns fuel (on_site) is not."""
NODE_SHARE: Final = 0.01
"""A site above this share of its zone's mean load moves its price. 1 % is our guess: 100 MW are
said to move a node (dispatch sheet, section 5), and zones of 10 GW are common."""
NEARLY_MW: Final = 1e-6


def check_contracts(parts: Parts) -> Iterator[Finding]:
    """Yield contracts and connections that contradict what stands beside them."""
    for path, contract in parts.placed("contracts"):
        sources = {"cfe": "sources", "rec": "bundled"}.get(contract.kind)
        if sources:
            yield from _sources(f"{path}.{sources}", contract, getattr(contract, sources), parts)
        if contract.successor is not None:
            yield from _successor(path, contract, parts)
        if contract.kind == "colocation":
            yield from _standby(path, contract, parts)
    for path, site in parts.placed("sites"):
        yield from _non_firm(path, site)
        yield from _ramp(path, site)
        yield from _node(path, site)
    yield from _carbon(parts)


def _sources(path: str, contract: Any, names: tuple[str, ...], parts: Parts) -> Iterator[Finding]:
    """Hold the sources of clean power against the contracts that they name."""
    for position, name in enumerate(names):
        source = parts.find("contracts", name)
        where = f"{path}[{position}]"
        if name in names[:position]:
            yield Finding(
                code="SOURCE_REPEATED",
                path=where,
                value=name,
                reason=f"contract {contract.id!r} names this source already: each MWh of it would "
                "be counted twice",
                remedy="Name it once",
            )
        elif source is not None and source.kind not in WITH_OUTPUT:
            yield Finding(
                code="SOURCE_NOT_CLEAN",
                path=where,
                value=source.kind,
                limit=", ".join(sorted(WITH_OUTPUT)),
                reason=f"contract {name!r} has no output that could be clean",
                remedy="Name contracts of those kinds",
            )
        elif source is not None and source.site != contract.site:
            yield Finding(
                code="SOURCE_ELSEWHERE",
                path=where,
                value=source.site,
                limit=contract.site,
                reason=f"contract {name!r} serves another site than {contract.id!r}, whose load "
                "it would be matched with",
                remedy="Name contracts of the same site",
            )


def _successor(path: str, contract: Any, parts: Parts) -> Iterator[Finding]:
    after = parts.find("contracts", contract.successor)
    if after is None:
        return
    same = after.id == contract.id
    if same or after.site != contract.site:
        yield Finding(
            code="SUCCESSOR_ELSEWHERE",
            path=f"{path}.successor",
            value=contract.successor,
            limit=contract.site,
            reason=f"contract {contract.id!r} cannot follow itself"
            if same
            else f"contract {after.id!r} serves site {after.site!r} and follows nobody at "
            f"{contract.site!r}",
            remedy="Name another contract of the same site",
        )


def _standby(path: str, contract: Any, parts: Parts) -> Iterator[Finding]:
    site = parts.find("sites", contract.site)
    for field, limit in (
        ("standby_mw", "import_limit_mw"),
        ("export_limit_mw", "export_limit_mw"),
    ):
        if site is not None and getattr(contract, field) > getattr(site, limit) + NEARLY_MW:
            yield Finding(
                code="COLOCATION_ABOVE_LIMIT",
                path=f"{path}.{field}",
                value=f"{getattr(contract, field):g}",
                limit=f"{getattr(site, limit):g}",
                unit="MW",
                reason=f"contract {contract.id!r} allows more than the connection of site "
                f"{site.name!r} carries: the lower of the two holds",
                remedy=f"Correct it, or the site's {limit}",
                severity="warning",
            )


def _non_firm(path: str, site: Site) -> Iterator[Finding]:
    terms = site.non_firm
    if terms is None:
        return
    both_mw = terms.firm_mw + terms.nonfirm_mw
    if abs(both_mw - site.import_limit_mw) > NEARLY_MW:
        yield Finding(
            code="NON_FIRM_MISMATCH",
            path=f"{path}.non_firm",
            value=f"{both_mw:g}",
            limit=f"{site.import_limit_mw:g}",
            unit="MW",
            reason=f"firm_mw {terms.firm_mw:g} and nonfirm_mw {terms.nonfirm_mw:g} of site "
            f"{site.name!r} are not its import_limit_mw together",
            remedy="Make the three agree",
        )


def _ramp(path: str, site: Site) -> Iterator[Finding]:
    if not site.ramp:
        return
    most_mw, last_mw = max(step.mw for step in site.ramp), site.ramp[-1].mw
    if max(most_mw - site.import_limit_mw, abs(last_mw - site.import_limit_mw)) > NEARLY_MW:
        yield Finding(
            code="RAMP_MISMATCH",
            path=f"{path}.ramp",
            value=", ".join(f"{step.mw:g}" for step in site.ramp),
            limit=f"{site.import_limit_mw:g}",
            unit="MW",
            reason=f"the last step of the ramp of site {site.name!r} is its import_limit_mw, and "
            "no step exceeds it",
            remedy="Make the two agree",
        )


def _node(path: str, site: Site) -> Iterator[Finding]:
    """Warn of a price-taker that is too large to be one."""
    if site.zone_load_mw is None or site.import_price is not None:
        return
    share = site.import_limit_mw / site.zone_load_mw
    if share > NODE_SHARE:
        yield Finding(
            code="NODE_MOVED_BY_LOAD",
            path=f"{path}.import_limit_mw",
            value=f"{site.import_limit_mw:g}",
            limit=f"{NODE_SHARE * site.zone_load_mw:g}",
            unit="MW",
            reason=f"site {site.name!r} may draw {share:.1%} of the load of its zone, "
            f"{site.zone_load_mw:g} MW: from {NODE_SHARE:.0%} on its own load is expected to move "
            "the price that it is said to take",
            remedy="State import_price in steps, or read prices as lower bounds",
            severity="warning",
        )


def _carbon(parts: Parts) -> Iterator[Finding]:
    """Refuse a price of carbon that sites without the ledger it is counted through would dodge."""
    price = parts.carbon_price
    if price is None:
        return
    for path, site in parts.placed("sites"):
        lacks_all = site.carbon is None
        if lacks_all or (price.ledger == "marginal" and site.carbon.marginal_kg_per_mwh is None):
            field = "carbon" if lacks_all else "carbon.marginal_kg_per_mwh"
            yield Finding(
                code="CARBON_UNSTATED",
                path=f"{path}.{field}" if not lacks_all else path,
                value=site.name,
                limit=price.ledger,
                reason=f"carbon has a price through the {price.ledger} ledger, and site "
                f"{site.name!r} does not state what that needs: its power would count as clean",
                remedy=f"Add {field}, or leave carbon_price out",
            )
    for path, contract in parts.placed("contracts"):
        if contract.kind == "on_site" and contract.fuel_kg_per_mmbtu is None:
            yield Finding(
                code="CARBON_UNSTATED",
                path=f"{path}.fuel_kg_per_mmbtu",
                value=contract.id,
                reason=f"carbon has a price, and plant {contract.id!r} does not state what its "
                "fuel emits: its power would count as clean",
                remedy="Add fuel_kg_per_mmbtu (natural gas: 53.06), or leave carbon_price out",
            )
