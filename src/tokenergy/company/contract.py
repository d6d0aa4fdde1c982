"""How the company pays for power: the kinds of contract, told apart by `kind`."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share
from tokenergy.company.series import SeriesSource

LATER_KINDS = frozenset(
    {
        "ppa_baseload", "ppa_virtual", "proxy_generation", "proxy_revenue_swap", "sleeved",
        "cfe", "colocation", "on_site", "demand_response", "rec",
    }
)  # fmt: skip
"""Contract words of the house that this version refuses by name instead of ignoring."""


class _Contract(Noun):
    id: Name
    """Name of the contract in bills and ledgers."""
    site: Name
    """The site whose meter it serves."""
    start: date | None = None
    """First day of delivery; null: before the horizon."""
    end: date | None = None
    """First day after delivery; null: after the horizon."""
    currency: str | None = None
    """Must be the company's own currency when given."""

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"the term ends on {self.end}, not after its start {self.start}")
        return self


class Spot(_Contract):
    """Buy and sell at the market's price: the residual of every site is settled here, once."""

    kind: Literal["spot"]
    adder_usd_per_mwh: float = 0.0
    """Supplier's margin, grid energy charge and levies on each MWh bought."""
    loss_share: Annotated[float, Field(ge=0.0, lt=0.5)] = 0.0
    """Losses between the price's node and the meter: bought as (1 + loss)."""
    resale_spread_usd_per_mwh: NonNegative = 0.0
    """What resale earns less than the spot price."""


class _Delivery(_Contract):
    """What delivers MWh at a strike."""

    strike_usd_per_mwh: float
    """Price of each MWh delivered, or paid for as if it were."""
    delivery: Literal["grid", "behind_the_meter"] = "grid"
    """Over the grid connection, or on the site's side of its meter."""
    escalator_share_per_year: float = Field(default=0.0, ge=-0.5, le=0.5)
    """Growth of the strike per full contract year."""

    @model_validator(mode="after")
    def _escalator_has_a_start(self) -> Self:
        if self.escalator_share_per_year and self.start is None:
            raise ValueError("an escalator counts contract years: state the contract's start")
        return self


class Block(_Delivery):
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


class PpaAsProduced(_Delivery):
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


Contract = Annotated[Spot | Block | PpaAsProduced, Field(discriminator="kind")]
