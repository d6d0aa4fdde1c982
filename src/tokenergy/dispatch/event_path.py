"""What the fleet does at once when a feed trips or the grid calls: no program, milliseconds.

In this order (dispatch sheet, section 5), each only as far as the one before did not suffice:
batteries give; replicas without work go to sleep (nothing is lost by it); work that may wait
waits; work moves to sites with room; it is answered by a lesser model within the quality floor;
the least valuable is refused. Priority tiers are cut last of all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tokenergy.dispatch.columns import quality_loss_usd_per_mtok
from tokenergy.dispatch.event_fill import (
    Planned,
    Way,
    has_lesser,
    keep_awake,
    left_must_mtok,
    loss_of,
    refill,
)
from tokenergy.dispatch.event_meter import ActionMeter
from tokenergy.dispatch.fill import Fill, Lane
from tokenergy.dispatch.interval import Intervals
from tokenergy.dispatch.outages import Limits, limits_at
from tokenergy.dispatch.world import NOWHERE, Action, Cut, FloatArray, Loss, State, World

SOURCE = "event_path"
StepName = Literal["battery", "sleep", "defer", "reroute", "downgrade", "refuse"]
STEPS: tuple[StepName, ...] = ("battery", "sleep", "defer", "reroute", "downgrade", "refuse")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One step of a response.

    Attributes:
        name: what was done.
        mw: what it took off each site's meter; negative where work came to [S].
        mtok: the work that it moved, by workload [W]; 0 for batteries and sleep.
    """

    name: StepName
    mw: FloatArray
    mtok: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """What is done at once instead of what was planned.

    Attributes:
        action: the action that keeps every limit.
        steps: what was done, in order; steps that did nothing are left out.
        before_mw, after_mw: import over each connection as planned, and as done [S].
        lost_value_usd: worth of what was refused or downgraded beyond the plan.
        refused_mtok: work refused beyond the plan [W].
    """

    action: Action
    steps: tuple[Step, ...]
    before_mw: FloatArray
    after_mw: FloatArray
    lost_value_usd: float
    refused_mtok: FloatArray


class EventPath:
    """Responses to events in one world; made beforehand, so that an event finds it ready."""

    def __init__(self, world: World) -> None:
        """Spread routes, prices and coefficients once."""
        self._world = world
        self._intervals = Intervals(world)
        self._meter = ActionMeter(world)
        self._lanes = self._intervals.by_load
        self._quality_usd_per_mtok = quality_loss_usd_per_mtok(world)

    def mended(self, at: int, state: State, action: Action) -> Action:
        """Return an action that was decided without knowing of an event, made to fit it.

        One that fits, or an interval in which nothing happened that was not announced, comes back
        as it is.

        Raises:
            InfeasibleProgram: if no action keeps every limit.
        """
        if not _surprised(self._world, at):
            return action
        limits = limits_at(self._world, at)
        if self._meter.fits(at, state, action, limits):
            return action
        return self.respond(at, state, action, limits).action

    def respond(
        self, at: int, state: State, action: Action, limits: Limits | None = None
    ) -> Response:
        """Return what to do at once in interval `at`.

        Args:
            at: index of the interval.
            state: what the past left.
            action: what was planned.
            limits: what is there now; None: what the world says.

        Raises:
            InfeasibleProgram: if no action keeps every limit.
        """
        there = limits_at(self._world, at) if limits is None else limits
        before_mw = self._meter.import_mw(at, state, action, there)
        charged_mw = self._given(state, action, before_mw - there.import_limit_mw, there)
        done = replace(
            action,
            charge_mw=charged_mw.clip(min=0.0),
            discharge_mw=(-charged_mw).clip(min=0.0),
            source=SOURCE,
        )
        if not self._meter.fits(at, state, done, there):
            done = self._refilled(at, state, done, there)
        return self._told(at, state, action, done, before_mw, there)

    def _given(
        self, state: State, action: Action, excess_mw: FloatArray, there: Limits
    ) -> FloatArray:
        """Return charge less discharge of each battery, lowered by what its site lacks [B]."""
        power_mw = action.charge_mw - action.discharge_mw
        left_mw = excess_mw.clip(min=0.0)
        for battery, site in enumerate(self._world.battery_site):
            if not there.alive[site]:
                power_mw[battery] = 0.0
                continue
            least_mw = -self._intervals.discharge_limit_mw(battery, state)
            lower_mw = min(left_mw[site], max(0.0, power_mw[battery] - least_mw))
            power_mw[battery] -= lower_mw
            left_mw[site] -= lower_mw
        return np.asarray(power_mw)

    def _refilled(self, at: int, state: State, action: Action, there: Limits) -> Action:
        """Return the planned work placed again within what is there."""
        planned = Planned.of(self._world, at, state, action)
        asked_mw = (action.charge_mw - action.discharge_mw).tolist()
        fill, power_mw = self._intervals.begin(at, state, battery_mw=asked_mw, limits=there)
        way, best = self._placed(fill, planned)
        if left_must_mtok(best, planned).any():
            most_mw = self._most_given(state, best, planned, power_mw, there)
            fill, all_mw = self._intervals.begin(at, state, battery_mw=most_mw, limits=there)
            way, best = self._placed(fill, planned)
            best = self._with_lesser(fill, planned, way, best)
            power_mw = self._taken_back(best, all_mw, power_mw)
        keep_awake(best, action)
        done = self._intervals.close(
            best,
            power_mw,
            at=at,
            state=state,
            source=SOURCE,
            soon_mtok=[0.0] * len(self._world.workloads),
        )
        return replace(
            done,
            asked_usd_per_mtok=action.asked_usd_per_mtok,
            mw_rent_usd_per_mwh=action.mw_rent_usd_per_mwh,
        )

    def _tried(self, empty: Fill, planned: Planned, way: Way) -> Fill:
        fresh = Fill(empty.world, empty.lanes, empty.present)
        return refill(fresh, planned, self._lanes, way)

    def _placed(self, empty: Fill, planned: Planned) -> tuple[Way, Fill]:
        """Place everything where it was; if that loses work, the dearest before all else."""
        kept = self._tried(empty, planned, Way())
        if not left_must_mtok(kept, planned).any():
            return Way(), kept
        ranked = self._tried(empty, planned, Way(by_rank=True))
        if self._loss(ranked, planned) < self._loss(kept, planned):
            return Way(by_rank=True), ranked
        return Way(), kept

    def _loss(self, fill: Fill, planned: Planned) -> tuple[float, float, float]:
        return loss_of(fill, planned, self._quality_usd_per_mtok)

    def _with_lesser(self, empty: Fill, planned: Planned, way: Way, best: Fill) -> Fill:
        """Answer more by lesser models while that loses less than refusing, no more than needed.

        The least valuable first; of each the smallest part that leaves nobody refused, to 1/64.
        """
        for rank in reversed(planned.ranks):
            if not left_must_mtok(best, planned).any():
                break
            if not has_lesser(self._world, self._lanes[rank]):
                continue
            low, high = 0.0, 1.0
            found = self._tried(empty, planned, _with(way, rank, high))
            if self._loss(found, planned) >= self._loss(best, planned):
                continue
            while high - low > 1.0 / 64.0:
                middle = 0.5 * (low + high)
                tried = self._tried(empty, planned, _with(way, rank, middle))
                if self._loss(tried, planned) < self._loss(found, planned):
                    found, high = tried, middle
                else:
                    low = middle
            way, best = _with(way, rank, high), found
        return best

    def _most_given(
        self, state: State, fill: Fill, planned: Planned, power_mw: list[float], there: Limits
    ) -> list[float]:
        """Return batteries that give all they can where work found no room, the rest as before."""
        short = np.flatnonzero(left_must_mtok(fill, planned)).tolist()
        crowded = fill.crowded_sites(short)
        return [
            min(power, -self._intervals.discharge_limit_mw(battery, state))
            if site in crowded and there.alive[site]
            else power
            for battery, (site, power) in enumerate(
                zip(self._world.battery_site, power_mw, strict=True)
            )
        ]

    def _taken_back(self, fill: Fill, all_mw: list[float], before_mw: list[float]) -> list[float]:
        """Hold what batteries gave beyond the need that work had after all."""
        power_mw = list(all_mw)
        for battery, site in enumerate(self._world.battery_site):
            back_mw = min(before_mw[battery] - power_mw[battery], fill.room_mw(site))
            if back_mw > 0.0:
                power_mw[battery] += back_mw
                fill.add_load(site, back_mw)
        return power_mw

    def _told(
        self,
        at: int,
        state: State,
        planned: Action,
        done: Action,
        before_mw: FloatArray,
        there: Limits,
    ) -> Response:
        world = self._world
        after_mw = self._meter.import_mw(at, state, done, there)
        moved = _Moved(world, at, planned, done, self._lanes)
        none = np.zeros(len(world.workloads))
        battery_mw = np.zeros(world.sites_count)
        less_mw = planned.charge_mw - planned.discharge_mw - done.charge_mw + done.discharge_mw
        np.add.at(battery_mw, np.array(world.battery_site, dtype=np.int64), less_mw)
        steps = {"battery": (battery_mw, none)} | moved.steps
        rest_mw = before_mw - after_mw - sum(mw for mw, _ in steps.values())
        steps["sleep"] = (np.asarray(rest_mw), none)
        lost_usd = float(
            np.array([load.value_usd_per_mtok for load in world.workloads]) @ moved.refused_mtok
        )
        lost_usd += float(self._quality_usd_per_mtok @ (done.serve_mtok - planned.serve_mtok))
        return Response(
            action=done,
            steps=tuple(
                Step(name=name, mw=steps[name][0], mtok=steps[name][1])
                for name in STEPS
                if np.abs(steps[name][0]).max() > 1e-9 or steps[name][1].max(initial=0.0) > 1e-9
            ),
            before_mw=before_mw,
            after_mw=after_mw,
            lost_value_usd=lost_usd,
            refused_mtok=moved.refused_mtok,
        )


class _Moved:
    """What became of the planned work: by workload, and in megawatts at the meters."""

    def __init__(
        self,
        world: World,
        at: int,
        planned: Action,
        done: Action,
        lanes: Sequence[Sequence[Lane]],
    ) -> None:
        count = len(world.workloads)
        self._world, self._pue = world, world.pue[:, at]
        self.refused_mtok = np.maximum(0.0, done.refused_mtok - planned.refused_mtok)
        self.steps = {
            name: (np.zeros(world.sites_count), np.zeros(count))
            for name in ("defer", "reroute", "downgrade", "refuse")
        }
        for workload, mine in enumerate(lanes):
            self._workload(workload, mine, done.serve_mtok - planned.serve_mtok)

    def _workload(self, workload: int, lanes: Sequence[Lane], change: FloatArray) -> None:
        """Split what a workload lost on its lanes over where it went."""
        cut = {lane: -float(change[lane.route]) for lane in lanes if change[lane.route] < 0.0}
        whole_mtok = sum(cut.values())
        if whole_mtok <= 1e-12:
            return
        routes = self._world.routes
        worst = min(routes[lane.route].quality_share for lane in cut)
        parts: dict[str, float] = {"refuse": float(self.refused_mtok[workload])}
        for lane in lanes:
            more_mtok = float(change[lane.route])
            if more_mtok > 0.0:
                lesser = routes[lane.route].quality_share < worst
                name = "downgrade" if lesser else "reroute"
                parts[name] = parts.get(name, 0.0) + more_mtok
                self._add(name, lane, -more_mtok)
        parts["defer"] = max(0.0, whole_mtok - sum(parts.values()))
        for name, mtok in parts.items():
            self.steps[name][1][workload] += mtok
            for lane, lost_mtok in cut.items():
                self._add(name, lane, lost_mtok * mtok / whole_mtok)

    def _add(self, name: str, lane: Lane, mtok: float) -> None:
        if lane.site != NOWHERE:
            it_mw = mtok * lane.held.it_mwh_per_mtok / self._world.step_h
            self.steps[name][0][lane.site] += it_mw * self._pue[lane.site]


def _with(way: Way, rank: int, lesser_share: float) -> Way:
    return replace(way, lesser_share={**way.lesser_share, rank: lesser_share})


def _surprised(world: World, at: int) -> bool:
    """Tell whether something is happening in an interval that was not announced before it."""
    events: tuple[Cut | Loss, ...] = (*world.cuts, *world.losses)
    return any(event.begin <= at < min(event.end, event.announced) for event in events)


def mender(world: World) -> Callable[[int, State, Action], Action]:
    """Return `EventPath.mended` of a world, made once; where all is announced, nothing to do."""
    events: tuple[Cut | Loss, ...] = (*world.cuts, *world.losses)
    if any(event.begin < min(event.end, event.announced) for event in events):
        return EventPath(world).mended
    return lambda at, state, action: action
