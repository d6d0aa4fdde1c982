"""What every power contract says: its name, its site, its term, its money."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tokenergy.company.noun import Name, Noun, UtcDatetime

Year = Annotated[int, Field(ge=1990, le=2100)]


class PowerEvent(Noun):
    """A span `[start, end)` in which something is asked of a meter, or measured at it."""

    start: UtcDatetime
    """First moment, with its zone."""
    end: UtcDatetime
    """First moment after it, with its zone."""

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"the event ends at {self.end}, not after its start {self.start}")
        return self


class ContractBase(Noun):
    """The fields that contracts share."""

    id: Name
    """Name of the contract in bills and ledgers."""
    site: Name
    """The site whose meter it serves, or whose load it hedges."""
    start: date | None = None
    """First day of the term; null: before the horizon."""
    end: date | None = None
    """First day after the term; null: after the horizon."""
    currency: str | None = None
    """Must be the company's own currency when given."""
    price_year: Year | None = None
    """Year in whose money the prices are, for the reader; nothing is converted."""
    successor: Name | None = None
    """The contract that follows at its end: without one, a term that ends within the horizon is
    told as a finding."""

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"the term ends on {self.end}, not after its start {self.start}")
        return self


class Escalating(ContractBase):
    """What has a strike that grows with the contract's years."""

    strike_usd_per_mwh: float
    """Price of each MWh of the contract."""
    escalator_share_per_year: float = Field(default=0.0, ge=-0.5, le=0.5)
    """Growth of the strike per full contract year."""

    @model_validator(mode="after")
    def _escalator_has_a_start(self) -> Self:
        if self.escalator_share_per_year and self.start is None:
            raise ValueError("an escalator counts contract years: state the contract's start")
        return self


class Delivery(Escalating):
    """What delivers MWh at a strike."""

    delivery: Literal["grid", "behind_the_meter"] = "grid"
    """Over the grid connection, or on the site's side of its meter."""
