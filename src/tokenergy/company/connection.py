"""The grid connection beyond one figure: non-firm megawatts, and an import price in steps."""

from datetime import date
from typing import Self

from pydantic import Field, model_validator

from tokenergy.company.contract_base import PowerEvent
from tokenergy.company.noun import NonNegative, Noun, Positive


class RampStep(Noun):
    """Megawatts from a date on: each step stands until the next."""

    start: date
    mw: NonNegative


class NonFirm(Noun):
    """Megawatts that the grid may take back: import <= firm + non-firm x what is available.

    The two together are the site's `import_limit_mw`.
    """

    firm_mw: NonNegative
    """What is always there."""
    nonfirm_mw: Positive
    """What may be curtailed."""
    events: tuple[PowerEvent, ...] = ()
    """When it was, or will be."""
    available_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the non-firm megawatts that is left in an event."""
    cap_h_per_year: NonNegative | None = Field(default=None, le=8784.0)
    """Hours a calendar year that may be curtailed: events beyond bind nobody; null: no limit."""
    notice_h: NonNegative = 0.0
    """How long before its start an event is announced."""


class ImportStep(Noun):
    """What power costs more from a level on: a large load moves the price of its node."""

    up_to_mw: Positive | None = None
    """Bought power up to which the step holds; null (the last step): without end."""
    adder_usd_per_mwh: NonNegative
    """On top of the spot contract, for each MWh bought within the step."""


class ImportSteps(Noun):
    """Steps that rise; falling ones would need whole numbers."""

    steps: tuple[ImportStep, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        limits = [step.up_to_mw for step in self.steps]
        if any(limit is None for limit in limits[:-1]) or limits[-1] is not None:
            raise ValueError("every step but the last needs up_to_mw, and the last has none")
        known = [limit for limit in limits if limit is not None]
        if known != sorted(set(known)):
            raise ValueError(f"up_to_mw must rise from step to step: {known}")
        adders = [step.adder_usd_per_mwh for step in self.steps]
        if adders != sorted(adders):
            raise ValueError(f"adder_usd_per_mwh must not fall from step to step: {adders}")
        return self
