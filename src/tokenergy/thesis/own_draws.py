"""The draws of T6: other prices and strikes, chosen and held on all mixes in tenths, by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.thesis.draws import between, drawn
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.own_fared import SINGLES, holds, taken
from tokenergy.thesis.price_years import Lattice, Offers
from tokenergy.thesis.thresholds import DRAWS_COUNT

OWN_RANGES: Final = {"premium_share": (-0.05, 0.15), "spread_usd_per_mwh": (0.5, 10.0)}
"""Ranges of this experiment alone: assumptions."""
DRAWN: Final = ("usd_per_mwh", "own_usd_per_mwh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """In how many draws the claim holds, and which single choice was best how often."""

    count: int
    holds_share: float
    mixed_share: float
    best_share: Mapping[str, float]


def draws_of(inputs: ThesisInputs, lattice: Lattice, planned: int) -> Drawn:
    """Choose and hold on the lattice of mixes, at drawn offers."""
    dice = np.random.default_rng([inputs.seed, 6])
    levels = drawn(dice, inputs.ranges, ("usd_per_mwh",), count=DRAWS_COUNT)["usd_per_mwh"]
    wind, solar = (
        drawn(dice, inputs.ranges, ("own_usd_per_mwh",), count=DRAWS_COUNT)["own_usd_per_mwh"]
        for _ in range(2)
    )
    own = {
        name: between(dice, low_quantity=low, high_quantity=high, count=DRAWS_COUNT)
        for name, (low, high) in OWN_RANGES.items()
    }
    held = mixed = 0
    best_count = dict.fromkeys(SINGLES, 0)
    for at in range(DRAWS_COUNT):
        offers = Offers(
            level_usd_per_mwh=float(levels[at]),
            wind_usd_per_mwh=float(wind[at]),
            solar_usd_per_mwh=float(solar[at]),
            premium_share=float(own["premium_share"][at]),
            spread_usd_per_mwh=float(own["spread_usd_per_mwh"][at]),
        )
        mix, best = taken(lattice, offers, planned)
        held += holds(mix, best)
        mixed += sum(share > 0.0 for share in mix.shares.values()) > 1
        best_count[best.name] += 1
    return Drawn(
        count=DRAWS_COUNT,
        holds_share=held / DRAWS_COUNT,
        mixed_share=mixed / DRAWS_COUNT,
        best_share={name: count / DRAWS_COUNT for name, count in best_count.items()},
    )
