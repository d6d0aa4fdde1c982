"""What a choice of contracts costs on planned and on other years, and when a mix beats a single."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.plan.regret import tail_mean
from tokenergy.thesis.price_years import CONTRACTS, Lattice, Offers
from tokenergy.thesis.thresholds import OWN_LOWER_LEAST_SHARE

SINGLES: Final = ("market", *CONTRACTS)
MIX: Final = "mix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """What a choice costs, USD a year.

    Attributes:
        name: of the choice.
        shares: part of what is used that each contract delivers, by its name.
        planned_usd, planned_cvar95_usd: mean and tail over the years that were chosen on.
        held_usd, held_cvar95_usd: over the others.
    """

    name: str
    shares: Mapping[str, float]
    planned_usd: float
    planned_cvar95_usd: float
    held_usd: float
    held_cvar95_usd: float

    @classmethod
    def of(
        cls, name: str, shares: FloatArray, planned_usd: FloatArray, held_usd: FloatArray
    ) -> "Fared":
        """Sum up the costs of years."""
        return cls(
            name=name,
            shares=dict(zip(CONTRACTS, shares.tolist(), strict=True)),
            planned_usd=float(planned_usd.mean()),
            planned_cvar95_usd=tail_usd(planned_usd),
            held_usd=float(held_usd.mean()),
            held_cvar95_usd=tail_usd(held_usd),
        )


def tail_usd(costs_usd: FloatArray) -> float:
    """Return CVaR95 over years that are all as likely."""
    return tail_mean(costs_usd, np.full(costs_usd.size, 1.0 / costs_usd.size))


def holds(mix: Fared, best: Fared) -> bool:
    """Tell whether a mix costs no more than the best single choice, and less or is calmer."""
    return beats(mix.held_usd, mix.held_cvar95_usd, best.held_usd, best.held_cvar95_usd)


def beats(mix_usd: float, mix_tail_usd: float, best_usd: float, best_tail_usd: float) -> bool:
    """Tell whether a mix costs no more, and less or with a lower tail, by more than rounding."""
    near_usd, near_tail_usd = (
        OWN_LOWER_LEAST_SHARE * abs(usd) for usd in (best_usd, best_tail_usd)
    )
    lower = mix_usd < best_usd - near_usd
    calmer = mix_tail_usd < best_tail_usd - near_tail_usd
    return lower or (mix_usd <= best_usd + near_usd and calmer)


def calmest(lattice: Lattice, offers: Offers, planned: int, *, most_usd: float) -> Fared:
    """Return the mix, in tenths, of least CVaR95 on the planned years that costs at most so much.

    Where every mix costs more, the cheapest.
    """
    costs = lattice.costs_usd(offers)
    means = costs[:planned].mean(axis=0)
    able = np.flatnonzero(means <= max(most_usd, float(means.min())))
    at = min(able.tolist(), key=lambda mix: tail_usd(costs[:planned, mix]))
    return Fared.of("calm", lattice.shares[at], costs[:planned, at], costs[planned:, at])


def taken(lattice: Lattice, offers: Offers, planned: int) -> tuple[Fared, Fared]:
    """Return the mix, in tenths, of least mean cost on the planned years, and the best single."""
    costs = lattice.costs_usd(offers)
    means = costs[:planned].mean(axis=0)
    at = {
        name: int(np.flatnonzero(here)[means[here].argmin()])
        for name, here in lattice.places().items()
    }
    single = min(SINGLES, key=lambda name: means[at[name]])
    mix, best = (
        Fared.of(
            name, lattice.shares[at[name]], costs[:planned, at[name]], costs[planned:, at[name]]
        )
        for name, k in ((MIX, at[MIX]), (single, at[single]))
    )
    return mix, best
