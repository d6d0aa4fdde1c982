"""The token supply curve of a plan: what each deployment can serve, at marginal and at full cost.

Marginal is what the next Mtok costs with everything built: energy at the node without the rents of
scarce megawatts, network, lost quality, awake leases, list prices. Full is all the money that falls
on a deployment over what it serves: its share of the site's power and works by megawatt-hours, and
of its fleet by GPU-hours. Full cost times work served, with what nobody used and refused work,
sums to the plan's cost.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from tokenergy.dispatch.columns import own_deployments, quality_loss_usd_per_mtok
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.supply import FloatArray
from tokenergy.dispatch.world import RATE_KINDS, World
from tokenergy.plan.money import Money, money_of
from tokenergy.plan.program import PlanProgram
from tokenergy.plan.whole import WholeAnswer

Basis = Literal["marginal", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSegment:
    """A stretch of the curve: one deployment.

    Attributes:
        label: the deployment.
        site: where it stands; an API stands in "external".
        capacity_mtok_per_h: what its GPUs can serve of the plan's mix, awake in proportion to
            the plan's models, as far as the site's megawatts go; None: no limit is known.
        served_mtok_per_h: what it serves, on the mean.
        marginal_usd_per_mtok: what the next Mtok costs; the mean over what it serves, over all
            hours where it serves nothing.
        full_usd_per_mtok: everything that falls on it over what it serves; None: it serves
            nothing.
    """

    label: str
    site: str
    capacity_mtok_per_h: float | None
    served_mtok_per_h: float
    marginal_usd_per_mtok: float
    full_usd_per_mtok: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCurve:
    """The curve on both bases.

    Attributes:
        segments: one for each deployment that is built, cheapest at the margin first.
        unused_usd: what stands where nothing is served, over the horizon.
        refused_usd: value of refused work.
        total_usd: the plan's cost.
        hours_h: length of the horizon.
    """

    segments: tuple[PlanSegment, ...]
    unused_usd: float
    refused_usd: float
    total_usd: float
    hours_h: float

    @property
    def served_mtok(self) -> float:
        """Work served over the horizon."""
        return sum(each.served_mtok_per_h for each in self.segments) * self.hours_h

    @property
    def marginal_usd_per_mtok(self) -> float | None:
        """Mean over what is served; None: nothing is."""
        pairs = [(each.served_mtok_per_h, each.marginal_usd_per_mtok) for each in self.segments]
        served = sum(mtok for mtok, _ in pairs)
        return sum(mtok * usd for mtok, usd in pairs) / served if served > 0.0 else None

    @property
    def full_usd_per_mtok(self) -> float | None:
        """The plan's cost without refused work, over what is served; None: nothing is."""
        served = self.served_mtok
        return (self.total_usd - self.refused_usd) / served if served > 0.0 else None

    def points(self, basis: Basis) -> tuple[tuple[float, float], ...]:
        """Return (cumulative Mtok/h, USD/Mtok) at each segment's end, cheapest first.

        On the full basis a deployment that serves nothing has no cost and is left out; where no
        capacity is known, what is served stands for it.
        """
        priced = [
            (usd, each.served_mtok_per_h if cap is None else cap)
            for each in self.segments
            if (cap := each.capacity_mtok_per_h) is None or cap > 0.0
            if (usd := _price(each, basis)) is not None
        ]
        cum, found = 0.0, []
        for usd, mtok_per_h in sorted(priced):
            cum += mtok_per_h
            found.append((cum, usd))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as a JSON-ready mapping."""
        return {
            **asdict(self),
            "served_mtok": self.served_mtok,
            "marginal_usd_per_mtok": self.marginal_usd_per_mtok,
            "full_usd_per_mtok": self.full_usd_per_mtok,
            "marginal_points": [list(each) for each in self.points("marginal")],
            "full_points": [list(each) for each in self.points("full")],
        }


def plan_curve(answer: WholeAnswer) -> PlanCurve:
    """Return the supply curve of a plan."""
    plan, optimum = answer.plan, answer.optimum
    world, hours_h = plan.world, plan.hours_h
    money, use = money_of(plan, answer.solution), _Use(plan, optimum)
    full_usd = _full_usd(world, money, use)
    marginal = _marginal_usd_per_mtok(world, optimum)
    capacity = _capacity_mtok_per_h(answer, use, marginal.mean(axis=0))
    segments = []
    for at, deployment in enumerate(world.deployments):
        served, most = float(use.served_mtok[at]), capacity[at]
        if most == 0.0 and served <= 1e-9 * max(1.0, float(use.served_mtok.sum())):
            continue
        mine = [i for i, route in enumerate(world.routes) if route.deployment == at]
        if not mine:
            continue
        weights = use.serve_mtok[:, mine]
        if weights.sum() <= 0.0:
            weights = np.ones_like(weights)
        segments.append(
            PlanSegment(
                label=deployment.name,
                site="external" if deployment.external else world.site_names[deployment.site],
                capacity_mtok_per_h=None if np.isinf(most) else float(most),
                served_mtok_per_h=served / hours_h,
                marginal_usd_per_mtok=float((weights * marginal[:, mine]).sum() / weights.sum()),
                full_usd_per_mtok=float(full_usd[at]) / served if served > 0.0 else None,
            )
        )
    told = sum(float(full_usd[at]) for at in range(full_usd.size) if use.served_mtok[at] > 0.0)
    return PlanCurve(
        segments=tuple(sorted(segments, key=lambda each: each.marginal_usd_per_mtok)),
        unused_usd=money.total_usd - money.refused_usd - told,
        refused_usd=money.refused_usd,
        total_usd=money.total_usd,
        hours_h=hours_h,
    )


class _Use:
    """What deployments serve and use over the horizon: Mtok, MWh at the racks, GPU-hours."""

    def __init__(self, plan: PlanProgram, optimum: Optimum) -> None:
        world, window = plan.world, plan.window
        own = own_deployments(world)
        self.serve_mtok = np.maximum(0.0, optimum.value("serve"))
        of = np.array([route.deployment for route in world.routes], dtype=np.int64)
        self.served_mtok = np.zeros(len(world.deployments))
        np.add.at(self.served_mtok, of, self.serve_mtok.sum(axis=0))
        awake_h = np.maximum(0.0, optimum.value("awake")) * window.lengths_h[:, None]
        gpus = np.array([float(each.gpus_count) for each in world.deployments[:own]])
        self.gpu_h = awake_h.sum(axis=0) * gpus
        base = np.array([each.base_mw for each in world.deployments[:own]])
        self.mwh = awake_h.sum(axis=0) * base
        marginal = np.array([route.marginal_mwh_per_mtok for route in world.routes])
        mine = of < own
        np.add.at(self.mwh, of[mine], (self.serve_mtok * marginal).sum(axis=0)[mine])


def _full_usd(world: World, money: Money, use: _Use) -> FloatArray:
    """Return the money that falls on each deployment [D]; what nobody uses falls on none."""
    own = own_deployments(world)
    total = money.running_usd.copy()
    places = np.array([each.site for each in world.deployments[:own]], dtype=np.int64)
    fleets = np.array([each.fleet for each in world.deployments[:own]], dtype=np.int64)
    total[:own] += _shared(money.power_usd + money.works_usd, places, use.mwh)
    total[:own] += _shared(money.gpus_usd, fleets, use.gpu_h)
    return total


def _shared(usd: FloatArray, places: np.ndarray, used: FloatArray) -> FloatArray:
    """Return each one's part of the money of its place, by what it uses [D]."""
    sums = np.bincount(places, weights=used, minlength=usd.size)[places]
    parts = np.divide(usd[places] * used, sums, out=np.zeros_like(used), where=sums > 0.0)
    return np.asarray(parts)


def _marginal_usd_per_mtok(world: World, optimum: Optimum) -> FloatArray:
    """Return what the next Mtok costs by interval and route, rents apart [n, R]."""
    window, own = optimum.window, own_deployments(world)
    node = optimum.dual("balance") - _rents_usd_per_mwh(world, optimum)
    fixed = quality_loss_usd_per_mtok(world)
    total = np.zeros((window.count, len(world.routes)))
    for at, route in enumerate(world.routes):
        usd = float(fixed[at]) + route.network_usd_per_mtok + route.api_usd_per_mtok
        deployment = world.deployments[route.deployment]
        if route.deployment < own:
            fleet = world.fleets[deployment.fleet]
            racks_mw = deployment.base_mw - fleet.sleep_mw_per_gpu * deployment.gpus_count
            racks = route.marginal_mwh_per_mtok + racks_mw / route.rate_mtok_per_h
            total[:, at] = window.pue[deployment.site] * racks * node[:, deployment.site]
            usd += deployment.gpus_count * fleet.lease_usd_per_gpu_hour / route.rate_mtok_per_h
        total[:, at] += usd
    return total


def _rents_usd_per_mwh(world: World, optimum: Optimum) -> FloatArray:
    """Return what scarce megawatts, peaks and clean power add to each node's price [n, S]."""
    program, rates = optimum.program, optimum.window.rate_usd_per_mwh
    rents = np.maximum(0.0, -optimum.reduced("meter_import"))
    imports = optimum.value("meter_import") > 0.0
    for kind in ("demand_peak", "cfe"):
        rents = rents + (rates[RATE_KINDS.index(kind)].T) * imports
    wanted = {i for kind in ("demand_peak", "cfe") for i in optimum.rent_links.get(kind, ())}
    for index, link in enumerate(program.links):
        limit = link.row.name == "meter_import.most"
        if link.column.name != "meter_import" or not (limit or index in wanted):
            continue
        duals = optimum.dual(link.row.name)[..., link.rows - link.row.offset]
        charged = -link.values * duals
        np.add.at(rents.T, link.columns - link.column.offset, charged.T)
    return np.asarray(rents)


def _capacity_mtok_per_h(
    answer: WholeAnswer, use: _Use, route_usd_per_mtok: FloatArray
) -> FloatArray:
    """Return what each deployment can serve of its own mix [D]; infinite: no limit is known.

    Megawatts go to the cheapest of a site first; no less is told than what is served.
    """
    plan, world = answer.plan, answer.plan.world
    own = own_deployments(world)
    found = np.array([each.limit_mtok_per_h for each in world.deployments])
    gpus = _gpus_count(answer)
    limit_mw, pue = _connection_mw(answer), plan.window.pue.mean(axis=1)
    rate, racks = _mix(world, use)
    for at, deployment in enumerate(world.deployments[:own]):
        same = [i for i in range(own) if world.deployments[i].fleet == deployment.fleet]
        awake = use.gpu_h[same].sum()
        share = use.gpu_h[at] / awake if awake > 0.0 else 1.0 / len(same)
        found[at] = share * gpus[deployment.fleet] / deployment.gpus_count * rate[at]
    of = np.array([route.deployment for route in world.routes], dtype=np.int64)
    price = [route_usd_per_mtok[of == at].min(initial=np.inf) for at in range(own)]
    for at in sorted(range(own), key=lambda at: price[at]):
        site = world.deployments[at].site
        mw_per_mtok = float(racks[at] * pue[site])
        if found[at] * mw_per_mtok > limit_mw[site]:
            found[at] = max(limit_mw[site] / mw_per_mtok, use.served_mtok[at] / plan.hours_h)
        limit_mw[site] = max(0.0, limit_mw[site] - found[at] * mw_per_mtok)
    return found


def _mix(world: World, use: _Use) -> tuple[FloatArray, FloatArray]:
    """Return Mtok/h of a replica, and MWh at the racks per Mtok, at each one's mix [D]."""
    own = own_deployments(world)
    rate, racks = np.zeros(own), np.zeros(own)
    for at, deployment in enumerate(world.deployments[:own]):
        mine = [i for i, route in enumerate(world.routes) if route.deployment == at]
        served = use.serve_mtok[:, mine].sum(axis=0)
        weights = served if served.sum() > 0.0 else np.ones(len(mine))
        replica_h = sum(
            weight / world.routes[i].rate_mtok_per_h
            for weight, i in zip(weights, mine, strict=True)
        )
        if mine:
            rate[at] = float(weights.sum()) / replica_h
            marginal = [world.routes[i].marginal_mwh_per_mtok for i in mine]
            racks[at] = float(weights @ marginal / weights.sum()) + deployment.base_mw / rate[at]
    return rate, racks


def _gpus_count(answer: WholeAnswer) -> FloatArray:
    """Return the GPUs of each fleet that are built and not in repair [F]."""
    plan, sizes = answer.plan, answer.sizes
    shares = {each.name: each.available_share for each in plan.company.fleets}
    return np.array(
        [
            sizes[each.name] * shares[each.name] if each.name in sizes else each.gpus_count
            for each in plan.world.fleets
        ]
    )


def _connection_mw(answer: WholeAnswer) -> FloatArray:
    """Return the megawatts of each site's connection in the plan, as it is at the end [S]."""
    plan, found = answer.plan, []
    for site in plan.company.sites:
        mine = [e for e in plan.candidates if e.kind == "site" and e.site == site.name]
        total_mw = sum(answer.sizes[each.name] for each in mine)
        found.append(total_mw if mine else site.import_limit_mw)
    return np.array(found)


def _price(segment: PlanSegment, basis: Basis) -> float | None:
    return segment.marginal_usd_per_mtok if basis == "marginal" else segment.full_usd_per_mtok
