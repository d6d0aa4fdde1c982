"""In which order work is placed: by marginal cost, or on one lane whatever it costs."""

from heapq import heapify, heappop, heappush

from tokenergy.dispatch.fill import Fill, Lane
from tokenergy.dispatch.world import NOWHERE


def merit_order(fill: Fill) -> Fill:
    """Fill an interval by marginal cost, also with dearer workloads first; return the better.

    The order among equally dear workloads is by cost alone; with one value there is one order.

    Args:
        fill: an empty fill; it may be the one returned.
    """
    values = [load.value_usd_per_mtok for load in fill.world.workloads]
    dearest_first = sorted(set(values), reverse=True)
    again = Fill(fill.world, fill.lanes, fill.present)
    _fill_by_cost(fill, ranks=[0] * len(values))
    if len(dearest_first) == 1:
        return fill
    _fill_by_cost(again, ranks=[dearest_first.index(value) for value in values])
    return again if again.usd() < fill.usd() else fill


def _fill_by_cost(fill: Fill, *, ranks: list[int]) -> None:
    """Serve the lowest (rank of its workload, marginal cost) again and again.

    Costs only rise while a site and a fleet fill up, so a lane's last known cost is a lower
    bound: the heap's first lane is asked again, and is the cheapest if its cost has not moved.
    """
    heap: list[tuple[int, float, int]] = []
    held_to_floor: dict[int, list[int]] = {}
    for at, lane in enumerate(fill.lanes):
        cost, mtok = fill.offer(lane)
        if mtok > 0.0:
            heap.append((ranks[lane.workload], cost, at))
        elif lane.tier != NOWHERE:
            held_to_floor.setdefault(lane.tier, []).append(at)
    heapify(heap)
    while heap:
        rank, _, at = heappop(heap)
        lane = fill.lanes[at]
        cost, mtok = fill.offer(lane)
        if mtok <= 0.0:
            if lane.tier != NOWHERE and lane.above_floor_share < 0.0:
                held_to_floor.setdefault(lane.tier, []).append(at)
            continue
        if cost >= lane.value_usd_per_mtok:
            continue
        if heap and (rank, cost, at) > heap[0]:
            heappush(heap, (rank, cost, at))
            continue
        fill.serve(lane, mtok)
        heappush(heap, (rank, cost, at))
        if lane.tier != NOWHERE and lane.above_floor_share > 0.0:
            for other in held_to_floor.pop(lane.tier, []):
                heappush(heap, (ranks[fill.lanes[other].workload], cost, other))


def serve_upto(fill: Fill, lane: Lane, limit_mtok: float) -> float:
    """Serve on one lane whatever it costs, up to a limit; return what was served."""
    served_mtok = 0.0
    while served_mtok < limit_mtok:
        _, mtok = fill.offer(lane)
        mtok = min(mtok, limit_mtok - served_mtok)
        if mtok <= 0.0:
            break
        fill.serve(lane, mtok)
        served_mtok += mtok
    return served_mtok
