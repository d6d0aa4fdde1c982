"""What it would change if a tier were worth half, or double (dispatch sheet, section 1)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import State, World

FACTORS = (0.5, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """The fate of a tier's work in a window at another value, beside that at its own.

    `factor_ratio` multiplies the tier's value; the other tiers keep theirs.
    """

    tier: str
    factor_ratio: float
    served_mtok: float
    downgraded_mtok: float
    refused_mtok: float
    own_served_mtok: float
    own_downgraded_mtok: float
    own_refused_mtok: float

    def to_dict(self) -> dict[str, Any]:
        """Return the change as a JSON-ready mapping."""
        return asdict(self)


def value_changes(
    world: World,
    window: Window,
    state: State,
    optimum: Optimum,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[ValueChange, ...]:
    """Re-solve a window with each tier's value halved and doubled.

    Args:
        world: the company as arrays.
        window: the window's numbers.
        state: what the past left.
        optimum: the window solved at the tiers' own values.
        on_progress: told (done, of).
    """
    tiers = tuple(dict.fromkeys(load.tier for load in world.workloads))
    cases = [(tier, factor) for tier in tiers for factor in FACTORS]
    found = []
    basis: Any = None  # of the case before: only costs differ, so each begins where that ended
    for done, (tier, factor) in enumerate(cases):
        loads = tuple(
            replace(load, value_usd_per_mtok=load.value_usd_per_mtok * factor)
            if load.tier == tier
            else load
            for load in world.workloads
        )
        held = WindowModel(replace(world, workloads=loads), window, state)
        if basis is not None:
            held.model.restore(basis)
        changed = held.solved(window)
        basis = held.model.basis()
        served, downgraded, refused = _fate(world, changed, tier)
        own = _fate(world, optimum, tier)
        found.append(
            ValueChange(
                tier=tier,
                factor_ratio=factor,
                served_mtok=served,
                downgraded_mtok=downgraded,
                refused_mtok=refused,
                own_served_mtok=own[0],
                own_downgraded_mtok=own[1],
                own_refused_mtok=own[2],
            )
        )
        if on_progress is not None:
            on_progress(done + 1, len(cases))
    return tuple(found)


def _fate(world: World, optimum: Optimum, tier: str) -> tuple[float, float, float]:
    """Return served, downgraded and refused Mtok of a tier over a window."""
    served, refused = optimum.value("serve").sum(axis=0), optimum.value("refused").sum(axis=0)
    total = lesser = 0.0
    for route, mtok in zip(world.routes, served, strict=True):
        load = world.workloads[route.workload]
        if load.tier == tier:
            total += float(mtok)
            lesser += float(mtok) if route.quality_share < load.asked_quality_share else 0.0
    lost = sum(float(refused[at]) for at, load in enumerate(world.workloads) if load.tier == tier)
    return total, lesser, lost
