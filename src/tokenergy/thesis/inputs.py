"""What the experiments stand on: the catalogue, published figures, ranges, and price series."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.preset import Preset, Range
from tokenergy.synthetic.climate import ZoneClimate

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HourlyPrices:
    """Hourly prices of several zones over the same hours, USD/MWh [T] by zone.

    Attributes:
        start: first moment (aware, UTC).
        source: where they are from, in words.
        synthetic: whether a seeded generator made them: then nothing is evidence.
    """

    start: datetime
    usd_per_mwh: Mapping[str, FloatArray]
    source: str
    synthetic: bool

    @property
    def hours_count(self) -> int:
        """Number of hours."""
        return len(next(iter(self.usd_per_mwh.values())))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThesisInputs:
    """Everything that the experiments read.

    Attributes:
        catalogue: accelerators, models, coefficients.
        presets: published figures, by preset and fact.
        ranges: sourced ranges that the draws are taken from, by name.
        prices: a year or less of hourly prices of at least three zones.
        seed: of everything drawn.
        climates: zones of the synthetic feed, by name: price years beyond those of `prices`.
    """

    catalogue: Catalogue
    presets: tuple[Preset, ...]
    ranges: Mapping[str, Range]
    prices: HourlyPrices
    seed: int = 1
    climates: Mapping[str, ZoneClimate] = field(default_factory=dict)

    def preset(self, preset: str, fact: str) -> Preset:
        """Return a published figure.

        Raises:
            KeyError: if the package ships no such figure: a fault of ours.
        """
        for row in self.presets:
            if (row.preset, row.fact) == (preset, fact):
                return row
        raise KeyError(f"no preset {preset}.{fact}")
