"""The rows of the program, one short function each: coefficients, and what they are held to.

A row function links its columns once and returns its rule: lower and upper bounds [n, m] by
window and state. Coefficients that change from window to window are `Moving`: PUE with the
weather, what an awake replica draws with the sign of the price, and what it can do with the
interval's length. Formulas: dispatch sheet, section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.columns import INFINITY, own_deployments
from tokenergy.dispatch.outages import gpus_in, standing_in
from tokenergy.dispatch.window import Window, work_only
from tokenergy.dispatch.world import BoolArray, FloatArray, State, World
from tokenergy.lp.program import Program

RowRule = Callable[[Window, State], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """A link of the program whose coefficients follow the window: values [n, m] by window."""

    link: int
    values: Callable[[Window], FloatArray]


def row_rules(program: Program, world: World, moving: list[Moving]) -> dict[str, RowRule]:
    """Add every block of rows to the program; return their rules, and add to `moving`."""
    rules = {
        "racks": racks(program, world, moving),
        "balance": physical_balance(program, world, moving),
        "commercial": commercial_balance(program, world),
        "replicas": replica_capacity(program, world, moving),
        "fleet": fleet_limit(program, world),
        "waking": waking(program, world),
        "demand": demand(program, world),
        "battery": battery_energy(program, world),
        "exclusive": charge_or_discharge(program, world),
        "quality": quality_floor(program, world),
        "api": api_limit(program, world),
    }
    return rules


def racks(program: Program, world: World, moving: list[Moving]) -> RowRule:
    """it = fixed + base awake + marginal serve + sleep (gpus - gpus awake) + wake energy, MWh.

    Where power is worth less than nothing nobody is paid for keeping empty replicas awake, or for
    waking them again and again: there the base follows the work, base serve / rate, and waking
    draws nothing (`work_only`).
    """
    program.add_rows("racks", world.sites_count)
    program.link("racks", "it", values=1.0)
    own = [d for d in world.deployments if not d.external]
    at = [i for i, r in enumerate(world.routes) if r.deployment < len(own)]
    sites = np.array([d.site for d in own], dtype=np.int64)
    net_mw = np.array(
        [d.base_mw - world.fleets[d.fleet].sleep_mw_per_gpu * d.gpus_count for d in own]
    )
    wake_mwh = np.array([d.wake_mwh for d in own])
    target = np.array([world.routes[i].deployment for i in at], dtype=np.int64)
    rate = np.array([world.routes[i].rate_mtok_per_h for i in at])
    marginal = np.array([world.routes[i].marginal_mwh_per_mtok for i in at])

    only = _remembered(world)

    def awake(window: Window) -> FloatArray:
        drawn_mw = np.where(only(window)[sites], 0.0, net_mw[:, None]).T
        return np.asarray(-drawn_mw * window.lengths_h[:, None])

    def wake(window: Window) -> FloatArray:
        return -np.where(only(window)[sites], 0.0, wake_mwh[:, None]).T

    def serve(window: Window) -> FloatArray:
        base = (net_mw[target] / rate)[:, None] * only(window)[sites[target]]
        return np.asarray(-(marginal[:, None] + base).T)

    for column, column_at, values in (
        ("awake", range(len(own)), awake),
        ("wake", range(len(own)), wake),
        ("serve", at, serve),
    ):
        row_at = sites[target] if column == "serve" else sites
        link = program.link("racks", column, row_at=row_at, column_at=list(column_at), values=1.0)
        if link is not None:
            moving.append(Moving(link=link, values=values))

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        rhs = window.live_h()[:, None] * standing_in(world, window).T
        return rhs, rhs

    return rule


def _remembered(world: World) -> Callable[[Window], BoolArray]:
    """Return `work_only` of a world that remembers its last window: three links ask in turn."""
    held: list[tuple[Window, BoolArray]] = []

    def only(window: Window) -> BoolArray:
        if not held or held[0][0] is not window:
            held[:] = [(window, work_only(world, window))]
        return held[0][1]

    return only


def physical_balance(program: Program, world: World, moving: list[Moving]) -> RowRule:
    """import + take[behind the meter] + generate + discharge = pue it + charge + export, MWh.

    All at the meter; its dual is the node price in USD/MWh.
    """
    program.add_rows("balance", world.sites_count)
    program.link("balance", "meter_import", values=1.0)
    program.link("balance", "meter_export", values=-1.0)
    link = program.link("balance", "it", values=-1.0)
    if link is not None:
        moving.append(Moving(link=link, values=_minus_pue))
    sites = list(world.battery_site)
    program.link("balance", "charge", row_at=sites, values=-1.0)
    program.link("balance", "discharge", row_at=sites, values=1.0)
    _link_takes(program, world, "balance", behind_the_meter=True)
    plants = [plant.site for plant in world.generators]
    program.link("balance", "generate", row_at=plants, values=1.0)

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        rhs = -window.meter_block_mw.T * window.live_h()[:, None]
        return rhs, rhs

    return rule


def _minus_pue(window: Window) -> FloatArray:
    return np.asarray(-window.pue.T, dtype=np.float64)


def commercial_balance(program: Program, world: World) -> RowRule:
    """buy + delivered[over the grid] = sell + import - export, MWh.

    Its dual is the market value of a MWh.
    """
    program.add_rows("commercial", world.sites_count)
    program.link("commercial", "buy", values=1.0)
    program.link("commercial", "sell", values=-1.0)
    program.link("commercial", "meter_import", values=-1.0)
    program.link("commercial", "meter_export", values=1.0)
    _link_takes(program, world, "commercial", behind_the_meter=False)

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        rhs = -window.grid_block_mw.T * window.live_h()[:, None]
        return rhs, rhs

    return rule


def _link_takes(program: Program, world: World, row: str, *, behind_the_meter: bool) -> None:
    at = [i for i, take in enumerate(world.takes) if take.behind_the_meter == behind_the_meter]
    program.link(row, "take", row_at=[world.takes[i].site for i in at], column_at=at, values=1.0)


def replica_capacity(program: Program, world: World, moving: list[Moving]) -> RowRule:
    """sum serve / rate <= h (awake - min(1, wake_h / h) wake), replica-hours."""
    own = own_deployments(world)
    program.add_rows("replicas", own)
    at = [i for i, r in enumerate(world.routes) if r.deployment < own]
    program.link(
        "replicas",
        "serve",
        row_at=[world.routes[i].deployment for i in at],
        column_at=at,
        values=np.array([1.0 / world.routes[i].rate_mtok_per_h for i in at]),
    )
    wake_h = np.array([d.wake_h for d in world.deployments[:own]])

    def awake(window: Window) -> FloatArray:
        return np.repeat(-window.lengths_h[:, None], own, axis=1)

    def wake(window: Window) -> FloatArray:
        return np.asarray(np.minimum(window.lengths_h[:, None], wake_h))

    for column, values in (("awake", awake), ("wake", wake)):
        link = program.link("replicas", column, values=1.0)
        if link is not None:
            moving.append(Moving(link=link, values=values))

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        return _below(np.zeros((window.count, own)))

    return rule


def fleet_limit(program: Program, world: World) -> RowRule:
    """sum gpus awake <= GPUs that are there: its dual is the GPU rent."""
    own = own_deployments(world)
    size = len(world.fleets)
    program.add_rows("fleet", size)
    program.link(
        "fleet",
        "awake",
        row_at=[d.fleet for d in world.deployments[:own]],
        values=np.array([float(d.gpus_count) for d in world.deployments[:own]]),
    )

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        return _below(gpus_in(world, window).T)

    return rule


def waking(program: Program, world: World) -> RowRule:
    """wake[t] >= awake[t] - awake[t-1], replicas; awake before the window is State."""
    own = own_deployments(world)
    program.add_rows("waking", own)
    program.link("waking", "wake", values=1.0)
    program.link("waking", "awake", values=-1.0)
    program.link("waking", "awake", values=1.0, lag=1)

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        lower = np.zeros((window.count, own))
        lower[0] = -state.awake[:own]
        return lower, np.full_like(lower, INFINITY)

    return rule


def demand(program: Program, world: World) -> RowRule:
    """sum serve + refused + backlog[t] - backlog[t-1] = arrivals, Mtok.

    For strict work the backlog's bound is 0. For deferrable work the bound on what may still
    wait is the deadline: served so far lies between what arrived and what is due. Its dual is
    the price of one more Mtok asked for that may not wait; `duals` adds what waiting is worth.
    """
    size = len(world.workloads)
    program.add_rows("demand", size)
    program.link("demand", "serve", row_at=[r.workload for r in world.routes], values=1.0)
    program.link("demand", "refused", values=1.0)
    waits = [at for at, load in enumerate(world.workloads) if load.defer_count]
    program.link("demand", "backlog", row_at=waits, column_at=waits, values=1.0)
    program.link("demand", "backlog", row_at=waits, column_at=waits, values=-1.0, lag=1)

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        rhs = window.arrivals_mtok.T * window.live()[:, None]
        rhs[0] += state.backlog_mtok.sum(axis=1)
        return rhs, rhs

    return rule


def battery_energy(program: Program, world: World) -> RowRule:
    """energy[t] = energy[t-1] + charge_eff charge - discharge / discharge_eff, MWh."""
    size = len(world.batteries)
    program.add_rows("battery", size)
    program.link("battery", "energy", values=1.0)
    program.link("battery", "energy", values=-1.0, lag=1)
    program.link(
        "battery", "charge", values=-np.array([b.charge_eff_share for b in world.batteries])
    )
    program.link(
        "battery",
        "discharge",
        values=np.array([1.0 / b.discharge_eff_share for b in world.batteries]),
    )

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        rhs = np.zeros((window.count, size))
        rhs[0] = state.energy_mwh
        return rhs, rhs

    return rule


def charge_or_discharge(program: Program, world: World) -> RowRule:
    """charge + discharge <= power x h, MWh: bounds burning energy at negative prices."""
    size = len(world.batteries)
    power_mw = np.array([battery.power_mw for battery in world.batteries])
    program.add_rows("exclusive", size)
    program.link("exclusive", "charge", values=1.0)
    program.link("exclusive", "discharge", values=1.0)

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        return _below(power_mw * window.lengths_h[:, None])

    return rule


def quality_floor(program: Program, world: World) -> RowRule:
    """sum serve (quality - floor) >= 0 for each tier that promises a floor, Mtok."""
    promised = [at for at, floor in enumerate(world.floor_share) if floor > 0.0]
    program.add_rows("quality", len(promised))
    hits = [
        (promised.index(tier), at, route.quality_share - world.floor_share[tier])
        for at, route in enumerate(world.routes)
        if (tier := world.workloads[route.workload].tier_index) in promised
    ]
    program.link(
        "quality",
        "serve",
        row_at=[row for row, _, _ in hits],
        column_at=[at for _, at, _ in hits],
        values=np.array([above for _, _, above in hits]),
    )

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        lower = np.zeros((window.count, len(promised)))
        return lower, np.full_like(lower, INFINITY)

    return rule


def api_limit(program: Program, world: World) -> RowRule:
    """sum serve <= rate limit x h for each external API, Mtok."""
    own = own_deployments(world)
    external = world.deployments[own:]
    program.add_rows("api", len(external))
    at = [i for i, r in enumerate(world.routes) if r.deployment >= own]
    program.link(
        "api",
        "serve",
        row_at=[world.routes[i].deployment - own for i in at],
        column_at=at,
        values=1.0,
    )
    limit = np.array([deployment.limit_mtok_per_h for deployment in external])

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        return _below(limit[None, :] * window.lengths_h[:, None])

    return rule


def _below(upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.full_like(upper, -INFINITY), np.asarray(upper)
