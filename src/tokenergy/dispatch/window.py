"""The numbers of one window: what is known, or believed, about each of its intervals."""

from dataclasses import dataclass, replace

import numpy as np

from tokenergy.dispatch.world import BoolArray, FloatArray, State, World


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Everything about n intervals that the program needs beside the world's structure.

    Attributes:
        begin: index of the first interval in the world.
        live_count: intervals within the horizon; the rest of the window is switched off.
        step_h: length of an interval.
        buy_usd_per_mwh, sell_usd_per_mwh: [S, n].
        pue, import_limit_mw, export_limit_mw: [S, n].
        grid_block_mw, meter_block_mw: block deliveries over the grid, behind the meter [S, n].
        available_mw, floor_mw, take_usd_per_mwh: as-produced contracts [C, n].
        arrivals_mtok: [W, n].
        stored_usd_per_mwh: worth of stored energy at the end of the window [B].
    """

    begin: int
    live_count: int
    step_h: float
    buy_usd_per_mwh: FloatArray
    sell_usd_per_mwh: FloatArray
    pue: FloatArray
    import_limit_mw: FloatArray
    export_limit_mw: FloatArray
    grid_block_mw: FloatArray
    meter_block_mw: FloatArray
    available_mw: FloatArray
    floor_mw: FloatArray
    take_usd_per_mwh: FloatArray
    arrivals_mtok: FloatArray
    stored_usd_per_mwh: FloatArray

    @property
    def count(self) -> int:
        """Intervals of the window, switched-off ones included."""
        return int(self.pue.shape[1])

    def live(self) -> FloatArray:
        """Return 1 for intervals within the horizon, 0 for the rest [n]."""
        return (np.arange(self.count) < self.live_count).astype(float)


def work_only(world: World, window: Window) -> BoolArray:
    """Return where only work draws power: where a MWh more could be worth less than nothing [S, n].

    An awake replica without work draws its base (dispatch sheet, section 1). That is cautious
    while power costs money, and a licence to burn it where it is worth less than nothing: where
    a sale costs money, and where power that must be taken behind the meter can neither be used
    by what stands there nor exported.
    """
    must_mw = window.meter_block_mw.copy()
    for take, floor_mw in zip(world.takes, window.floor_mw, strict=True):
        if take.behind_the_meter:
            must_mw[take.site] += floor_mw
    leaves_mw = window.export_limit_mw + window.pue * world.standing_mw()[:, None]
    stuck: BoolArray = must_mw > leaves_mw
    return stuck | (window.sell_usd_per_mwh < 0.0)


def true_window(world: World, *, begin: int, count: int) -> Window:
    """Return a window in which the future is known, as the clairvoyant sees it.

    Beyond the horizon the window is switched off; its last live interval carries the end
    valuation when it is the horizon's last, and the window's mean price otherwise.
    """
    live_count = min(count, world.last - begin)
    span = np.minimum(np.arange(begin, begin + count), world.last - 1)
    takes = world.takes
    window = Window(
        begin=begin,
        live_count=live_count,
        step_h=world.step_h,
        buy_usd_per_mwh=world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, span]),
        sell_usd_per_mwh=world.sell_usd_per_mwh(world.spot_usd_per_mwh[:, span]),
        pue=world.pue[:, span],
        import_limit_mw=world.import_limit_mw[:, span],
        export_limit_mw=world.export_limit_mw[:, span],
        grid_block_mw=world.block_delivery_mw(behind_the_meter=False)[:, span],
        meter_block_mw=world.block_delivery_mw(behind_the_meter=True)[:, span],
        available_mw=_stack([take.available_mw[span] for take in takes], count),
        floor_mw=_stack([take.floor_mw[span] for take in takes], count),
        take_usd_per_mwh=_stack([take.take_usd_per_mwh[span] for take in takes], count),
        arrivals_mtok=world.arrivals_mtok[:, span],
        stored_usd_per_mwh=world.end_value_usd_per_mwh(),
    )
    if begin + count >= world.last:
        return window
    return replace(window, stored_usd_per_mwh=mean_stored_usd_per_mwh(world, window))


def mean_stored_usd_per_mwh(world: World, window: Window) -> FloatArray:
    """Return the window's mean purchase price x discharge efficiency, by battery [B]."""
    mean = window.buy_usd_per_mwh[:, : window.live_count].mean(axis=1)
    return np.array(
        [
            mean[site] * battery.discharge_eff_share
            for battery, site in zip(world.batteries, world.battery_site, strict=True)
        ]
    )


def backlog_limit_mtok(world: World, window: Window, state: State) -> FloatArray:
    """Return the most work that may still wait at the end of each interval [W, n].

    Work waits at most its `defer_count` intervals: at the end of interval k may remain what
    arrived in the last `defer_count` intervals and what was carried in with a later due date.
    Nothing waits past the window's last live interval.
    """
    limits = np.zeros_like(window.arrivals_mtok)
    count, live = window.count, window.live_count
    for at, load in enumerate(world.workloads):
        if not load.defer_count:
            continue
        arrived = np.concatenate(([0.0], np.cumsum(window.arrivals_mtok[at])))
        ends = np.arange(1, count + 1)
        recent = arrived[ends] - arrived[np.maximum(0, ends - load.defer_count)]
        carried = state.backlog_mtok[at]
        later = np.zeros(count)
        reach = min(count, carried.size)
        tail = carried[::-1].cumsum()[::-1]
        later[: max(0, reach - 1)] = tail[1:reach]
        if carried.size > count:
            later[count - 1] = tail[count]
        limits[at] = recent + later
        limits[at, live - 1 :] = 0.0
    return limits


def waiting_intervals(world: World, window: Window, *, at: int, workload: int) -> range:
    """Return the intervals at whose end work that arrives in interval `at` may still wait."""
    return range(at, min(at + world.workloads[workload].defer_count, window.live_count - 1))


def _stack(rows: list[FloatArray], count: int) -> FloatArray:
    return np.array(rows) if rows else np.zeros((0, count))
