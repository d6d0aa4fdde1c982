"""The numbers of one window: what is known, or believed, about each of its intervals."""

from dataclasses import dataclass, replace

import numpy as np

from tokenergy.dispatch.outages import standing_in
from tokenergy.dispatch.world import RATE_KINDS, BoolArray, FloatArray, IntArray, State, World


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """Everything about n intervals that the program needs beside the world's structure.

    Attributes:
        begin: index of the first interval in the world.
        live_count: intervals within the horizon; the rest of the window is switched off.
        edges: where each interval begins, and where the last one ends, as indices of the world's
            own intervals [n + 1]; an interval of the window holds one of them or several.
        lengths_h: length of each interval [n].
        buy_usd_per_mwh, sell_usd_per_mwh: [S, n].
        rate_usd_per_mwh: what contracts charge on each MWh imported at the meter, by the part of
            a token's price that it belongs to [K, S, n], in the order of `RATE_KINDS`.
        export_usd_per_mwh: what they charge on each MWh exported [S, n].
        pue, import_limit_mw, export_limit_mw: [S, n].
        grid_block_mw, meter_block_mw: block deliveries over the grid, behind the meter [S, n].
        available_mw, floor_mw, take_usd_per_mwh: as-produced contracts [C, n].
        arrivals_mtok: [W, n].
        stored_usd_per_mwh: worth of stored energy at the end of the window [B].
        known_at: index of the interval whose knowledge the window is made of; None: all is known.
    """

    begin: int
    live_count: int
    edges: IntArray
    lengths_h: FloatArray
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
    rate_usd_per_mwh: FloatArray
    export_usd_per_mwh: FloatArray
    known_at: int | None = None

    @property
    def count(self) -> int:
        """Intervals of the window, switched-off ones included."""
        return int(self.pue.shape[1])

    def live(self) -> FloatArray:
        """Return 1 for intervals within the horizon, 0 for the rest [n]."""
        return (np.arange(self.count) < self.live_count).astype(float)

    def live_h(self) -> FloatArray:
        """Return the length of intervals within the horizon, 0 for the rest [n]."""
        return self.lengths_h * self.live()

    @property
    def even(self) -> bool:
        """Whether every interval is one of the world's: only then can the window be a ring."""
        return int(self.edges[-1] - self.edges[0]) == self.count  # each holds one at least

    @property
    def live_end(self) -> int:
        """Index of the world's interval after the last live one."""
        return int(self.edges[self.live_count])

    def mean(self, values: FloatArray) -> FloatArray:
        """Return a series of the world [.., T], averaged over each interval [.., n].

        Beyond its end the series' last value stands.
        """
        last = values.shape[-1] - 1
        if self.even:
            return np.asarray(values[..., np.minimum(self.edges[:-1], last)])
        span = np.minimum(np.arange(self.edges[0], self.edges[-1]), last)
        sums = np.add.reduceat(values[..., span], self.edges[:-1] - self.edges[0], axis=-1)
        return np.asarray(sums / np.diff(self.edges))


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
    leaves_mw = window.export_limit_mw + window.pue * standing_in(world, window)
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
        edges=np.arange(begin, begin + count + 1),
        lengths_h=np.full(count, world.step_h),
        buy_usd_per_mwh=world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, span], span),
        sell_usd_per_mwh=world.sell_usd_per_mwh(world.spot_usd_per_mwh[:, span], span),
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
        rate_usd_per_mwh=meter_rates_usd_per_mwh(world, span, known_at=None),
        export_usd_per_mwh=_export_usd_per_mwh(world, span),
    )
    if begin + count >= world.last:
        return window
    return replace(window, stored_usd_per_mwh=mean_stored_usd_per_mwh(world, window))


def as_known(world: World, window: Window, *, at: int) -> Window:
    """Return a window without what nobody knows in interval `at`.

    Cuts and losses that are not announced yet have not happened, and rates that depend on what
    others will do (coincident peaks) are believed. Prices, arrivals and outputs are the
    forecaster's.
    """
    limits_mw = window.import_limit_mw.copy()
    span = np.minimum(np.arange(window.edges[0], window.edges[-1]), world.last - 1)
    if any(cut.announced > at for cut in world.cuts):
        fine_mw = world.import_limit_mw[:, span].copy()
        for cut in world.cuts:
            if cut.announced > at:
                hit = (span >= cut.begin) & (span < cut.end)
                fine_mw[cut.site, hit] += cut.lost_mw[span[hit] - cut.begin]
        limits_mw = np.minimum.reduceat(fine_mw, window.edges[:-1] - window.edges[0], axis=1)
    rates = meter_rates_usd_per_mwh(world, span, known_at=at)
    starts, counts = window.edges[:-1] - window.edges[0], np.diff(window.edges)
    exports_mw, blocks_mw = _before_losses(world, window, span, at=at)
    return replace(
        window,
        import_limit_mw=limits_mw,
        export_limit_mw=exports_mw,
        meter_block_mw=blocks_mw,
        rate_usd_per_mwh=np.add.reduceat(rates, starts, axis=2) / counts,
        known_at=at,
    )


def _before_losses(
    world: World, window: Window, span: IntArray, *, at: int
) -> tuple[FloatArray, FloatArray]:
    """Return export limits and blocks behind the meter without losses that nobody knows [S, n]."""
    hidden = [loss for loss in world.losses if loss.site is not None and loss.announced > at]
    if not hidden:
        return window.export_limit_mw, window.meter_block_mw
    exports_mw = world.export_limit_mw[:, span].copy()
    blocks_mw = world.block_delivery_mw(behind_the_meter=True)[:, span]
    for loss in hidden:
        hit = (span >= loss.begin) & (span < loss.end)
        exports_mw[loss.site, hit] += loss.export_mw[span[hit] - loss.begin]
        blocks_mw[loss.site, hit] += loss.block_mw[span[hit] - loss.begin]
    starts = window.edges[:-1] - window.edges[0]
    blocks = np.add.reduceat(blocks_mw, starts, axis=1) / np.diff(window.edges)
    return np.minimum.reduceat(exports_mw, starts, axis=1), np.asarray(blocks)


def meter_rates_usd_per_mwh(world: World, span: IntArray, *, known_at: int | None) -> FloatArray:
    """Return what contracts charge on each MWh imported, by part of a price [K, S, n]."""
    total = np.zeros((len(RATE_KINDS), world.sites_count, span.size))
    for rate in world.rates:
        usd_per_mwh = rate.import_usd_per_mwh
        if known_at is not None and rate.believed_usd_per_mwh is not None:
            usd_per_mwh = rate.believed_usd_per_mwh(known_at)
        total[RATE_KINDS.index(rate.kind), rate.site] += usd_per_mwh[span]
    return total


def _export_usd_per_mwh(world: World, span: IntArray) -> FloatArray:
    total = np.zeros((world.sites_count, span.size))
    for rate in world.rates:
        total[rate.site] += rate.export_usd_per_mwh[span]
    return total


def mean_stored_usd_per_mwh(world: World, window: Window) -> FloatArray:
    """Return the window's mean purchase price x discharge efficiency, by battery [B]."""
    raised = window.buy_usd_per_mwh + window.rate_usd_per_mwh[RATE_KINDS.index("energy")]
    mean = raised[:, : window.live_count].mean(axis=1)
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
    live = window.live_count
    edges = window.edges - window.edges[0]
    for at, load in enumerate(world.workloads):
        if not load.defer_count:
            continue
        arrived = np.concatenate(([0.0], np.cumsum(window.arrivals_mtok[at])))
        # Within an interval that holds several of the world's, work arrives evenly.
        before = np.interp(np.maximum(0, edges[1:] - load.defer_count), edges, arrived)
        recent = arrived[1:] - before
        tail = np.append(state.backlog_mtok[at][::-1].cumsum()[::-1], 0.0)
        later = tail[np.minimum(edges[1:], tail.size - 1)]
        limits[at] = recent + later
        limits[at, live - 1 :] = 0.0
    return limits


def waiting_intervals(world: World, window: Window, *, at: int, workload: int) -> range:
    """Return the intervals at whose end work that arrives in interval `at` may still wait."""
    waits_until = window.edges[at] + world.workloads[workload].defer_count
    last = int(np.searchsorted(window.edges, waits_until))
    return range(at, max(at, min(last, window.live_count - 1)))


def _stack(rows: list[FloatArray], count: int) -> FloatArray:
    return np.array(rows) if rows else np.zeros((0, count))
