"""The company's own price of carbon as a rate on what a meter imports.

One ledger at a time: what the grid emits on average where power is drawn (`location`), what one
MWh more makes it emit (`marginal`), or what contracts and certificates leave unclaimed
(`market`). In the market ledger clean power is counted over the year, so that it lowers the sum
and not what one MWh more adds: that is the residual mix, whatever the hour.
"""

import numpy as np

from tokenergy.company.carbon import CarbonLedger
from tokenergy.company.company import Company
from tokenergy.company.contract import OnSite
from tokenergy.company.inputs import Inputs
from tokenergy.company.site import Site
from tokenergy.dispatch.world import FloatArray, MeterRate
from tokenergy.units import KG_PER_T

CARBON_PRICE = "carbon_price"
"""Stands for a contract in rates: nobody bills it."""


def carbon_rates(company: Company, inputs: Inputs, total_count: int) -> tuple[MeterRate, ...]:
    """Return the rate that the company's carbon price puts on each site's imports.

    A site that does not state what the ledger needs has none: `check` tells it.
    """
    if company.carbon_price is None:
        return ()
    ledger, usd_per_kg = company.carbon_price.ledger, company.carbon_price.usd_per_t / KG_PER_T
    rates = []
    for at, site in enumerate(company.sites):
        kg_per_mwh = grid_kg_per_mwh(site, inputs, ledger)
        if kg_per_mwh is not None:
            rates.append(
                MeterRate(
                    contract_id=CARBON_PRICE,
                    component=ledger,
                    site=at,
                    kind="cfe",
                    import_usd_per_mwh=usd_per_kg * kg_per_mwh[:total_count],
                    export_usd_per_mwh=np.zeros(total_count),
                )
            )
    return tuple(rates)


def fuel_carbon_usd_per_mwh(plant: OnSite, company: Company) -> float:
    """Return what the company's carbon price puts on a plant's MWh, whatever its ledger.

    What a company burns is its own in each of the three; a plant that does not state what its
    fuel emits has none: `check` tells it.
    """
    if company.carbon_price is None or plant.fuel_kg_per_mmbtu is None:
        return 0.0
    kg_per_mwh = plant.heat_rate_mmbtu_per_mwh * plant.fuel_kg_per_mmbtu
    return kg_per_mwh * company.carbon_price.usd_per_t / KG_PER_T


def grid_kg_per_mwh(site: Site, inputs: Inputs, ledger: CarbonLedger) -> FloatArray | None:
    """Return what an imported MWh adds to a ledger [T]; None where the file does not say."""
    if site.carbon is None:
        return None
    average = inputs.series[f"{site.name}.average_kg_per_mwh"]
    if ledger == "location":
        return average
    if ledger == "market":
        residual = site.carbon.residual_kg_per_mwh
        return average if residual is None else np.full(average.size, residual)
    return inputs.series.get(f"{site.name}.marginal_kg_per_mwh")
