"""What energy costs a site in one interval, as its load grows: a convex line in segments.

A load at the meter is carried by flows over the connection, by as-produced power behind the meter
and by plants on site. Over the connection, the first MW only give up a sale: blocks and
as-produced power delivered over the grid are worth their resale; then come contracts that are
dearer than resale but cheaper than buying; then the spot market, where its price rises in steps
one step after the other. What the meter is charged comes on top: for a MW exported less, what its
export pays; for a MW imported more, what imports pay. Behind the meter each contract that may be
curtailed, and each plant that runs, is a segment at its own cost. Sorted by cost, the segments are
the site's merit order: it starts at the least load that the site can have (all the export it may)
and ends at the most that contracts, plants and import limit can carry.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from tokenergy.dispatch.plants import RunningPlant, free_plants
from tokenergy.dispatch.terms.steps import PriceSteps
from tokenergy.dispatch.world import FloatArray, MeterRate, World

FLOW = -1
"""Source of a segment that is no contract behind the meter: the connection itself. Plant `u` is
the source `FLOW - 1 - u`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """MW at one price, from the connection (`FLOW`), a contract (its index) or a plant."""

    usd_per_mwh: float
    size_mw: float
    source: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GridTake:
    """An as-produced contract over the grid: how much of it one may leave, and what it costs.

    `after_mw` is what is bought at a lower price before any of it is taken.
    """

    contract: int
    floor_mw: float
    free_mw: float
    usd_per_mwh: float
    after_mw: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCurve:
    """The cost of load at one site in one interval.

    Loads are at the meter, after PUE and battery, before blocks and contracts.

    Attributes:
        least_mw: load below which power cannot leave the site.
        ends_mw: load at which each segment ends, ascending; the last is the most it can carry.
        slopes_usd_per_mwh: cost of one more MWh within each segment.
        sources: contract, plant or `FLOW` behind each segment.
        export_mw: power that leaves at the least load.
        sure_mw: power delivered over the grid whatever the load is.
        meter_floors: (contract, MW) behind the meter that must be taken.
        plant_floors: (plant, MW) that a plant gives as long as it runs.
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
    plant_floors: tuple[tuple[int, float], ...]
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
            if source > FLOW:
                taken[source] += part_mw
        return list(taken.items()) + self._grid_taken(load_mw)

    def generates_mw(self, load_mw: float) -> list[tuple[int, float]]:
        """Return (plant, MW) of every plant on site that may run."""
        given = dict(self.plant_floors)
        for source, part_mw in self._filled(load_mw):
            if source < FLOW:
                given[FLOW - 1 - source] += part_mw
        return list(given.items())

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
                free_mw = min(free_mw, max(0.0, short_mw - take.after_mw))
                short_mw -= free_mw
            taken.append((take.contract, take.floor_mw + free_mw))
        return taken


def tiny_mw(around_mw: float) -> float:
    """Return a difference in MW that is rounding and nothing else."""
    return 1e-12 * max(1.0, abs(around_mw))


class EnergyCosts:
    """The curves of every site of a world, interval by interval.

    Attributes:
        buy_usd_per_mwh: what a MWh costs that is bought and imported [S, T]: with the rates on
            the meter that are public, and within the first step.
        sell_usd_per_mwh: what one earns that is exported and sold [S, T], never more than that.
    """

    def __init__(self, world: World) -> None:
        """Spread prices and deliveries once; nothing of it looks into the future."""
        self._buy = world.buy_usd_per_mwh(world.spot_usd_per_mwh)
        # Losses can turn a negative price so that buying pays more than selling costs. Nobody
        # may buy and sell the same MWh, so for decisions resale is never above purchase.
        self._sell = world.sell_usd_per_mwh(world.spot_usd_per_mwh).clip(max=self._buy)
        self._world = world
        self._grid_block_mw = world.block_delivery_mw(behind_the_meter=False)
        self._meter_block_mw = world.block_delivery_mw(behind_the_meter=True)
        self._grid_takes = self._takes_by_site(behind_the_meter=False)
        self._meter_takes = self._takes_by_site(behind_the_meter=True)
        self._steps = steps_of(world)
        self._import_rate, self._export_rate = np.zeros_like(self._buy), np.zeros_like(self._buy)
        self._believed: list[list[MeterRate]] = [[] for _ in range(world.sites_count)]
        for rate in world.rates:
            self._export_rate[rate.site] += rate.export_usd_per_mwh
            if rate.believed_usd_per_mwh is None:
                self._import_rate[rate.site] += rate.import_usd_per_mwh
            else:
                self._believed[rate.site].append(rate)
        first = np.array([steps[0][0] for steps in self._steps])[:, None]
        self.buy_usd_per_mwh: FloatArray = self._buy + self._import_rate + first
        sell = self._sell - self._export_rate
        self.sell_usd_per_mwh: FloatArray = sell.clip(max=self.buy_usd_per_mwh)

    def curve(
        self,
        site: int,
        at: int,
        *,
        import_limit_mw: float | None = None,
        plants: Sequence[RunningPlant] | None = None,
    ) -> SiteCurve:
        """Return the cost of load at a site in interval `at`.

        Args:
            site: index of the site.
            at: index of the interval.
            import_limit_mw: what may be drawn in an event; None: what the world says.
            plants: the plants on site that run; None: those that start free of charge.
        """
        world, sell = self._world, float(self._sell[site, at])
        takes = sorted(
            (self._grid_take(contract, at) for contract in self._grid_takes[site]),
            key=lambda take: take.usd_per_mwh,
        )
        first = sum(take.usd_per_mwh <= sell for take in takes)
        sure_mw = float(self._grid_block_mw[site, at]) + sum(take.floor_mw for take in takes)
        sure_mw += sum(take.free_mw for take in takes[:first])
        export_mw = float(world.export_limit_mw[site, at])
        import_mw = float(world.import_limit_mw[site, at])
        later, bought = _ladder(takes[first:], float(self._buy[site, at]), self._steps[site])
        import_rate, export_rate = self._rates(site, at)
        segments = _flows(
            [(sell, sure_mw), *bought],
            export_mw=export_mw,
            import_mw=import_mw if import_limit_mw is None else import_limit_mw,
            import_usd_per_mwh=import_rate,
            export_usd_per_mwh=export_rate,
        )
        floors = [(contract, self._floor_mw(contract, at)) for contract in self._meter_takes[site]]
        segments += [self._free(contract, floor_mw, at) for contract, floor_mw in floors]
        running = free_plants(world, site, at) if plants is None else plants
        segments += [_plant_segment(plant) for plant in running]
        plant_floors = tuple((plant.plant, plant.floor_mw) for plant in running)
        base_mw = float(self._meter_block_mw[site, at])
        base_mw += sum(floor_mw for _, floor_mw in (*floors, *plant_floors))
        return _laid_out(
            segments,
            least_mw=base_mw - export_mw,
            export_mw=export_mw,
            sure_mw=sure_mw,
            meter_floors=tuple(floors),
            plant_floors=plant_floors,
            grid_takes=(*takes[:first], *later),
            taken_first_count=first,
        )

    def _rates(self, site: int, at: int) -> tuple[float, float]:
        """Return what an imported and an exported MWh pays at a site's meter, as believed now.

        Nobody may earn by importing and exporting the same MWh.
        """
        import_rate = float(self._import_rate[site, at])
        for rate in self._believed[site]:
            if rate.believed_usd_per_mwh is not None:
                import_rate += float(rate.believed_usd_per_mwh(at)[at])
        return import_rate, max(float(self._export_rate[site, at]), -import_rate)

    def _floor_mw(self, contract: int, at: int) -> float:
        return float(self._world.takes[contract].floor_mw[at])

    def _free(self, contract: int, floor_mw: float, at: int) -> Segment:
        """Return what may be taken of a contract behind the meter beyond its floor."""
        take = self._world.takes[contract]
        return Segment(
            usd_per_mwh=float(take.take_usd_per_mwh[at]),
            size_mw=float(take.available_mw[at]) - floor_mw,
            source=contract,
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


def steps_of(world: World) -> list[tuple[tuple[float, float], ...]]:
    """Return the steps of each site's import price: (adder in USD/MWh, MW)."""
    steps: list[tuple[tuple[float, float], ...]] = [((0.0, inf),)] * world.sites_count
    for term in world.terms:
        if isinstance(term, PriceSteps):
            steps[term.site] = tuple(zip(term.adder_usd_per_mwh, term.widths_mw, strict=True))
    return steps


def _plant_segment(running: RunningPlant) -> Segment:
    return Segment(
        usd_per_mwh=running.usd_per_mwh, size_mw=running.free_mw, source=FLOW - 1 - running.plant
    )


def _ladder(
    takes: list[GridTake], buy_usd_per_mwh: float, steps: tuple[tuple[float, float], ...]
) -> tuple[list[GridTake], list[tuple[float, float]]]:
    """Put purchases and the contracts that are dearer than resale in the order of their cost.

    Returns:
        The contracts, each with what is bought before it; and (USD/MWh, MW) of everything, the
        market before a contract of the same price, up to its last step, which has no end.
    """
    left, later, parts, bought_mw = list(takes), [], [], 0.0
    for adder, width_mw in steps:
        price = buy_usd_per_mwh + adder
        while left and left[0].usd_per_mwh < price:
            later.append(replace(left.pop(0), after_mw=bought_mw))
            parts.append((later[-1].usd_per_mwh, later[-1].free_mw))
        parts.append((price, width_mw))
        bought_mw += width_mw
    return [*later, *(replace(take, free_mw=0.0) for take in left)], parts


def _flows(
    parts: list[tuple[float, float]],
    *,
    export_mw: float,
    import_mw: float,
    import_usd_per_mwh: float,
    export_usd_per_mwh: float,
) -> list[Segment]:
    """Return the segments of the connection, from full export to full import.

    `parts` are (USD/MWh, MW) from a flow of 0 on; the first one's price holds below it, too.
    """
    segments: list[Segment] = []
    reached_mw, until_mw = -export_mw, 0.0
    for usd_per_mwh, width_mw in parts:
        until_mw += width_mw
        for end_mw, rate in (
            (min(0.0, until_mw, import_mw), -export_usd_per_mwh),
            (min(until_mw, import_mw), import_usd_per_mwh),
        ):
            if end_mw > reached_mw:
                price, size_mw = usd_per_mwh + rate, end_mw - reached_mw
                if segments and segments[-1].usd_per_mwh == price:
                    size_mw += segments.pop().size_mw
                segments.append(Segment(usd_per_mwh=price, size_mw=size_mw, source=FLOW))
                reached_mw = end_mw
    return segments


def _laid_out(
    segments: list[Segment],
    *,
    least_mw: float,
    export_mw: float,
    sure_mw: float,
    meter_floors: tuple[tuple[int, float], ...],
    plant_floors: tuple[tuple[int, float], ...],
    grid_takes: tuple[GridTake, ...],
    taken_first_count: int,
) -> SiteCurve:
    """Sort segments by cost, of one cost contracts before plants before flows; add them up."""
    segments.sort(key=lambda part: (part.usd_per_mwh, part.source <= FLOW, part.source))
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
        plant_floors=plant_floors,
        grid_takes=grid_takes,
        taken_first_count=taken_first_count,
    )
