"""Power on the site's own side of its meter: a neighbour's generator, or a plant of one's own."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.contract_base import ContractBase, Escalating
from tokenergy.company.noun import NonNegative, Positive, Share
from tokenergy.company.series import SeriesSource


class Colocation(Escalating):
    """A generator next door: its power comes without the grid, the grid stands by."""

    kind: Literal["colocation"]
    project_mw: Positive
    """Nameplate of the generator."""
    profile: SeriesSource
    """Output as a share of nameplate, 0 to 1."""
    take_or_pay: bool = True
    """Whether all output is paid, taken or not."""
    standby_mw: NonNegative
    """Grid power that stands by: the most that may be imported during the term."""
    standby_usd_per_kw_month: NonNegative = 0.0
    """What standing by costs per kW and calendar month, billed whole."""
    backup_adder_usd_per_mwh: float = 0.0
    """What imported power costs more than the spot contract says."""
    export_limit_mw: NonNegative = 0.0
    """Most power that may leave over the meter during the term."""


class OnSite(ContractBase):
    """A gas turbine, a fuel cell or a genset behind the meter."""

    kind: Literal["on_site"]
    capacity_mw: Positive
    """Most power that it gives."""
    heat_rate_mmbtu_per_mwh: NonNegative
    """Fuel for a MWh, in million British thermal units."""
    fuel_usd_per_mmbtu: SeriesSource
    """Price of fuel."""
    fuel_kg_per_mmbtu: NonNegative | None = None
    """CO2 of burning it (natural gas: 53.06, EIA 2024); null: the plant's carbon is unknown."""
    vom_usd_per_mwh: NonNegative = 0.0
    """Variable operation and maintenance."""
    min_load_share: Share = 0.0
    """Least output while it runs, as a share of capacity; with a start cost, it makes the program
    one with whole numbers."""
    start_usd: NonNegative = 0.0
    """Cost of a start."""
    permit_h_per_year: NonNegative | None = Field(default=None, le=8784.0)
    """Hours a calendar year that its air permit lets it run; null: no limit."""
    initially_on: bool = False
    """Whether it runs when the horizon begins."""
    hours_used_h: NonNegative = 0.0
    """Permit hours of the year that were used before the horizon."""
    price_usd_per_kw: NonNegative | None = None
    """Purchase price per kW; only in full cost."""
    life_y: Positive = 20.0
    """Years over which it is written off; 20 is an assumption."""

    @model_validator(mode="after")
    def _fuel_costs(self) -> Self:
        if isinstance(self.fuel_usd_per_mmbtu, float) and self.fuel_usd_per_mmbtu < 0.0:
            raise ValueError(f"fuel_usd_per_mmbtu {self.fuel_usd_per_mmbtu:g} is below 0")
        return self

    @property
    def commits(self) -> bool:
        """Whether to run it is a yes or no: it has a least output or a cost of starting."""
        return self.min_load_share > 0.0 or self.start_usd > 0.0
