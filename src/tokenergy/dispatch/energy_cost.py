"""What energy costs a site in one interval, as its load grows: a convex line in segments.

A load at the meter is carried by flows over the connection and by as-produced power behind the
meter. Over the connection, the first MW only give up a sale: blocks and as-produced power
delivered over the grid are worth their resale; then come contracts that are dearer than resale
but cheaper than buying; then the spot market. Behind the meter each contract that may be
curtailed is a segment at its own cost. Sorted by cost, the segments are the site's merit order:
it starts at the least load that the site can have (all the export it may) and ends at the most
that contracts and import limit can carry.
"""

from bisect import bisect_left
from dataclasses import dataclass

from tokenergy.dispatch.world import FloatArray, World

FLOW = -1
"""Source of a segment that is no contract behind the meter: the connection itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """MW at one price, from the connection (`FLOW`) or from a contract (its index)."""

    usd_per_mwh: float
    size_mw: float
    source: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTake:
    """An as-produced contract over the grid: how much of it one may leave, and what it costs."""

    contract: int
    floor_mw: float
    free_mw: float
    usd_per_mwh: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCurve:
    """The cost of load at one site in one interval.

    Loads are at the meter, after PUE and battery, before blocks and contracts.

    Attributes:
        least_mw: load below which power cannot leave the site.
        ends_mw: load at which each segment ends, ascending; the last is the most it can carry.
        slopes_usd_per_mwh: cost of one more MWh within each segment.
        sources: contract or `FLOW` behind each segment.
        export_mw: power that leaves at the least load.
        sure_mw: power delivered over the grid whatever the load is.
        meter_floors: (contract, MW) behind the meter that must be taken.
        grid_takes: contracts over the grid, the cheapest first.
        taken_first_count: grid contracts cheaper than resale: always taken whole.
    """

    least_mw: float
    ends_mw: tuple[float, ...]
    slopes_usd_per_mwh: tuple[float, ...]
    sources: tuple[int, ...]
    export_mw: float
    sure_mw: float
    meter_floors: tuple[tuple[int, float], ...]
    grid_takes: tuple[GridTake, ...]
    taken_first_count: int

    @property
    def most_mw(self) -> float:
        """Load above which neither contracts nor the connection can carry it."""
        return self.ends_mw[-1]

    def segment_at(self, load_mw: float) -> int:
        """Return the segment that the next MW of load falls into."""
        last = len(self.ends_mw) - 1
        at = bisect_left(self.ends_mw, load_mw)
        while at < last and self.ends_mw[at] - load_mw <= tiny_mw(self.ends_mw[at]):
            at += 1
        return min(at, last)

    def usd_per_h(self, load_mw: float) -> float:
        """Return what this load costs an hour above the least load."""
        total_usd_per_h, start_mw = 0.0, self.least_mw
        for end_mw, slope in zip(self.ends_mw, self.slopes_usd_per_mwh, strict=True):
            total_usd_per_h += slope * max(0.0, min(load_mw, end_mw) - start_mw)
            start_mw = end_mw
        return total_usd_per_h

    def flow_mw(self, load_mw: float) -> float:
        """Return import less export at this load: the power over the connection."""
        return -self.export_mw + sum(
            part_mw for source, part_mw in self._filled(load_mw) if source == FLOW
        )

    def position_mw(self, load_mw: float) -> float:
        """Return what is bought (positive) or sold (negative) at this load."""
        taken_mw = sum(part_mw for _, part_mw in self._grid_taken(load_mw))
        floors_mw = sum(take.floor_mw for take in self.grid_takes)
        first = self.grid_takes[: self.taken_first_count]
        already_mw = floors_mw + sum(take.free_mw for take in first)
        return self.flow_mw(load_mw) - self.sure_mw + already_mw - taken_mw

    def takes_mw(self, load_mw: float) -> list[tuple[int, float]]:
        """Return (contract, MW taken) of every as-produced contract of the site."""
        taken = dict(self.meter_floors)
        for source, part_mw in self._filled(load_mw):
            if source != FLOW:
                taken[source] += part_mw
        return list(taken.items()) + self._grid_taken(load_mw)

    def _filled(self, load_mw: float) -> list[tuple[int, float]]:
        """Return (source, MW) of each segment at this load."""
        parts, start_mw = [], self.least_mw
        for end_mw, source in zip(self.ends_mw, self.sources, strict=True):
            parts.append((source, max(0.0, min(load_mw, end_mw) - start_mw)))
            start_mw = end_mw
        return parts

    def _grid_taken(self, load_mw: float) -> list[tuple[int, float]]:
        """Return (contract, MW) over the grid: whole below resale, then only to avoid buying."""
        short_mw = self.flow_mw(load_mw) - self.sure_mw if self.grid_takes else 0.0
        taken = []
        for at, take in enumerate(self.grid_takes):
            free_mw = take.free_mw
            if at >= self.taken_first_count:
                free_mw = min(free_mw, max(0.0, short_mw))
                short_mw -= free_mw
            taken.append((take.contract, take.floor_mw + free_mw))
        return taken


def tiny_mw(around_mw: float) -> float:
    """Return a difference in MW that is rounding and nothing else."""
    return 1e-12 * max(1.0, abs(around_mw))


class EnergyCosts:
    """The curves of every site of a world, interval by interval."""

    def __init__(self, world: World) -> None:
        """Spread prices and deliveries once; nothing of it looks into the future."""
        self.buy_usd_per_mwh: FloatArray = world.buy_usd_per_mwh(world.spot_usd_per_mwh)
        sell = world.sell_usd_per_mwh(world.spot_usd_per_mwh)
        # Losses can turn a negative price so that buying pays more than selling costs. Nobody
        # may buy and sell the same MWh, so for decisions resale is never above purchase.
        self.sell_usd_per_mwh: FloatArray = sell.clip(max=self.buy_usd_per_mwh)
        self._world = world
        self._grid_block_mw = world.block_delivery_mw(behind_the_meter=False)
        self._meter_block_mw = world.block_delivery_mw(behind_the_meter=True)
        self._grid_takes = self._takes_by_site(behind_the_meter=False)
        self._meter_takes = self._takes_by_site(behind_the_meter=True)

    def curve(self, site: int, at: int) -> SiteCurve:
        """Return the cost of load at a site in interval `at`."""
        world = self._world
        buy = float(self.buy_usd_per_mwh[site, at])
        sell = float(self.sell_usd_per_mwh[site, at])
        takes = sorted(
            (self._grid_take(contract, at) for contract in self._grid_takes[site]),
            key=lambda take: take.usd_per_mwh,
        )
        first = sum(take.usd_per_mwh <= sell for take in takes)
        sure_mw = float(self._grid_block_mw[site, at]) + sum(take.floor_mw for take in takes)
        sure_mw += sum(take.free_mw for take in takes[:first])
        export_mw = float(world.export_limit_mw[site, at])
        segments = _flows(
            [take for take in takes[first:] if take.usd_per_mwh < buy],
            sure_mw=sure_mw,
            export_mw=export_mw,
            import_mw=float(world.import_limit_mw[site, at]),
            buy_usd_per_mwh=buy,
            sell_usd_per_mwh=sell,
        )
        floors = []
        for contract in self._meter_takes[site]:
            take = world.takes[contract]
            floor_mw = float(take.floor_mw[at])
            floors.append((contract, floor_mw))
            segments.append(
                Segment(
                    usd_per_mwh=float(take.take_usd_per_mwh[at]),
                    size_mw=float(take.available_mw[at]) - floor_mw,
                    source=contract,
                )
            )
        base_mw = float(self._meter_block_mw[site, at]) + sum(floor for _, floor in floors)
        return _laid_out(
            segments,
            least_mw=base_mw - export_mw,
            export_mw=export_mw,
            sure_mw=sure_mw,
            meter_floors=tuple(floors),
            grid_takes=tuple(
                take if rank < first or take.usd_per_mwh < buy else _left(take)
                for rank, take in enumerate(takes)
            ),
            taken_first_count=first,
        )

    def _takes_by_site(self, *, behind_the_meter: bool) -> list[list[int]]:
        by_site: list[list[int]] = [[] for _ in range(self._world.sites_count)]
        for at, take in enumerate(self._world.takes):
            if take.behind_the_meter == behind_the_meter:
                by_site[take.site].append(at)
        return by_site

    def _grid_take(self, contract: int, at: int) -> GridTake:
        take = self._world.takes[contract]
        floor_mw = float(take.floor_mw[at])
        return GridTake(
            contract=contract,
            floor_mw=floor_mw,
            free_mw=float(take.available_mw[at]) - floor_mw,
            usd_per_mwh=float(take.take_usd_per_mwh[at]),
        )


def _left(take: GridTake) -> GridTake:
    """Return a contract dearer than buying: only its floor is ever taken."""
    return GridTake(
        contract=take.contract,
        floor_mw=take.floor_mw,
        free_mw=0.0,
        usd_per_mwh=take.usd_per_mwh,
    )


def _flows(
    takes: list[GridTake],
    *,
    sure_mw: float,
    export_mw: float,
    import_mw: float,
    buy_usd_per_mwh: float,
    sell_usd_per_mwh: float,
) -> list[Segment]:
    """Return the segments of the connection, from full export to full import."""
    segments, reached_mw = [], -export_mw
    steps = [(sell_usd_per_mwh, sure_mw)]
    for take in takes:
        steps.append((take.usd_per_mwh, steps[-1][1] + take.free_mw))
    steps.append((buy_usd_per_mwh, import_mw))
    for usd_per_mwh, until_mw in steps:
        end_mw = min(import_mw, until_mw)
        if end_mw > reached_mw:
            segments.append(
                Segment(usd_per_mwh=usd_per_mwh, size_mw=end_mw - reached_mw, source=FLOW)
            )
            reached_mw = end_mw
    return segments


def _laid_out(
    segments: list[Segment],
    *,
    least_mw: float,
    export_mw: float,
    sure_mw: float,
    meter_floors: tuple[tuple[int, float], ...],
    grid_takes: tuple[GridTake, ...],
    taken_first_count: int,
) -> SiteCurve:
    """Sort segments by cost, a contract before a flow of the same cost, and add them up."""
    segments.sort(key=lambda part: (part.usd_per_mwh, part.source == FLOW))
    if not segments:
        segments = [Segment(usd_per_mwh=0.0, size_mw=0.0, source=FLOW)]
    ends, end_mw = [], least_mw
    for part in segments:
        end_mw += part.size_mw
        ends.append(end_mw)
    return SiteCurve(
        least_mw=least_mw,
        ends_mw=tuple(ends),
        slopes_usd_per_mwh=tuple(part.usd_per_mwh for part in segments),
        sources=tuple(part.source for part in segments),
        export_mw=export_mw,
        sure_mw=sure_mw,
        meter_floors=meter_floors,
        grid_takes=grid_takes,
        taken_first_count=taken_first_count,
    )
