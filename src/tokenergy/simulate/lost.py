"""What refused and downgraded work would have been worth, by tier."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.world import World
from tokenergy.simulate.run import Run

SAID_USD = 0.005
"""Less than half a cent is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The worth of what a tier lost."""

    refused_usd: float
    downgraded_usd: float


def lost_by_tier(world: World, run: Run) -> dict[str, Lost]:
    """Return what each tier lost over a run; the sums are the account's refused and downgraded."""
    value = np.array([load.value_usd_per_mtok for load in world.workloads])
    refused = value * run.refused_mtok.sum(axis=1)
    worse = quality_loss_usd_per_mtok(world) * run.serve_mtok.sum(axis=1)
    found: dict[str, Lost] = {}
    for tier in dict.fromkeys(load.tier for load in world.workloads):
        loads = [at for at, load in enumerate(world.workloads) if load.tier == tier]
        routes = [at for at, route in enumerate(world.routes) if route.workload in loads]
        found[tier] = Lost(
            refused_usd=float(refused[loads].sum()), downgraded_usd=float(worse[routes].sum())
        )
    return found


def broken_names(world: World) -> tuple[str, ...]:
    """Return what is out for a while in a world: outages and curtailments, each once."""
    names = [each.name for each in world.cuts]
    names += [loss.name for loss in world.losses if not loss.comes]
    return tuple(dict.fromkeys(names))


def outage_sentence(names: tuple[str, ...], policy: str, lost: Mapping[str, Lost]) -> str:
    """Say what broke and what a policy lost, in USD."""
    told = [
        f"{tier} {each.refused_usd:,.0f} USD refused and {each.downgraded_usd:,.0f} USD downgraded"
        for tier, each in lost.items()
        if max(each.refused_usd, each.downgraded_usd) > SAID_USD
    ]
    return f"With {', '.join(names)} out for a while {policy} lost: {'; '.join(told) or 'nothing'}."
