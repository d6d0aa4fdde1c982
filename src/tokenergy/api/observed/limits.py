"""Limits of a world raised to what was observed: what was done was possible."""

from dataclasses import replace
from typing import Final

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.dispatch.world import NOWHERE, FloatArray, State, World
from tokenergy.simulate.as_observed import AsObserved
from tokenergy.simulate.replay import replay

UNBOUND_MW: Final = 1e9
"""A connection without a limit, as long as one looks for what was drawn."""
ROUNDING_SHARE: Final = 1e-9


def busy_replicas(world: World, serve_mtok: FloatArray) -> FloatArray:
    """Return how many replicas the work of each interval takes, by deployment [D, T]."""
    busy = np.zeros((len(world.deployments), serve_mtok.shape[1]))
    for at, route in enumerate(world.routes):
        busy[route.deployment] += serve_mtok[at] / (route.rate_mtok_per_h * world.step_h)
    return busy


def begun_awake(world: World, awake: FloatArray) -> State:
    """Return the state at the start of what was observed: those that are awake were so before."""
    return replace(State.initial(world), awake=awake[:, 0].copy())


def as_possible(
    world: World, serve_mtok: FloatArray, awake: FloatArray
) -> tuple[World, list[Finding]]:
    """Raise rates, fleets and connections to what was seen of them, and say so.

    A tier's promised quality is lowered likewise. Every policy may do as much.

    Args:
        world: with the observed demand, and joules as they are known.
        serve_mtok: by route [R, T].
        awake: replicas by deployment [D, T].
    """
    findings: list[Finding] = []
    for raised in (_fast_enough, _large_enough, _good_enough, _wide_enough):
        world, told = raised(world, serve_mtok, awake)
        findings += told
    return world, findings


def _fast_enough(
    world: World, serve_mtok: FloatArray, awake: FloatArray
) -> tuple[World, list[Finding]]:
    """Raise the rate of a replica to what was seen of it."""
    busy = busy_replicas(world, serve_mtok)
    ratio = np.ones(len(world.deployments))
    for at in range(len(world.deployments)):
        if awake[at].max(initial=0.0) > 0.0:
            ratio[at] = max(1.0, float((busy[at] / np.maximum(awake[at], 1e-12)).max()))
    findings = [
        Finding(
            code="FASTER_THAN_MODELLED",
            path=f"deployments.{world.deployments[at].name}",
            value=f"{ratio[at]:.2f}",
            limit="1",
            unit="of the modelled rate",
            severity="warning",
            reason="a replica was seen to make more tokens than its operating point says: the "
            "rate that was seen stands in its place",
            remedy="State a measured replica of the model, at the largest load that keeps its "
            "limits",
        )
        for at in np.flatnonzero(ratio > 1.0 + ROUNDING_SHARE).tolist()
    ]
    routes = tuple(
        replace(route, rate_mtok_per_h=route.rate_mtok_per_h * float(ratio[route.deployment]))
        for route in world.routes
    )
    return replace(world, routes=routes), findings


def _large_enough(
    world: World, _serve_mtok: FloatArray, awake: FloatArray
) -> tuple[World, list[Finding]]:
    """Count as many GPUs as stand behind engines; those in repair (`available_share`) worked."""
    used = np.zeros((len(world.fleets), awake.shape[1]))
    for at, each in enumerate(world.deployments):
        if each.fleet != NOWHERE:
            used[each.fleet] += awake[at] * each.gpus_count
    most = used.max(axis=1, initial=0.0)
    findings = [
        Finding(
            code="ENGINES_LARGER_THAN_FLEET",
            path=f"fleets.{fleet.name}.gpu_count",
            value=f"{most[at]:g}",
            limit=f"{fleet.gpu_count}",
            unit="GPUs",
            severity="warning",
            reason="the engines that were observed there hold more GPUs than the fleet has: as "
            "many as they hold are counted, and the rent of none beyond the fleet's is known",
            remedy="State fewer replicas_count, or the GPUs that stand there",
        )
        for at, fleet in enumerate(world.company.fleets)
        if most[at] > fleet.gpu_count
    ]
    fleets = tuple(
        replace(fleet, gpus_count=max(fleet.gpus_count, float(most[at])))
        for at, fleet in enumerate(world.fleets)
    )
    return replace(world, fleets=fleets), findings


def _good_enough(
    world: World, serve_mtok: FloatArray, _awake: FloatArray
) -> tuple[World, list[Finding]]:
    """Lower the quality that a tier promises to what its work was answered with."""
    floors, findings = list(world.floor_share), []
    for tier, floor in enumerate(floors):
        mine = [
            at for at, each in enumerate(world.routes)
            if world.workloads[each.workload].tier_index == tier
        ]  # fmt: skip
        served = serve_mtok[mine].sum(axis=0)
        if floor <= 0.0 or not served.any():
            continue
        quality = np.array([world.routes[at].quality_share for at in mine])
        seen = (quality @ serve_mtok[mine])[served > 0.0] / served[served > 0.0]
        lowest = float(seen.min())
        if lowest >= floor - ROUNDING_SHARE:
            continue
        floors[tier] = max(0.0, lowest - ROUNDING_SHARE)
        findings.append(
            Finding(
                code="QUALITY_BELOW_FLOOR",
                path=f"tiers.{world.company.tiers[tier].name}.quality_floor_share",
                value=f"{lowest:.4g}",
                limit=f"{floor:.4g}",
                severity="warning",
                reason="the tier's work was answered with less quality than it promises: every "
                "policy may do so",
                remedy="Correct the floor, or the models that answer this tier",
            )
        )
    return replace(world, floor_share=tuple(floors)), findings


def _wide_enough(
    world: World, serve_mtok: FloatArray, awake: FloatArray
) -> tuple[World, list[Finding]]:
    """Raise a connection to what was drawn of it."""
    unbound = replace(world, import_limit_mw=np.full_like(world.import_limit_mw, UNBOUND_MW))
    run = replay(
        unbound,
        AsObserved(unbound, serve_mtok=serve_mtok, awake=awake),
        initial=begun_awake(unbound, awake),
    )
    drawn_mw = run.import_mwh / world.step_h
    span = slice(world.first, world.last)
    limit_mw = world.import_limit_mw.copy()
    over = drawn_mw > limit_mw[:, span] * (1.0 + ROUNDING_SHARE)
    if not over.any():
        return world, []
    findings = [
        Finding(
            code="OBSERVED_ABOVE_LIMIT",
            path=f"sites.{world.site_names[site]}.import_limit_mw",
            value=f"{drawn_mw[site].max():.4g}",
            limit=f"{limit_mw[site, span].min():.4g}",
            unit="MW",
            severity="warning",
            reason=f"what was observed draws more than the connection may deliver in "
            f"{int(over[site].sum())} of {world.count} intervals, by the joules that are known: "
            "every policy may draw as much there",
            remedy="Correct import_limit_mw, or meter the engines: modelled joules may be too high",
        )
        for site in np.flatnonzero(over.any(axis=1)).tolist()
    ]
    limit_mw[:, span] = np.maximum(limit_mw[:, span], drawn_mw * (1.0 + ROUNDING_SHARE))
    return replace(world, import_limit_mw=limit_mw), findings
