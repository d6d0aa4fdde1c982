"""Contracts against the series that they are settled on: strikes, volumes, and made-up prices.

What needs both a company and its series, and no dispatch.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.check.power import worst_pue
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import FloatArray, Inputs
from tokenergy.company.series import FileSeries, SyntheticSeries
from tokenergy.company.site import Site
from tokenergy.units import W_PER_MW

FAR_RATIO: Final = 3.0
"""A strike more than so many times the median price of its market, or less than its part of it,
is perhaps another market's or another unit's. 3 is our guess; a mean would hang on scarce hours."""
LEAST_MEDIAN_USD_PER_MWH: Final = 5.0
"""Below it a median price says nothing about strikes."""
OVERHEDGED_SHARE: Final = 0.2
"""Contracts sheet, section 7; the 20 % is a guess there."""
NEARLY: Final = 1.0 + 1e-9


def hedge_findings(company: Company, inputs: Inputs, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield warnings about contracts that sit oddly beside prices and loads."""
    yield from _synthetic(company)
    for at, contract in enumerate(company.contracts):
        if hasattr(contract, "strike_usd_per_mwh"):
            yield from _strike(f"contracts[{at}]", contract, inputs)
        if contract.kind == "demand_response":
            yield from _baseline(f"contracts[{at}]", contract, company, inputs)
    for at, site in enumerate(company.sites):
        yield from _volume(f"sites[{at}]", site, company, inputs, catalogue)


def _synthetic(company: Company) -> Iterator[Finding]:
    """Warn of prices that are made up beside others that are recorded: one bill of both.

    Where all are synthetic every result says so at its head.
    """
    prices: list[tuple[str, Any]] = [
        (f"sites[{at}].market.price", site.market.price) for at, site in enumerate(company.sites)
    ]
    prices += [
        (f"contracts[{at}].hub_price", contract.hub_price)
        for at, contract in enumerate(company.contracts)
        if contract.kind == "ppa_virtual"
    ]
    recorded = [path for path, source in prices if isinstance(source, FileSeries)]
    for path, source in prices:
        if isinstance(source, SyntheticSeries) and recorded:
            yield Finding(
                code="PRICE_SERIES_SYNTHETIC",
                path=path,
                value=source.synthetic,
                reason=f"this price is synthetic, and {recorded[0]} comes from a file: sites and "
                "contracts would be compared across the two",
                remedy="Name recorded prices for all of them",
                severity="warning",
            )


def _strike(path: str, contract: Any, inputs: Inputs) -> Iterator[Finding]:
    """Hold a strike against the median price of where it is settled: the hub, else the site."""
    own = inputs.series.get(f"{contract.id}.hub_price")
    price = inputs.price_usd_per_mwh[contract.site] if own is None else own
    median_usd_per_mwh = float(np.median(price))
    strike = contract.strike_usd_per_mwh
    if median_usd_per_mwh < LEAST_MEDIAN_USD_PER_MWH:
        return
    low, high = median_usd_per_mwh / FAR_RATIO, median_usd_per_mwh * FAR_RATIO
    if not low <= strike <= high:
        yield Finding(
            code="STRIKE_FAR_FROM_MARKET",
            path=f"{path}.strike_usd_per_mwh",
            value=f"{strike:g}",
            limit=f"{low:.3g} to {high:.3g}",
            unit="USD/MWh",
            reason=f"the median price that contract {contract.id!r} is settled against is "
            f"{median_usd_per_mwh:.3g} USD/MWh: the strike is perhaps another market's",
            remedy="Nothing, if that is what was signed; else correct the strike or the price",
            severity="warning",
        )


def _baseline(path: str, contract: Any, company: Company, inputs: Inputs) -> Iterator[Finding]:
    """Warn of a baseline that no meter could reach: the events would pay for nothing."""
    site = next(site for site in company.sites if site.name == contract.site)
    most_mw = float(inputs.series[f"{contract.id}.baseline_mw"].max())
    if most_mw > site.import_limit_mw * NEARLY:
        yield Finding(
            code="BASELINE_ABOVE_LIMIT",
            path=f"{path}.baseline_mw",
            value=f"{most_mw:g}",
            limit=f"{site.import_limit_mw:g}",
            unit="MW",
            reason=f"the baseline of contract {contract.id!r} lies above what site {site.name!r} "
            "may import: the difference would be paid for without any reduction",
            remedy="Correct baseline_mw, or the site's import_limit_mw",
            severity="warning",
        )


def _volume(
    path: str, site: Site, company: Company, inputs: Inputs, catalogue: Catalogue
) -> Iterator[Finding]:
    """Warn where more is contracted than the site could draw with every GPU at full power."""
    hedged_mw = _hedged_mw(site, company, inputs)
    most_mw = _most_load_mw(site, company, catalogue)
    share = float((hedged_mw > most_mw * NEARLY)[inputs.history_count :].mean())
    if share > OVERHEDGED_SHARE:
        yield Finding(
            code="OVERHEDGED",
            path=path,
            value=f"{share:.0%}",
            limit=f"{OVERHEDGED_SHARE:.0%}",
            unit="of the intervals",
            reason=f"contracts of site {site.name!r} deliver or hedge more than the {most_mw:.3g} "
            "MW that it could draw with every GPU at full power: the rest is a bet on prices",
            remedy="Lower share, project_mw or contract_mw, or give the contract to a larger site",
            severity="warning",
        )


def _hedged_mw(site: Site, company: Company, inputs: Inputs) -> FloatArray:
    """Return what the contracts of a site come to [T from the history]; terms are left aside."""
    sum_mw = np.zeros(inputs.price_usd_per_mwh[site.name].size)
    for contract in company.contracts:
        if contract.site != site.name:
            continue
        if contract.kind == "ppa_as_produced" or contract.kind == "ppa_virtual":
            sum_mw += contract.share * contract.project_mw * inputs.profile_share[contract.id]
        elif contract.kind == "ppa_baseload":
            sum_mw += contract.contract_mw * inputs.series[f"{contract.id}.shape"]
        elif contract.kind == "block" and _all_hours(contract):
            sum_mw += contract.contract_mw
    return sum_mw


def _all_hours(block: Any) -> bool:
    """Blocks of some hours need the market's calendar: a sure case is enough for a warning."""
    return block.from_hour == 0 and block.to_hour == 24 and not block.weekdays_only


def _most_load_mw(site: Site, company: Company, catalogue: Catalogue) -> float:
    it_mw = site.fixed_load_mw
    for fleet in company.fleets:
        if fleet.site == site.name:
            w_per_gpu = catalogue.accelerator(fleet.accelerator).tdp_w + site.host_w_per_gpu
            it_mw += fleet.gpu_count * w_per_gpu / W_PER_MW
    return it_mw * worst_pue(site)
