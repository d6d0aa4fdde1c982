"""`survives: any_one_site`: a tier's work stays servable with any one site dark.

For each site k that could go dark, a second dispatch of the promised work alone stands beside the
real one, in the interval in which it happens; everything else is refused then:

    sum_r cover[k,r] + short[k,w] >= arrivals[w]          r: routes of w on other sites, and APIs
    sum_r cover[k,r] / rate <= h kept[k,d] + (h - min(h, wake)) woken[k,d]
    kept[k,d] <= awake[d]                                 awake replicas work from the first second
    sum_d gpus (kept[k,d] + woken[k,d]) <= GPUs of the fleet
    pue (standing h + net h kept + (net h + wake energy) woken + marginal cover) <= import limit h
    sum cover[k,r] <= rate limit h                        for each API
    sum cover[k,r] (quality - floor) >= 0                 for each tier with a floor

Blocks behind the meter raise the limit; batteries and what is taken of wind and sun are not counted
on. Work that may wait is covered when it arrives. What it costs is the awake replicas that the real
dispatch has to hold where waking takes too long. Where it cannot hold, `short` takes the rest at a
price above any other, so that a promise that is broken breaks no program.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from tokenergy.dispatch.columns import INFINITY, ColumnNumbers, ColumnRule, own_deployments
from tokenergy.dispatch.outages import gpus_in, standing_in
from tokenergy.dispatch.rows import Moving, RowRule
from tokenergy.dispatch.terms.term import Added, Rent
from tokenergy.dispatch.window import Window
from tokenergy.dispatch.world import FloatArray, State, World
from tokenergy.lp.program import Program

if TYPE_CHECKING:
    from tokenergy.dispatch.terms.metered import Metered

SHORT_VALUES_RATIO: Final = 100.0
"""Price of an uncovered Mtok, over the worth of the dearest Mtok of any tier."""
COVER, KEPT, WOKEN, SHORT = (f"survival.{name}" for name in ("cover", "kept", "woken", "short"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survival:
    """The promise of some workloads to survive the loss of any one site.

    Attributes:
        workloads: indices of those that are promised.
        contract_id: none: nobody bills it.
    """

    workloads: tuple[int, ...]
    contract_id: str = ""
    component: str = "survival"
    rent: Rent = "energy"

    def add(self, program: Program, world: World, window: Window, *, elastic: bool) -> Added:
        """Add a second dispatch for each site that could go dark."""
        cases = _Cases.of(world, self.workloads)
        for name, size in cases.sizes().items():
            program.add_columns(name, size)
        moving: list[Moving] = []
        rows: dict[str, RowRule] = {}
        for add in (_asked, _capacity, _awake, _gpus, _power, _apis, _quality):
            rows |= add(program, world, cases, moving)
        return Added(columns=_columns(world, cases), rows=rows, moving=tuple(moving))

    def charged_usd(self, world: World, metered: "Metered") -> FloatArray:
        """Return nothing [T]: a promise is no bill."""
        return np.zeros(world.count)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cases:
    """What may happen: pairs of a dark site with a route, a deployment, a fleet, a workload.

    `covers`: (site, route) [m]; `targets`: (site, own deployment); `asked`: (site, workload);
    `places`: (dark site, other site).
    """

    covers: tuple[tuple[int, int], ...]
    targets: tuple[tuple[int, int], ...]
    asked: tuple[tuple[int, int], ...]
    places: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, world: World, workloads: tuple[int, ...]) -> "_Cases":
        dark = sorted({d.site for d in world.deployments if not d.external})
        routes = [
            (at, world.deployments[r.deployment].site)
            for at, r in enumerate(world.routes)
            if r.workload in workloads
        ]
        own = [(at, d.site) for at, d in enumerate(world.deployments) if not d.external]
        every = range(world.sites_count)
        return cls(
            covers=tuple((k, at) for k in dark for at, site in routes if site != k),
            targets=tuple((k, at) for k in dark for at, site in own if site != k),
            asked=tuple((k, load) for k in dark for load in workloads),
            places=tuple((k, site) for k in dark for site in every if site != k),
        )

    def sizes(self) -> dict[str, int]:
        covers, targets, asked = len(self.covers), len(self.targets), len(self.asked)
        return {COVER: covers, KEPT: targets, WOKEN: targets, SHORT: asked}


def short_usd_per_mtok(world: World) -> float:
    """Return the price of a promised Mtok that is not covered."""
    dearest = max((load.value_usd_per_mtok for load in world.workloads), default=0.0)
    return SHORT_VALUES_RATIO * max(1.0, dearest)


def _columns(world: World, cases: _Cases) -> dict[str, ColumnRule]:
    costs = {SHORT: short_usd_per_mtok(world)}

    def rule(name: str, size: int) -> ColumnRule:
        def numbers(window: Window, state: State) -> ColumnNumbers:
            shape = (window.count, size)
            live = np.broadcast_to(window.live()[:, None], shape)
            return ColumnNumbers(
                costs=np.full(shape, costs.get(name, 0.0)),
                lower=np.zeros(shape),
                upper=np.where(live > 0.0, INFINITY, 0.0),
            )

        return numbers

    return {name: rule(name, size) for name, size in cases.sizes().items()}


def _asked(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """sum cover + short >= arrivals, Mtok."""
    name = "survival.asked"
    program.add_rows(name, len(cases.asked))
    at = {pair: row for row, pair in enumerate(cases.asked)}
    rows = [at[k, world.routes[route].workload] for k, route in cases.covers]
    program.link(name, COVER, row_at=rows, values=1.0)
    program.link(name, SHORT, values=1.0)
    loads = [load for _, load in cases.asked]

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        asked = window.arrivals_mtok[loads].T * window.live()[:, None]
        return asked, np.full_like(asked, INFINITY)

    return {name: rule}


def _capacity(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """sum cover / rate <= h kept + (h - min(h, wake_h)) woken, replica-hours."""
    name = "survival.replicas"
    program.add_rows(name, len(cases.targets))
    at, own = {pair: row for row, pair in enumerate(cases.targets)}, own_deployments(world)
    hits = [
        (at[k, world.routes[route].deployment], column, 1.0 / world.routes[route].rate_mtok_per_h)
        for column, (k, route) in enumerate(cases.covers)
        if world.routes[route].deployment < own
    ]
    _linked(program, name, COVER, hits)
    wake_h = np.array([world.deployments[d].wake_h for _, d in cases.targets])

    def kept(window: Window) -> FloatArray:
        return np.repeat(-window.lengths_h[:, None], wake_h.size, axis=1)

    def woken(window: Window) -> FloatArray:
        lengths = window.lengths_h[:, None]
        return np.asarray(np.minimum(lengths, wake_h) - lengths)

    for column, values in ((KEPT, kept), (WOKEN, woken)):
        link = program.link(name, column, values=1.0)
        if link is not None:
            moving.append(Moving(link=link, values=values))
    return {name: _at_most(len(cases.targets))}


def _awake(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """kept <= awake, replicas."""
    name = "survival.awake"
    program.add_rows(name, len(cases.targets))
    program.link(name, KEPT, values=1.0)
    rows = range(len(cases.targets))
    program.link(
        name, "awake", row_at=list(rows), column_at=[d for _, d in cases.targets], values=-1.0
    )
    return {name: _at_most(len(cases.targets))}


def _gpus(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """sum gpus (kept + woken) <= GPUs that are there."""
    name = "survival.gpus"
    pairs = list(dict.fromkeys((k, world.deployments[d].fleet) for k, d in cases.targets))
    program.add_rows(name, len(pairs))
    at = {pair: row for row, pair in enumerate(pairs)}
    hits = [
        (at[k, world.deployments[d].fleet], column, float(world.deployments[d].gpus_count))
        for column, (k, d) in enumerate(cases.targets)
    ]
    for column in (KEPT, WOKEN):
        _linked(program, name, column, hits)
    fleets = [fleet for _, fleet in pairs]

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        upper = gpus_in(world, window)[fleets].T
        return np.full_like(upper, -INFINITY), np.asarray(upper)

    return {name: rule}


def _power(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """pue (net h kept + (net h + wake) woken + marginal cover) <= limit h - pue standing h, MWh."""
    name, own = "survival.power", own_deployments(world)
    program.add_rows(name, len(cases.places))
    at = {pair: row for row, pair in enumerate(cases.places)}
    targets = [world.deployments[d] for _, d in cases.targets]
    sites = np.array([target.site for target in targets], dtype=np.int64)
    net_mw = np.array(
        [t.base_mw - world.fleets[t.fleet].sleep_mw_per_gpu * t.gpus_count for t in targets]
    )
    wake_mwh = np.array([target.wake_mwh for target in targets])
    held = [column for column, (_, r) in enumerate(cases.covers)
            if world.routes[r].deployment < own]  # fmt: skip
    routes = [world.routes[cases.covers[column][1]] for column in held]
    homes = np.array([world.deployments[r.deployment].site for r in routes], dtype=np.int64)
    marginal = np.array([r.marginal_mwh_per_mtok for r in routes])

    def kept(window: Window) -> FloatArray:
        return np.asarray(window.pue[sites].T * net_mw * window.lengths_h[:, None])

    def woken(window: Window) -> FloatArray:
        return np.asarray(kept(window) + window.pue[sites].T * wake_mwh)

    def cover(window: Window) -> FloatArray:
        return np.asarray(window.pue[homes].T * marginal)

    rows = [at[k, world.deployments[d].site] for k, d in cases.targets]
    cover_rows = [at[cases.covers[c][0], site] for c, site in zip(held, homes, strict=True)]
    for column, row_at, column_at, values in (
        (KEPT, rows, list(range(len(rows))), kept),
        (WOKEN, rows, list(range(len(rows))), woken),
        (COVER, cover_rows, held, cover),
    ):
        link = program.link(name, column, row_at=row_at, column_at=column_at, values=1.0)
        if link is not None:
            moving.append(Moving(link=link, values=values))
    places = [site for _, site in cases.places]

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        room_mw = window.import_limit_mw + window.meter_block_mw
        room_mw = np.maximum(0.0, room_mw - window.pue * standing_in(world, window))
        upper = (room_mw * window.live_h())[places].T
        return np.full_like(upper, -INFINITY), np.asarray(upper)

    return {name: rule}


def _apis(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """sum cover <= rate limit h, Mtok."""
    name, own = "survival.api", own_deployments(world)
    outside = [
        (k, world.routes[r].deployment, column)
        for column, (k, r) in enumerate(cases.covers)
        if world.routes[r].deployment >= own
    ]
    pairs = list(dict.fromkeys((k, d) for k, d, _ in outside))
    program.add_rows(name, len(pairs))
    at = {pair: row for row, pair in enumerate(pairs)}
    _linked(program, name, COVER, [(at[k, d], column, 1.0) for k, d, column in outside])
    limit = np.array([world.deployments[d].limit_mtok_per_h for _, d in pairs])

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        upper = limit[None, :] * window.lengths_h[:, None]
        return np.full_like(upper, -INFINITY), np.asarray(upper)

    return {name: rule}


def _quality(
    program: Program, world: World, cases: _Cases, moving: list[Moving]
) -> dict[str, RowRule]:
    """sum cover (quality - floor) >= 0 for each tier that promises a floor, Mtok."""
    name = "survival.quality"
    hits = []
    pairs: dict[tuple[int, int], int] = {}
    for column, (k, at) in enumerate(cases.covers):
        route = world.routes[at]
        tier = world.workloads[route.workload].tier_index
        if world.floor_share[tier] > 0.0:
            row = pairs.setdefault((k, tier), len(pairs))
            hits.append((row, column, route.quality_share - world.floor_share[tier]))
    program.add_rows(name, len(pairs))
    _linked(program, name, COVER, hits)

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        lower = np.zeros((window.count, len(pairs)))
        return lower, np.full_like(lower, INFINITY)

    return {name: rule}


def _linked(program: Program, row: str, column: str, hits: list[tuple[int, int, float]]) -> None:
    """Put coefficients (row, column, value) into a block of rows."""
    program.link(
        row,
        column,
        row_at=[at for at, _, _ in hits],
        column_at=[at for _, at, _ in hits],
        values=np.array([value for _, _, value in hits]),
    )


def _at_most(size: int) -> RowRule:
    """Return the rule of rows whose left side is at most 0."""

    def rule(window: Window, state: State) -> tuple[FloatArray, FloatArray]:
        upper = np.zeros((window.count, size))
        return np.full_like(upper, -INFINITY), upper

    return rule
