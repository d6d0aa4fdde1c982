"""What breaks, as arrays: outages built into a world, and what is there in each interval.

A feed that trips takes megawatts of a connection away (`Cut`); a fleet loses GPUs, and a dark site
everything: import, export, standing load, batteries, GPUs, and what stands behind its meter
(`Loss`). A site whose feed cannot carry its standing load any more is dark, too: blocks behind
the meter help to carry it, and plants on site that run as they please; not counted on are plants
with a permit, a least output or a start, wind and sun, and batteries, since whether those are
charged is a policy's own affair. They keep their charge meanwhile.

An announcement in the very moment in which an interval begins comes too late for its decision:
with no notice an outage is known from its second interval on, and the first one is the event
path's (`event_path`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from tokenergy.company.inputs import Inputs
from tokenergy.company.noun import nearest_names
from tokenergy.company.outage import Outage
from tokenergy.dispatch.supply import Generator
from tokenergy.dispatch.world import BoolArray, Cut, FloatArray, IntArray, Loss, Take, World
from tokenergy.errors import UnknownName

if TYPE_CHECKING:
    from tokenergy.dispatch.window import Window

NEARLY = 1e-9
"""Part of an interval that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """What is there in one interval, whatever anybody believed.

    Attributes:
        import_limit_mw: most that each site may draw [S].
        gpus_count: GPUs of each fleet [F].
        alive: sites that are not dark [S].
    """

    import_limit_mw: FloatArray
    gpus_count: FloatArray
    alive: BoolArray


def limits_at(world: World, at: int) -> Limits:
    """Return what is there in interval `at`, as the world says."""
    span = np.array([at])
    return Limits(
        import_limit_mw=world.import_limit_mw[:, at],
        gpus_count=gpus_count(world, span)[:, 0],
        alive=alive(world, span)[:, 0],
    )


def apply_outages(world: World, outages: Sequence[Outage] | None = None) -> World:
    """Return the world in which outages happen; None: those of its company's file.

    An outage that covers a part of an interval is counted for all of it.

    Raises:
        UnknownName: naming every site or fleet that does not exist, with the nearest names.
    """
    found = world.company.outages if outages is None else tuple(outages)
    if not found:
        return world
    _refuse_unknown(world, found)
    broken = world
    for outage in found:
        broken = _broken(broken, outage)
    return _dark_without_feed(broken, found)


def gpus_count(world: World, span: IntArray, *, known_at: int | None = None) -> FloatArray:
    """Return the GPUs of each fleet in the intervals of `span` [F, n].

    Args:
        world: the company as arrays.
        span: indices of intervals [n].
        known_at: only losses that are announced by that interval; None: all.
    """
    whole = np.array([fleet.gpus_count for fleet in world.fleets])
    if not world.losses:
        return np.broadcast_to(whole[:, None], (whole.size, span.size))
    left = np.ones((whole.size, span.size))
    for loss in _known(world, known_at):
        hit = (span >= loss.begin) & (span < loss.end)
        for at, fleet in enumerate(world.fleets):
            if loss.fleet == at:
                left[at, hit] *= loss.left_share
            elif loss.site == fleet.site:
                left[at, hit] = 0.0
    return whole[:, None] * left


def alive(world: World, span: IntArray, *, known_at: int | None = None) -> BoolArray:
    """Return which sites are not dark in the intervals of `span` [S, n]; see `gpus_count`."""
    lit = np.ones((world.sites_count, span.size), dtype=bool)
    for loss in _known(world, known_at):
        if loss.site is not None:
            lit[loss.site, (span >= loss.begin) & (span < loss.end)] = False
    return lit


def standing_mw(world: World, gpus: FloatArray, lit: BoolArray) -> FloatArray:
    """Return fixed load and the sleep of every GPU that is there, before PUE [S, n].

    Args:
        world: the company as arrays.
        gpus: GPUs by fleet [F, n].
        lit: sites that are not dark [S, n].
    """
    standing = world.fixed_mw[:, None] * lit
    for fleet, count in zip(world.fleets, gpus, strict=True):
        standing[fleet.site] += fleet.sleep_mw_per_gpu * count
    return np.asarray(standing)


def gpus_in(world: World, window: "Window") -> FloatArray:
    """Return the GPUs of each fleet that are there throughout each interval of a window [F, n]."""
    fine = gpus_count(world, _span(world, window), known_at=window.known_at)
    return fine if window.even else np.minimum.reduceat(fine, _starts(window), axis=1)


def alive_in(world: World, window: "Window") -> BoolArray:
    """Return which sites are not dark at any time in each interval of a window [S, n]."""
    lit = alive(world, _span(world, window), known_at=window.known_at)
    return lit if window.even else np.logical_and.reduceat(lit, _starts(window), axis=1)


def standing_in(world: World, window: "Window") -> FloatArray:
    """Return the standing load that is believed in each interval of a window [S, n]."""
    return standing_mw(world, gpus_in(world, window), alive_in(world, window))


def _span(world: World, window: "Window") -> IntArray:
    return np.minimum(np.arange(window.edges[0], window.edges[-1]), world.last - 1)


def _starts(window: "Window") -> IntArray:
    return np.asarray(window.edges[:-1] - window.edges[0])


def _known(world: World, known_at: int | None) -> tuple[Loss, ...]:
    if known_at is None:
        return world.losses
    return tuple(loss for loss in world.losses if loss.announced <= known_at)


def _refuse_unknown(world: World, outages: Sequence[Outage]) -> None:
    fleets = tuple(fleet.name for fleet in world.fleets)
    wrong = []
    for outage in outages:
        known = fleets if outage.what == "fleet" else world.site_names
        if outage.name not in known:
            kind = "fleet" if outage.what == "fleet" else "site"
            near = ", ".join(nearest_names(outage.name, known) or known)
            wrong.append(f"an outage names {kind} {outage.name!r}; nearest: {near}")
    if wrong:
        raise UnknownName("; ".join(wrong))


def _bounds(world: World, outage: Outage) -> tuple[int, int, int]:
    """Return the first interval, the one after the last, and that of the announcement."""

    def place(moment: datetime) -> float:
        return (moment - world.start) / timedelta(hours=world.step_h)

    end = place(outage.start + timedelta(hours=outage.length_h))
    told = place(outage.start - timedelta(hours=outage.notice_h))
    return (
        min(world.last, max(0, floor(place(outage.start) + NEARLY))),
        min(world.last, max(0, ceil(end - NEARLY))),
        floor(told + NEARLY) + 1,
    )


def _broken(world: World, outage: Outage) -> World:
    begin, end, announced = _bounds(world, outage)
    if begin >= end:
        return world
    name = f"{outage.what} {outage.name}"
    if outage.what == "fleet":
        at = [fleet.name for fleet in world.fleets].index(outage.name)
        gone = _loss(world, name, (begin, end, announced), fleet=at, left_share=outage.left_share)
        return replace(world, losses=(*world.losses, gone))
    site = world.site_names.index(outage.name)
    left_share = outage.left_share if outage.what == "feed" else 0.0
    limits_mw = world.import_limit_mw.copy()
    lost_mw = (1.0 - left_share) * limits_mw[site, begin:end]
    limits_mw[site, begin:end] -= lost_mw
    cut = Cut(name=name, site=site, begin=begin, end=end, announced=announced, lost_mw=lost_mw)
    cut_world = replace(world, import_limit_mw=limits_mw, cuts=(*world.cuts, cut))
    if outage.what == "feed":
        return cut_world
    return _dark(cut_world, name, site, (begin, end, announced))


def _loss(
    world: World,
    name: str,
    bounds: tuple[int, int, int],
    *,
    site: int | None = None,
    fleet: int | None = None,
    left_share: float = 0.0,
) -> Loss:
    begin, end, announced = bounds
    export_mw, block_mw = np.zeros(end - begin), np.zeros(end - begin)
    if site is not None:
        export_mw = world.export_limit_mw[site, begin:end].copy()
        block_mw = world.block_delivery_mw(behind_the_meter=True)[site, begin:end]
    return Loss(
        name=name,
        site=site,
        fleet=fleet,
        begin=begin,
        end=end,
        announced=announced,
        left_share=left_share,
        export_mw=export_mw,
        block_mw=block_mw,
    )


def _dark(world: World, name: str, site: int, bounds: tuple[int, int, int]) -> World:
    """Return the world with a site dark: nothing leaves it, and what is behind its meter stops."""
    loss = _loss(world, name, bounds, site=site)
    exports_mw = world.export_limit_mw.copy()
    exports_mw[site, loss.begin : loss.end] = 0.0
    return replace(
        world,
        export_limit_mw=exports_mw,
        takes=tuple(_stopped_take(take, loss) for take in world.takes),
        generators=tuple(_stopped_plant(plant, loss) for plant in world.generators),
        inputs=_stopped_profiles(world, loss),
        losses=(*world.losses, loss),
    )


def _stopped_take(take: Take, loss: Loss) -> Take:
    if take.site != loss.site or not take.behind_the_meter:
        return take
    return replace(
        take,
        available_mw=_none_in(take.available_mw, loss),
        floor_mw=_none_in(take.floor_mw, loss),
        sunk_usd_per_h=_none_in(take.sunk_usd_per_h, loss),
    )


def _stopped_plant(plant: Generator, loss: Loss) -> Generator:
    if plant.site != loss.site:
        return plant
    return replace(plant, capacity_mw=_none_in(plant.capacity_mw, loss))


def _inputs_of(world: World) -> Inputs | None:
    """Return the series behind the arrays; worlds made of arrays alone have none."""
    return world.inputs


def _stopped_profiles(world: World, loss: Loss) -> Inputs:
    """Return the series in which nothing behind the meter is made: bills are settled on them."""
    behind = [
        take.contract_id for take in world.takes
        if take.behind_the_meter and take.site == loss.site
    ]  # fmt: skip
    if _inputs_of(world) is None or not behind:
        return world.inputs
    profiles = {
        name: _none_in(row, loss) if name in behind else row
        for name, row in world.inputs.profile_share.items()
    }
    return replace(world.inputs, profile_share=profiles)


def _none_in(values: FloatArray, loss: Loss) -> FloatArray:
    stopped = values.copy()
    stopped[loss.begin : loss.end] = 0.0
    return stopped


def _dark_without_feed(world: World, outages: Sequence[Outage]) -> World:
    """Return the world in which a feed that cannot carry a site's standing load leaves it dark."""
    span = np.arange(world.last)
    standing = standing_mw(world, gpus_count(world, span), alive(world, span))
    carried = world.import_limit_mw[:, : world.last]
    carried = carried + world.block_delivery_mw(behind_the_meter=True)[:, : world.last]
    for plant in world.generators:
        if plant.permit_h == np.inf and not plant.min_load_share and not plant.start_usd:
            carried[plant.site] += plant.capacity_mw[: world.last]
    short = carried < world.pue[:, : world.last] * standing * (1.0 - NEARLY)
    broken = world
    for outage in outages:
        begin, end, announced = _bounds(world, outage)
        if outage.what != "feed" or begin >= end:
            continue
        site = world.site_names.index(outage.name)
        for first, last in _runs(short[site, begin:end]):
            bounds = (begin + first, begin + last, announced)
            broken = _dark(broken, f"feed {outage.name}", site, bounds)
    return broken


def _runs(flags: BoolArray) -> list[tuple[int, int]]:
    """Return where runs of True begin, and where they end."""
    padded = np.concatenate(([False], flags, [False])).astype(int)
    turns = np.flatnonzero(np.diff(padded))
    return list(zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True))
