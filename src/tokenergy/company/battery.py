"""A store of energy behind one site's meter."""

from typing import Annotated

from pydantic import Field

from tokenergy.company.noun import Name, NonNegative, Noun, Positive, Share

Efficiency = Annotated[float, Field(gt=0.0, le=1.0)]


class Battery(Noun):
    """What a battery can do: `energy = energy + charge_eff charge - discharge / discharge_eff`."""

    name: Name
    site: Name
    power_mw: Positive
    """Most power in or out, at its terminals."""
    capacity_mwh: Positive
    """Energy that can be stored."""
    charge_eff_share: Efficiency = 0.95
    """Of what is charged, the share that is stored; 0.95 is an assumption."""
    discharge_eff_share: Efficiency = 0.95
    """Of what leaves the store, the share that comes out; 0.95 is an assumption."""
    cycle_usd_per_mwh_discharged: NonNegative = 0.0
    """Wear, per MWh that comes out."""
    initial_share: Share = 0.5
    """Stored energy at the start of the horizon, as a share of capacity."""
    price_usd_per_kwh: NonNegative | None = None
    """Purchase price per kWh of capacity; only in full cost."""
    life_y: Positive = 15.0
    """Years over which it is written off; 15 is an assumption."""
