"""How wrong a plan can be: what each plan costs in each world, its spread, tail and worst regret.

A plan is made for one world and its sizes are held in every other. Its regret in a world is what it
costs there beyond the best plan known for that world; the careful choice is the plan whose worst
regret is least. Costs are sums over the horizon in USD; infinite where a plan's sizes cannot carry
what a world asks of them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.errors import InputError

TAIL_SHARE: Final = 0.95
"""CVaR95: the mean cost of the worst twentieth."""
LOW_SHARE: Final = 0.10
HIGH_SHARE: Final = 0.90
TIED_SHARE: Final = 1e-6
"""Worst regrets that differ by less than this share of the cost are ties."""


def quantile(values: FloatArray, shares: FloatArray, level_share: float) -> float:
    """Return the least value that is not exceeded with at least this probability.

    Args:
        values: by world [W].
        shares: how likely each is [W]; they sum to 1.
        level_share: 0.1 for P10.
    """
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(shares[order])
    at = int(np.searchsorted(reached, level_share - 1e-12))
    return float(values[order][min(at, values.size - 1)])


def tail_mean(values: FloatArray, shares: FloatArray, level_share: float = TAIL_SHARE) -> float:
    """Return the mean of the worst `1 - level_share` of the probability: CVaR.

    A world that lies across the edge of the tail counts with the part of it that lies inside, as
    Rockafellar and Uryasev define it for discrete outcomes (2002).
    """
    order = np.argsort(values, kind="stable")[::-1]
    left = 1.0 - level_share
    inside = np.diff(np.minimum(np.cumsum(shares[order]), left), prepend=0.0)
    counted = inside > 0.0
    return float((inside[counted] @ values[order][counted]) / inside.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A cost over worlds, USD.

    Attributes:
        mean_usd: weighted by how likely each world is.
        p10_usd, p90_usd: not exceeded in a tenth, in nine tenths of the probability.
        cvar95_usd: mean of the worst twentieth of the probability.
        worst_usd: in the dearest world, however unlikely.
    """

    mean_usd: float
    p10_usd: float
    p90_usd: float
    cvar95_usd: float
    worst_usd: float


def spread_of(costs_usd: FloatArray, shares: FloatArray) -> Spread:
    """Return the spread of a cost over worlds of these probabilities [W]."""
    likely = shares > 0.0
    return Spread(
        mean_usd=float(shares[likely] @ costs_usd[likely]),
        p10_usd=quantile(costs_usd, shares, LOW_SHARE),
        p90_usd=quantile(costs_usd, shares, HIGH_SHARE),
        cvar95_usd=tail_mean(costs_usd, shares),
        worst_usd=float(costs_usd.max()),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regrets:
    """What plans cost and regret in each other's worlds.

    Attributes:
        names: of the worlds; plan `p` was made for world `p`.
        shares: how likely each world is [W].
        costs_usd: of plan p in world w [P, W].
        best_usd: the least known cost of each world [W]: its own plan's, unless another one lies
            within that plan's gap.
        regret_usd: costs less the best [P, W].
        spreads: of each plan's cost over the worlds.
        careful: names of the plans whose worst regret is least, the one of least mean cost first;
            more than one only where they tie, none where every plan fails in some world.
        cheapest: names of the plans of least mean cost, ties included.
    """

    names: tuple[str, ...]
    shares: FloatArray
    costs_usd: FloatArray
    best_usd: FloatArray
    regret_usd: FloatArray
    spreads: tuple[Spread, ...]
    careful: tuple[str, ...]
    cheapest: tuple[str, ...]

    @property
    def worst_regret_usd(self) -> FloatArray:
        """Return the worst regret of each plan over all worlds [P]."""
        return np.asarray(self.regret_usd.max(axis=1))

    @property
    def mean_regret_usd(self) -> FloatArray:
        """Return the mean regret of each plan, weighted by how likely the worlds are [P]."""
        likely = self.shares > 0.0
        return np.asarray(self.regret_usd[:, likely] @ self.shares[likely])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a JSON-ready mapping; a cost that no size can carry is None."""
        return {
            "worlds": list(self.names),
            "probability_shares": self.shares.tolist(),
            "best_usd": _finite(self.best_usd),
            "careful": list(self.careful),
            "cheapest": list(self.cheapest),
            "plans": [
                {
                    "plan": name,
                    "costs_usd": _finite(self.costs_usd[at]),
                    "regret_usd": _finite(self.regret_usd[at]),
                    "worst_regret_usd": _finite(self.worst_regret_usd[at : at + 1])[0],
                    "mean_regret_usd": _finite(self.mean_regret_usd[at : at + 1])[0],
                    **{
                        key: value if np.isfinite(value) else None
                        for key, value in asdict(self.spreads[at]).items()
                    },
                }
                for at, name in enumerate(self.names)
            ],
        }


def regrets_of(names: Sequence[str], costs_usd: FloatArray, shares: FloatArray) -> Regrets:
    """Return the regrets of plans in each other's worlds.

    Args:
        names: of the worlds, in the order of both axes.
        costs_usd: of plan p in world w [P, W]; infinite where its sizes cannot carry the world.
        shares: how likely each world is [W]; they sum to 1.

    Raises:
        InputError: if the shapes differ, a cost is no number, or some world has no plan that can
            carry it.
    """
    count = len(names)
    costs_usd = np.asarray(costs_usd, dtype=float)
    if costs_usd.shape != (count, count) or shares.shape != (count,):
        raise InputError(
            f"{count} worlds need {count} x {count} costs and {count} shares, not "
            f"{costs_usd.shape} and {shares.shape}"
        )
    if np.isnan(costs_usd).any() or np.isneginf(costs_usd).any():
        raise InputError("a plan's cost in a world is no number")
    best_usd = costs_usd.min(axis=0)
    lost = [name for name, usd in zip(names, best_usd, strict=True) if not np.isfinite(usd)]
    if lost:
        raise InputError(f"no plan can carry the world {', '.join(lost)}")
    regret_usd = costs_usd - best_usd
    spreads = tuple(spread_of(row, shares) for row in costs_usd)
    mean_usd = np.array([spread.mean_usd for spread in spreads])
    near_usd = TIED_SHARE * max(1.0, float(np.abs(best_usd).max()))
    worst_usd = regret_usd.max(axis=1)
    careful = sorted(_tied(worst_usd, near_usd), key=lambda at: (mean_usd[at], at))
    return Regrets(
        names=tuple(names),
        shares=shares,
        costs_usd=costs_usd,
        best_usd=best_usd,
        regret_usd=regret_usd,
        spreads=spreads,
        careful=tuple(names[at] for at in careful),
        cheapest=tuple(names[at] for at in _tied(mean_usd, near_usd)),
    )


def _tied(values: FloatArray, near_usd: float) -> list[int]:
    """Return the places of the least value, ties included; none where it is infinite."""
    least = values.min()
    return [
        at for at, value in enumerate(values) if np.isfinite(value) and value - least <= near_usd
    ]


def _finite(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
