"""What work and power cost in the week before an interval; nothing later is read.

A workload's cheapest places in an hour are the lanes in its reach, the cheapest first, up to the
one at which that hour's work would have been placed if all work were spread evenly over what
there is. That lane's cost is what the hour's cheap places cost.
"""

from collections.abc import Sequence

import numpy as np

from tokenergy.dispatch.fill import Lane
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.world import NOWHERE, FloatArray, World
from tokenergy.units import H_PER_DAY

WEEK_H = 7.0 * H_PER_DAY


class LastWeek:
    """Costs of a Mtok at cheap places by workload, prices by site, as far as an interval knows."""

    def __init__(self, intervals: Intervals) -> None:
        """Lay out the costs of each workload's places once."""
        world, lanes_of_load = intervals.world, intervals.by_load
        self._world, self._gpus_count = world, intervals.gpus_count
        self._count = max(1, round(WEEK_H / world.step_h))
        # As the intervals price it: with the rates on the meter that are public.
        self._buy_usd_per_mwh = intervals.costs.buy_usd_per_mwh[:, : world.last]
        self._racks_usd_per_mwh = self._buy_usd_per_mwh * world.pue[:, : world.last]
        self._room_mw = _room_mw(intervals)
        asked_mw = _asked_mw(world, lanes_of_load)
        self._asked_share = np.minimum(1.0, asked_mw / np.maximum(self._room_mw.sum(axis=0), 1e-12))
        self._places = [
            self._of(_best_lanes(lanes), load.value_usd_per_mtok)
            for lanes, load in zip(lanes_of_load, world.workloads, strict=True)
        ]

    def usd_per_mtok(self, workload: int, at: int) -> FloatArray:
        """Return what a Mtok cost at each hour's last cheap place, the present included [n]."""
        return self._places[workload][0][max(0, at + 1 - self._count) : at + 1]

    def buy_usd_per_mwh(self, site: int, at: int) -> FloatArray:
        """Return what a MWh cost at a site, the present included [n]."""
        return self._buy_usd_per_mwh[site, max(0, at + 1 - self._count) : at + 1]

    def free_mtok(self, workload: int, at: int) -> float:
        """Return what its places could do in an interval like `at` beside that hour's arrivals."""
        return float(self._places[workload][1][at])

    def _of(
        self, lanes: Sequence[Lane], value_usd_per_mtok: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return the cost of the last cheap place, and the work that places have room for [T].

        Without a place of one's own it is what the work is worth: waiting would not help.
        """
        total = self._asked_share.size
        if not lanes:
            return np.full(total, value_usd_per_mtok), np.zeros(total)
        usd = np.array(
            [
                lane.paid_usd_per_mtok
                + lane.held.lease_usd_per_mtok
                + lane.held.it_mwh_per_mtok * self._racks_usd_per_mwh[lane.site]
                for lane in lanes
            ]
        )
        room_mtok = np.array([self._room_mtok(lane) for lane in lanes])
        whole_mtok = room_mtok.sum(axis=0)
        order = np.argsort(usd, axis=0, kind="stable")
        filled_mtok = np.take_along_axis(room_mtok, order, axis=0).cumsum(axis=0)
        last = (filled_mtok < whole_mtok * self._asked_share).sum(axis=0)
        last = np.minimum(last, len(lanes) - 1)
        place = np.take_along_axis(order, last[None], axis=0)
        return (
            np.take_along_axis(usd, place, axis=0)[0],
            whole_mtok * (1.0 - self._asked_share),
        )

    def _room_mtok(self, lane: Lane) -> FloatArray:
        """Return what a lane alone could serve of its workload, within GPUs and import [T]."""
        by_gpus_mtok: FloatArray = self._gpus_count[lane.fleet] / lane.held.gpus_per_mtok
        if lane.held.it_mwh_per_mtok <= 0.0:
            return by_gpus_mtok
        room_mwh = self._room_mw[lane.site] * self._world.step_h
        return np.asarray(np.minimum(by_gpus_mtok, room_mwh / lane.held.it_mwh_per_mtok))


def _best_lanes(lanes: Sequence[Lane]) -> list[Lane]:
    """Return one lane a fleet: the one that draws least among those at the tier's quality."""
    best: dict[int, Lane] = {}
    for lane in lanes:
        below_floor = lane.tier != NOWHERE and lane.above_floor_share < 0.0
        if lane.site == NOWHERE or below_floor:
            continue
        held = best.get(lane.fleet)
        if held is None or lane.held.it_mwh_per_mtok < held.held.it_mwh_per_mtok:
            best[lane.fleet] = lane
    return list(best.values())


def _room_mw(intervals: Intervals) -> FloatArray:
    """Return the power at the racks that work could draw: of its GPUs, within the import [S, T]."""
    world, until = intervals.world, intervals.world.last
    room_mw = world.import_limit_mw[:, :until] / world.pue[:, :until] - intervals.standing_mw
    drawn_mw = np.zeros_like(room_mw)
    for fleet, spec in enumerate(world.fleets):
        mine = (lane.held for lane in intervals.lanes if lane.fleet == fleet)
        draws = [draw.it_mwh_per_mtok / draw.gpus_per_mtok for draw in mine]
        drawn_mw[spec.site] += intervals.gpus_count[fleet] * max(draws, default=0.0) / world.step_h
    return np.asarray(np.minimum(room_mw, drawn_mw).clip(min=0.0))


def _asked_mw(world: World, lanes_of_load: Sequence[Sequence[Lane]]) -> FloatArray:
    """Return the power at the racks that each interval's arrivals need [T]."""
    asked_mw = np.zeros(world.last)
    for arrivals_mtok, lanes in zip(
        world.arrivals_mtok[:, : world.last], lanes_of_load, strict=True
    ):
        each = [lane.held.it_mwh_per_mtok for lane in _best_lanes(lanes)]
        asked_mw += arrivals_mtok * (float(np.mean(each)) if each else 0.0) / world.step_h
    return asked_mw
