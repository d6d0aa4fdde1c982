"""What it costs that tiers survive the loss of any one site, and where that cannot be had."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.dispatch.solve import Optimum, WindowModel
from tokenergy.dispatch.terms.survival import SHORT, Survival, short_usd_per_mtok
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, State, World

LEAST_SHARE = 1e-6
"""Uncovered work below this share of what is asked is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalPremium:
    """A window with the promise and without it.

    Attributes:
        tiers: those that promise it.
        with_usd, without_usd: what the window costs; where it cannot hold in full, with as much of
            it as can be had.
        hours_h: length of the window.
        findings: one for each tier and site without which it cannot be served.
    """

    tiers: tuple[str, ...]
    with_usd: float
    without_usd: float
    hours_h: float
    findings: tuple[Finding, ...]

    @property
    def premium_usd(self) -> float:
        """What the promise costs over the window."""
        return self.with_usd - self.without_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the premium as a JSON-ready mapping."""
        return {
            "tiers": list(self.tiers),
            "with_usd": self.with_usd,
            "without_usd": self.without_usd,
            "premium_usd": self.premium_usd,
            "hours_h": self.hours_h,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def sentence(self) -> str:
        """Say it in a sentence, in USD."""
        names = " and ".join(self.tiers)
        return (
            f"That {names} can be served with any one site dark costs {self.premium_usd:,.2f} USD "
            f"over {self.hours_h:g} h, {self.premium_usd / max(1e-9, abs(self.without_usd)):.2%} "
            "of the dispatch cost" + (", and cannot be kept in full." if self.findings else ".")
        )


def surviving_workloads(world: World) -> tuple[int, ...]:
    """Return the workloads whose tier promises to survive the loss of any one site."""
    promised = {tier.name for tier in world.company.tiers if tier.survives is not None}
    return tuple(at for at, load in enumerate(world.workloads) if load.tier in promised)


def with_survival(world: World, workloads: tuple[int, ...] | None = None) -> World:
    """Return the world whose programs keep the promise; the same where nothing is promised.

    Args:
        world: the company as arrays.
        workloads: indices of the workloads that are promised; None: as the company's tiers say.
    """
    promised = surviving_workloads(world) if workloads is None else workloads
    if not promised:
        return world
    return replace(world, terms=(*world.terms, Survival(workloads=promised)))


def survival_premium(
    world: World, window: Window, state: State, *, workloads: tuple[int, ...] | None = None
) -> SurvivalPremium | None:
    """Solve a window with the promise and without it; None where nothing is promised.

    Raises:
        InfeasibleProgram: if the window cannot be dispatched at all.
    """
    promised = surviving_workloads(world) if workloads is None else workloads
    if not promised:
        return None
    kept = with_survival(world, promised)
    held = WindowModel(kept, window, state).solved(window)
    free = WindowModel(world, window, state).solved(window)
    short = held.value(SHORT)
    penalty_usd = short_usd_per_mtok(world) * float(short.sum())
    tiers = tuple(dict.fromkeys(world.workloads[at].tier for at in promised))
    return SurvivalPremium(
        tiers=tiers,
        with_usd=held.objective_usd - penalty_usd,
        without_usd=free.objective_usd,
        hours_h=float(window.live_h().sum()),
        findings=tuple(_findings(world, held, promised, short)),
    )


def _findings(
    world: World, held: Optimum, promised: tuple[int, ...], short: FloatArray
) -> Iterator[Finding]:
    """Yield one finding for each tier and site: the interval in which most is lacking."""
    window = held.window
    dark = sorted({d.site for d in world.deployments if not d.external})
    by_case = short.reshape(window.count, len(dark), len(promised))
    tiers = [world.workloads[at].tier_index for at in promised]
    for at, site in enumerate(dark):
        for tier in dict.fromkeys(tiers):
            mine = [column for column, of in enumerate(tiers) if of == tier]
            lacking_mtok = by_case[:, at, mine].sum(axis=1)
            asked_mtok = window.arrivals_mtok[[promised[m] for m in mine]].sum(axis=0)
            if lacking_mtok.max(initial=0.0) > LEAST_SHARE * max(1.0, asked_mtok.max()):
                yield _finding(world, window, site, tier, lacking_mtok, asked_mtok)


def _finding(
    world: World,
    window: Window,
    site: int,
    tier: int,
    lacking_mtok: FloatArray,
    asked_mtok: FloatArray,
) -> Finding:
    worst = int(np.argmax(lacking_mtok / window.lengths_h))
    need = float(asked_mtok[worst] / window.lengths_h[worst])
    most = need - float(lacking_mtok[worst] / window.lengths_h[worst])
    name = next(load.tier for load in world.workloads if load.tier_index == tier)
    dark, when = world.site_names[site], world.moment(int(window.edges[worst]))
    hours = float(window.lengths_h[lacking_mtok > LEAST_SHARE * np.maximum(1.0, asked_mtok)].sum())
    return Finding(
        code="SURVIVAL_IMPOSSIBLE",
        path=f"tiers[{tier}].survives",
        value=f"{need:.4g}",
        limit=f"{most:.4g}",
        unit="Mtok/h",
        reason=f"with site {dark} dark at {when:%Y-%m-%dT%H:%MZ} tier {name} needs {need:.4g} "
        f"Mtok/h and the other places in its reach have GPUs and megawatts for {most:.4g}; so in "
        f"{hours:g} of {float(window.live_h().sum()):g} h",
        remedy="Add GPUs or import limit at another site within its latency, an external API, or "
        "take the promise back",
        severity="warning",
    )
