"""Clean power as a promise by the hour (24/7 CFE), and as a certificate by the MWh (REC)."""

from typing import Literal, Self

from pydantic import model_validator

from tokenergy.company.contract_base import ContractBase, Year
from tokenergy.company.noun import Name, NonNegative, Share
from tokenergy.company.series import SeriesSource


class Cfe(ContractBase):
    """Match a share of the load, hour by hour, with clean power that is there in that hour."""

    kind: Literal["cfe"]
    target_share: Share
    """Share of the period's load that is matched in its own hour."""
    premium_usd_per_mwh: NonNegative = 0.0
    """What a matched MWh costs more; no more than the target is billed."""
    sources: tuple[Name, ...]
    """Ids of contracts of the same site whose output counts; clean by the company's own word."""
    period: Literal["month", "year"] = "year"
    """The span, in the market's own time, over which the share is taken."""
    grid_cfe_share: SeriesSource = 0.0
    """Clean share of what is bought from the grid, by hour; 0 unless stated."""
    shortfall_usd_per_mwh: NonNegative | None = None
    """What a MWh short of the target costs; null: the target is kept or the program fails."""
    planned_usd_per_mwh: NonNegative | None = None
    """What a matched MWh is planned to be worth while its period goes on after what dispatch
    sees; null: what the weeks before the horizon would have paid for it, or the shortfall's
    price."""

    @model_validator(mode="after")
    def _missing_costs_more_than_matching(self) -> Self:
        missing_usd = self.shortfall_usd_per_mwh
        if missing_usd is not None and missing_usd < self.premium_usd_per_mwh:
            raise ValueError(
                f"shortfall_usd_per_mwh {missing_usd:g} lies below premium_usd_per_mwh "
                f"{self.premium_usd_per_mwh:g}: it would pay to match nothing"
            )
        return self

    @model_validator(mode="after")
    def _something_clean(self) -> Self:
        if not self.sources and self.grid_cfe_share == 0.0:
            raise ValueError("a CFE contract without sources and grid_cfe_share matches nothing")
        return self


class Rec(ContractBase):
    """Certificates: a share of the load in a year, whatever the hour; no hourly score rises."""

    kind: Literal["rec"]
    price_usd_per_mwh: NonNegative
    """Price of an unbundled certificate of one MWh."""
    load_share: Share
    """Share of the site's load that certificates must cover, over each calendar year."""
    bundled: tuple[Name, ...] = ()
    """Ids of contracts of the same site whose output comes with its certificates."""
    vintage_year: Year | None = None
    """Year in which the power was made; null: that of the load."""
