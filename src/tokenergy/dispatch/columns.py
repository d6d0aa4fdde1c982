"""The columns of the program, one short function each: what they cost and between what bounds.

All columns are per interval: MWh, Mtok or replicas, so the interval's length sits in bounds and
in coefficients of state only (dispatch sheet, section 2). A switched-off interval has bounds 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.outages import alive_in
from tokenergy.dispatch.window import Window, backlog_limit_mtok
from tokenergy.dispatch.world import FloatArray, State, World

INFINITY = float("inf")
PROHIBITIVE_USD_PER_MWH = 1e6
"""Far above any value of a token per MWh: used only to find where a program breaks."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnNumbers:
    """Costs (USD per unit) and bounds of one block of columns, each [n, m]."""

    costs: FloatArray
    lower: FloatArray
    upper: FloatArray


ColumnRule = Callable[[Window, State], ColumnNumbers]


def column_rules(world: World) -> dict[str, tuple[int, ColumnRule]]:
    """Return size and rule of every block of columns, in the order of the program."""
    return {
        "serve": _serve(world),
        "refused": _refused(world),
        "backlog": _backlog(world),
        "awake": _awake(world),
        "wake": _wake(world),
        "it": (world.sites_count, _free_load),
        "meter_import": (world.sites_count, _meter_import),
        "meter_export": (world.sites_count, _meter_export),
        "buy": (world.sites_count, _buy),
        "sell": (world.sites_count, _sell),
        "take": _take(world),
        "charge": _charge(world),
        "discharge": _discharge(world),
        "energy": _energy(world),
        "generate": _generate(world),
    }


def elastic_rules(world: World) -> dict[str, tuple[int, ColumnRule]]:
    """Return columns that make every balance feasible at a prohibitive price."""
    size = world.sites_count

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """missing[s,t], excess[s,t] >= 0."""
        return _spread(
            window, np.full(size, PROHIBITIVE_USD_PER_MWH), upper=np.full(size, INFINITY)
        )

    return {"missing": (size, numbers), "excess": (size, numbers)}


def own_deployments(world: World) -> int:
    """Return the number of deployments on the company's fleets: they come before the APIs."""
    return sum(not deployment.external for deployment in world.deployments)


def quality_loss_usd_per_mtok(world: World) -> FloatArray:
    """Return value x (1 - quality / quality of the model asked for), never negative [R]."""
    lost = [
        world.workloads[route.workload].value_usd_per_mtok
        * max(0.0, 1.0 - route.quality_share / world.workloads[route.workload].asked_quality_share)
        for route in world.routes
    ]
    return np.array(lost)


def serve_usd_per_mtok(world: World) -> FloatArray:
    """Return what serving costs beside energy and GPUs: network, API price, lost quality [R]."""
    paid = [route.network_usd_per_mtok + route.api_usd_per_mtok for route in world.routes]
    return np.array(paid) + quality_loss_usd_per_mtok(world)


def _serve(world: World) -> tuple[int, ColumnRule]:
    cost = serve_usd_per_mtok(world)

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """serve[r,t] >= 0, at network + API + value x lost quality."""
        return _spread(window, cost, upper=np.full(cost.size, INFINITY))

    return cost.size, numbers


def _refused(world: World) -> tuple[int, ColumnRule]:
    cost = np.array([load.value_usd_per_mtok for load in world.workloads])

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """refused[w,t] >= 0, at the finite value of the tier."""
        return _spread(window, cost, upper=np.full(cost.size, INFINITY))

    return cost.size, numbers


def _backlog(world: World) -> tuple[int, ColumnRule]:
    def numbers(window: Window, state: State) -> ColumnNumbers:
        """0 <= backlog[w,t] <= what may still wait at the end of t."""
        limit = backlog_limit_mtok(world, window, state).T
        return ColumnNumbers(costs=np.zeros_like(limit), lower=np.zeros_like(limit), upper=limit)

    return len(world.workloads), numbers


def _awake(world: World) -> tuple[int, ColumnRule]:
    own = [d for d in world.deployments if not d.external]
    lease = np.array([d.gpus_count * world.fleets[d.fleet].lease_usd_per_gpu_hour for d in own])

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """awake[d,t] >= 0, at the on-demand lease of its GPUs for the interval."""
        return _spread(
            window, window.lengths_h[:, None] * lease, upper=np.full(lease.size, INFINITY)
        )

    return lease.size, numbers


def _wake(world: World) -> tuple[int, ColumnRule]:
    size = own_deployments(world)

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """wake[d,t] >= 0; its energy is in the racks and its lost time in the capacity row."""
        return _spread(window, np.zeros(size), upper=np.full(size, INFINITY))

    return size, numbers


def _free_load(window: Window, state: State) -> ColumnNumbers:
    """it[s,t]: load at the racks, fixed by its row."""
    size = window.pue.shape[0]
    return _spread(window, np.zeros(size), upper=np.full(size, INFINITY))


def _meter_import(window: Window, state: State) -> ColumnNumbers:
    """0 <= meter_import[s,t] <= import limit x h, at the rates on the meter.

    Its reduced cost is the MW rent.
    """
    limit = (window.import_limit_mw * window.live_h()).T
    costs = window.rate_usd_per_mwh.sum(axis=0).T
    return ColumnNumbers(costs=costs, lower=np.zeros_like(limit), upper=limit)


def _meter_export(window: Window, state: State) -> ColumnNumbers:
    """0 <= meter_export[s,t] <= export limit x h, at the rates on what leaves."""
    limit = (window.export_limit_mw * window.live_h()).T
    return ColumnNumbers(costs=window.export_usd_per_mwh.T, lower=np.zeros_like(limit), upper=limit)


def _buy(window: Window, state: State) -> ColumnNumbers:
    """buy[s,t] >= 0 at (1 + loss)(spot + adder)."""
    return _priced(window, window.buy_usd_per_mwh.T)


def _sell(window: Window, state: State) -> ColumnNumbers:
    """sell[s,t] >= 0 earns spot - spread."""
    return _priced(window, -window.sell_usd_per_mwh.T)


def _take(world: World) -> tuple[int, ColumnRule]:
    behind = np.array([take.behind_the_meter for take in world.takes], dtype=bool)
    sites = np.array([take.site for take in world.takes], dtype=np.int64)

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """floor x h <= take[c,t] <= available x h, at the strike unless it is paid anyway."""
        there_h = window.live_h() * (alive_in(world, window)[sites] | ~behind[:, None])
        return ColumnNumbers(
            costs=window.take_usd_per_mwh.T,
            lower=(window.floor_mw * there_h).T,
            upper=(window.available_mw * there_h).T,
        )

    return sites.size, numbers


def _charge(world: World) -> tuple[int, ColumnRule]:
    power = np.array([battery.power_mw for battery in world.batteries])

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """0 <= charge[b,t] <= power x h; 0 where the site is dark."""
        return _spread(window, np.zeros(power.size), upper=_moved_mwh(world, window, power))

    return power.size, numbers


def _discharge(world: World) -> tuple[int, ColumnRule]:
    power = np.array([battery.power_mw for battery in world.batteries])
    wear = np.array([battery.cycle_usd_per_mwh_discharged for battery in world.batteries])

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """0 <= discharge[b,t] <= power x h, at the wear of each MWh that comes out."""
        return _spread(window, wear, upper=_moved_mwh(world, window, power))

    return power.size, numbers


def _moved_mwh(world: World, window: Window, power_mw: FloatArray) -> FloatArray:
    """Return the most that each battery can move at its terminals [n, B]."""
    sites = np.array(world.battery_site, dtype=np.int64)
    return np.asarray(power_mw * window.lengths_h[:, None] * alive_in(world, window)[sites].T)


def _energy(world: World) -> tuple[int, ColumnRule]:
    capacity = np.array([battery.capacity_mwh for battery in world.batteries])

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """0 <= energy[b,t] <= capacity; what is left at the end has the window's end value."""
        costs = np.zeros((window.count, capacity.size))
        if capacity.size:
            costs[-1] = -window.stored_usd_per_mwh
        upper = np.broadcast_to(capacity, costs.shape)
        return ColumnNumbers(costs=costs, lower=np.zeros_like(costs), upper=upper)

    return capacity.size, numbers


def _generate(world: World) -> tuple[int, ColumnRule]:
    plants = world.generators

    def numbers(window: Window, state: State) -> ColumnNumbers:
        """0 <= generate[u,t] <= capacity x h, at fuel and other running cost."""
        shape = (len(plants), window.count)
        mw = np.array([window.mean(plant.capacity_mw) for plant in plants]).reshape(shape)
        cost = np.array(
            [window.mean(plant.usd_per_mwh) + plant.carbon_usd_per_mwh for plant in plants]
        ).reshape(shape)
        return _spread(window, cost.T, upper=mw.T * window.lengths_h[:, None])

    return len(plants), numbers


def _spread(window: Window, cost: FloatArray, *, upper: FloatArray) -> ColumnNumbers:
    """Spread numbers [m] or [n, m] over the window; switched-off intervals have bounds 0."""
    shape = (window.count, cost.shape[-1])
    costs, most = np.empty(shape), np.empty(shape)
    costs[:], most[:] = cost, upper
    most[window.live_count :] = 0.0
    return ColumnNumbers(costs=costs, lower=np.zeros(shape), upper=most)


def _priced(window: Window, costs: FloatArray) -> ColumnNumbers:
    """Give every interval its own cost and no upper bound while it is switched on."""
    upper = np.where(window.live()[:, None] > 0.0, INFINITY, 0.0)
    return ColumnNumbers(
        costs=costs, lower=np.zeros_like(costs), upper=np.broadcast_to(upper, costs.shape)
    )
