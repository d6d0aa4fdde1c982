"""An interval filled again in an event: what was planned, as far as it fits, the dearest first.

What has to be cut last is placed first. Work that must run now is kept where it was planned,
priority tiers and dear work before the rest; what finds no room there goes to another site with
the same model or a better one, then to a lesser model within the tier's quality floor; what still
finds none is left. Work that may wait comes after all of that, where it was planned, in the room
that is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tokenergy.company.company import Company
from tokenergy.dispatch.fill import Fill, Lane
from tokenergy.dispatch.order import serve_upto
from tokenergy.dispatch.patience import due_mtok
from tokenergy.dispatch.world import Action, FloatArray, State, World

NOTHING_SHARE = 1e-9
"""Part of a workload's planned work that is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planned:
    """What an action meant to serve, split into work that must run now and work that may wait.

    Attributes:
        must_mtok, may_mtok: by route [R].
        ranks: workloads, the one that is cut last first.
        kept_at_any_cost: whether a workload is served whatever that costs [W].
    """

    must_mtok: FloatArray
    may_mtok: FloatArray
    ranks: tuple[int, ...]
    kept_at_any_cost: tuple[bool, ...]

    @classmethod
    def of(cls, world: World, at: int, state: State, action: Action) -> "Planned":
        """Return what an action planned for interval `at`."""
        load_of = np.array([r.workload for r in world.routes], dtype=np.int64)
        serve = np.maximum(0.0, action.serve_mtok)
        served = np.bincount(load_of, serve, minlength=len(world.workloads))
        due = due_mtok(world, at, state)
        must_share = np.minimum(1.0, due / np.maximum(served, 1e-300))
        must_mtok = serve * must_share[load_of]
        first = [_priority(world, load.tier_index) for load in world.workloads]
        loads = world.workloads
        ranks = sorted(
            range(len(loads)),
            key=lambda w: (not first[w], not loads[w].must_serve, -loads[w].value_usd_per_mtok, w),
        )
        return cls(
            must_mtok=must_mtok,
            may_mtok=serve - must_mtok,
            ranks=tuple(ranks),
            kept_at_any_cost=tuple(first),
        )


def _priority(world: World, tier_index: int) -> bool:
    """Tell whether a tier is sold as priority; worlds made of arrays alone have no tiers."""
    company = _company_of(world)
    return company is not None and company.tiers[tier_index].service_tier == "priority"


def _company_of(world: World) -> Company | None:
    """Return the company behind the arrays."""
    return world.company


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to place the plan again.

    Attributes:
        by_rank: whether work of a higher rank may take the room that lesser work was planned in.
        lesser_share: part of a workload that lesser models answer from the start, by workload:
            they draw less, so that more of it is answered at all.
    """

    by_rank: bool = False
    lesser_share: Mapping[int, float] = field(default_factory=dict)


def refill(fill: Fill, planned: Planned, lanes: Sequence[Sequence[Lane]], way: Way) -> Fill:
    """Place planned work on an empty fill, and return it.

    Args:
        fill: nothing served yet.
        planned: what was to be served.
        lanes: the lanes of each workload.
        way: how.
    """
    turns = [(rank,) for rank in planned.ranks] if way.by_rank else [planned.ranks]
    for turn in turns:
        short = {rank: _begun(fill, planned, lanes[rank], way, rank) for rank in turn}
        for same_or_better in (True, False):
            for rank in turn:
                any_cost = planned.kept_at_any_cost[rank]
                short[rank] = [
                    (lane, _moved(fill, lane, mtok, lanes[rank], same_or_better, any_cost))
                    for lane, mtok in short[rank]
                ]
    for rank in planned.ranks:
        _kept(fill, planned.may_mtok, lanes[rank])
    return fill


def _begun(
    fill: Fill, planned: Planned, lanes: Sequence[Lane], way: Way, rank: int
) -> list[tuple[Lane, float]]:
    """Keep a workload where it was planned, and give a part of it to lesser models."""
    lesser_share = way.lesser_share.get(rank, 0.0)
    short = _kept(fill, (1.0 - lesser_share) * planned.must_mtok, lanes)
    for lane in lanes:
        lesser_mtok = lesser_share * float(planned.must_mtok[lane.route])
        if lesser_mtok > 0.0:
            any_cost = planned.kept_at_any_cost[rank]
            short.append((lane, _moved(fill, lane, lesser_mtok, lanes, False, any_cost)))
    return short


def _kept(fill: Fill, mtok: FloatArray, lanes: Sequence[Lane]) -> list[tuple[Lane, float]]:
    """Serve a workload where it was planned; return what found no room, by lane.

    Lanes above the quality floor go first: what lies below lives on their credit.
    """
    short = []
    for lane in sorted(lanes, key=lambda lane: -lane.above_floor_share):
        wanted_mtok = float(mtok[lane.route])
        if wanted_mtok <= 0.0:
            continue
        left_mtok = wanted_mtok - serve_upto(fill, lane, wanted_mtok)
        if left_mtok > NOTHING_SHARE * wanted_mtok:
            short.append((lane, left_mtok))
    return short


def _moved(
    fill: Fill,
    planned: Lane,
    mtok: float,
    lanes: Sequence[Lane],
    same_or_better: bool,
    any_cost: bool,
) -> float:
    """Serve work on the cheapest other lanes of like quality, or of less; return what is left."""
    routes = fill.world.routes
    quality = routes[planned.route].quality_share
    others = [
        lane
        for lane in lanes
        if lane is not planned and (routes[lane.route].quality_share >= quality) == same_or_better
    ]
    left_mtok = mtok
    while left_mtok > NOTHING_SHARE * mtok:
        offers = [
            (cost, at, room)
            for at, lane in enumerate(others)
            for cost, room in (fill.offer(lane),)
            if room > 0.0 and (any_cost or cost < lane.value_usd_per_mtok)
        ]
        if not offers:
            return left_mtok
        _, at, room = min(offers)
        placed_mtok = min(room, left_mtok)
        fill.serve(others[at], placed_mtok)
        left_mtok -= placed_mtok
    return 0.0


def keep_awake(fill: Fill, action: Action) -> None:
    """Keep replicas awake, and wake them, as planned, in the room that work has left."""
    for at, target in enumerate(fill.world.deployments):
        if target.external or at >= action.awake.size:
            continue
        before, wanted = fill.present.awake_count[at], float(action.awake[at])
        for idle, each_mw, do in (
            (min(wanted, before), fill.holding_mw(at), fill.hold),
            (wanted, fill.waking_mw(at), fill.wake),
        ):
            count = min(
                idle - fill.awake_count(at),
                fill.gpus_left_count[target.fleet] / target.gpus_count,
                fill.room_mw(target.site) / each_mw if each_mw > 0.0 else np.inf,
            )
            if count > 0.0:
                do(at, count)


def left_must_mtok(fill: Fill, planned: Planned) -> FloatArray:
    """Return the work that must run and found no room [W]."""
    load_of = np.array([r.workload for r in fill.world.routes], dtype=np.int64)
    count = len(fill.world.workloads)
    wanted = np.bincount(load_of, planned.must_mtok, minlength=count)
    served = np.bincount(load_of, np.array(fill.serve_mtok), minlength=count)
    short = np.maximum(0.0, wanted - served)
    return np.where(short > NOTHING_SHARE * wanted, short, 0.0)


def loss_of(
    fill: Fill, planned: Planned, quality_usd_per_mtok: FloatArray
) -> tuple[float, float, float]:
    """Return what a fill loses: priority work, work that must be served, and money.

    The smaller, the better, the first first: Mtok, USD and USD.
    """
    short = left_must_mtok(fill, planned)
    loads = fill.world.workloads
    value_usd = short * np.array([load.value_usd_per_mtok for load in loads])
    must_serve = np.array([load.must_serve for load in loads], dtype=bool)
    lost_usd = float(value_usd.sum() + quality_usd_per_mtok @ np.array(fill.serve_mtok))
    priority_mtok = float(short[np.array(planned.kept_at_any_cost, dtype=bool)].sum())
    return priority_mtok, float(value_usd[must_serve].sum()), lost_usd


def has_lesser(world: World, lanes: Sequence[Lane]) -> bool:
    """Tell whether a workload can be answered by more than one quality of model."""
    return len({world.routes[lane.route].quality_share for lane in lanes}) > 1
