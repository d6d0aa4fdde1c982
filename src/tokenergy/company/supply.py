"""Contracts that deliver power, and those that only pay its price: the kinds of supply."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.contract_base import ContractBase, Delivery, Escalating
from tokenergy.company.noun import NonNegative, Positive, Share
from tokenergy.company.series import SeriesSource


class Spot(ContractBase):
    """Buy and sell at the market's price: the residual of every site is settled here, once."""

    kind: Literal["spot"]
    adder_usd_per_mwh: float = 0.0
    """Supplier's margin, grid energy charge and levies on each MWh bought."""
    loss_share: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    """Losses between the price's node and the meter: bought as (1 + loss)."""
    resale_spread_usd_per_mwh: NonNegative = 0.0
    """What resale earns less than the spot price."""


class Block(Delivery):
    """A fixed volume at a fixed price, delivered whether it is needed or not."""

    kind: Literal["block"]
    contract_mw: Positive
    """Power in each hour of delivery."""
    from_hour: int = Field(default=0, ge=0, le=23)
    """First local hour of delivery in the market's time zone."""
    to_hour: int = Field(default=24, ge=1, le=24)
    """First local hour after delivery."""
    weekdays_only: bool = False
    """Whether nothing is delivered on Saturday and Sunday."""

    @model_validator(mode="after")
    def _some_hours(self) -> Self:
        if self.from_hour >= self.to_hour:
            raise ValueError(f"from_hour {self.from_hour} must lie before to_hour {self.to_hour}")
        return self


class PpaAsProduced(Delivery):
    """A share of what a wind or solar project makes, at a strike, as it makes it."""

    kind: Literal["ppa_as_produced"]
    project_mw: Positive
    """Nameplate of the project."""
    share: Share = 1.0
    """The buyer's share of its output."""
    profile: SeriesSource
    """Output as a share of nameplate, 0 to 1."""
    may_curtail: bool = False
    """Whether the buyer may refuse output."""
    deemed_generation: bool = False
    """Whether refused output is paid as if it had been made."""
    negative_price_clause: Literal["none", "pay", "no_pay"] = "none"
    """Below a spot price of 0: `none` runs on; `pay` stops and pays; `no_pay` stops, unpaid."""
    annual_mwh: Positive | None = None
    """Volume of a contract year that the minimum take is a share of."""
    min_take_share: Share = 0.0
    """Share of `annual_mwh` that is paid in each contract year even if less was taken."""
    taken_before_mwh: NonNegative = 0.0
    """Taken or paid for in the running contract year before the horizon."""

    @model_validator(mode="after")
    def _minimum_of_something(self) -> Self:
        if self.min_take_share and (self.annual_mwh is None or self.start is None):
            raise ValueError("min_take_share needs annual_mwh and the contract's start")
        if self.min_take_share and not self.may_curtail:
            raise ValueError("min_take_share says nothing where may_curtail is false")
        return self


class PpaBaseload(Delivery):
    """A constant or shaped power that the seller owes, with a penalty for what is missing."""

    kind: Literal["ppa_baseload"]
    contract_mw: Positive
    """Contracted power; with `shape`, what its 1 stands for."""
    shape: SeriesSource = 1.0
    """Contracted power as a share of `contract_mw`, 0 to 1."""
    shortfall: SeriesSource = 0.0
    """What the seller fails to deliver, as a share of the contracted power, 0 to 1."""
    shortfall_penalty_usd_per_mwh: NonNegative = 0.0
    """What the seller pays for each MWh missing, which is not billed either."""


class PpaVirtual(Escalating):
    """A contract for difference on a share of a project's output: money alone, no power."""

    kind: Literal["ppa_virtual"]
    project_mw: Positive
    """Nameplate of the project."""
    share: Share = 1.0
    """The buyer's share of its output."""
    profile: SeriesSource
    """Output as a share of nameplate, 0 to 1."""
    hub_price: SeriesSource
    """Price at the contract's settlement point in USD/MWh; the basis to the site's own price
    stays with the buyer."""
    floor_usd_per_mwh: float | None = None
    """Hub prices below count as this."""
    cap_usd_per_mwh: float | None = None
    """Hub prices above count as this."""
    zero_volume_below_usd_per_mwh: float | None = None
    """Intervals with a hub price below are not settled at all."""

    @model_validator(mode="after")
    def _floor_below_cap(self) -> Self:
        low, high = self.floor_usd_per_mwh, self.cap_usd_per_mwh
        if low is not None and high is not None and low > high:
            raise ValueError(f"the floor {low:g} USD/MWh lies above the cap {high:g} USD/MWh")
        return self
