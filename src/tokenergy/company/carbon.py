"""Carbon in three ledgers that are never mixed, and which of them, if any, has a price."""

from typing import Literal

from tokenergy.company.noun import NonNegative, Noun
from tokenergy.company.series import SeriesSource

CarbonLedger = Literal["location", "market", "marginal"]
"""`location`: what the grid emits on average where power is drawn. `market`: what contracts and
certificates say, the rest at the residual mix. `marginal`: what one MWh more makes the grid
emit."""


class SiteCarbon(Noun):
    """What a MWh from the grid emits at a site."""

    average_kg_per_mwh: SeriesSource
    """Average emissions of the grid's mix, by interval."""
    marginal_kg_per_mwh: SeriesSource | None = None
    """Emissions of the plant that one MWh more calls; null: this site has no marginal ledger."""
    residual_kg_per_mwh: NonNegative | None = None
    """Emissions of what nobody has claimed (market ledger); null: the average."""


class CarbonPrice(Noun):
    """The company's own price of carbon: it moves decisions, and no bill."""

    ledger: CarbonLedger
    """The one ledger that it is counted through."""
    usd_per_t: NonNegative
    """USD per tonne of CO2 equivalent."""
