"""What could have been kept of the value of requests: a bound that nobody's decisions exceed.

The clairvoyant solves the whole horizon at once, in fractions of replicas, on the operating lines
that dispatch reckons with. Its cost as a function of what it serves is convex, and its dual prices
pi are a slope of it. So whoever serves some requests and refuses others pays at least

    C* - sum over w, t of pi[w,t] x asked[w,t] + sum over requests i of min(V_i, pi_i x tokens_i)

with V_i what request i is worth and pi_i = pi of its workload and interval, less
max(0, v - v_i) (1 - q) where it is worth less by token (v_i) than its workload is on average (v): a
downgrade to the ladder's least quality q then loses less. Where every token of a workload is worth
the same that is C* itself. Worth of all requests less this bound is the most that can be kept.
"""

from dataclasses import dataclass

import numpy as np

from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.solve import solve_horizon
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.simulate.account import Account, account, constant_usd
from tokenergy.simulate.best_possible import too_large
from tokenergy.simulate.boards import Promise
from tokenergy.simulate.request_case import RequestCase
from tokenergy.simulate.request_outcomes import Outcomes
from tokenergy.simulate.run import Run, sum_rows
from tokenergy.units import TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hindsight:
    """What the clairvoyant leaves to hold decisions against.

    Attributes:
        least_usd: no way of deciding the requests costs less, lost value included.
        worth_usd: what all requests are worth, served as they ask.
        mw_rent_usd_per_mwh: what a MWh more through each connection is worth to it [S, T].
    """

    least_usd: float
    worth_usd: float
    mw_rent_usd_per_mwh: FloatArray

    @property
    def most_usd(self) -> float:
        """The most value, less cost, that anybody keeps."""
        return self.worth_usd - self.least_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one policy kept of the value of requests, USD.

    Attributes:
        worth_usd: of all requests, served as they ask.
        served_usd: of those served, at the quality they got.
        refused_usd, downgraded_usd: lost with those refused, and by lesser models.
        overrun_usd: of work beyond what awake replicas and APIs do in an interval: not kept.
        cost_usd: of serving on the operating lines, with power beyond a connection at the
            clairvoyant's rent.
        net_usd: served value less overrun and cost.
        most_usd: the most that anybody keeps in hindsight; None: the horizon was not solved whole.
    """

    worth_usd: float
    served_usd: float
    refused_usd: float
    downgraded_usd: float
    overrun_usd: float
    cost_usd: float
    net_usd: float
    most_usd: float | None

    @property
    def share(self) -> float | None:
        """Net value over the most that anybody keeps; None where that is not above 0."""
        if self.most_usd is None or self.most_usd <= 0.0:
            return None
        return self.net_usd / self.most_usd


def worth_usd(world: World, case: RequestCase, promises: tuple[Promise, ...]) -> FloatArray:
    """Return what serving each request as it asks is worth [n], USD, its true tokens counted."""
    load = case.trace.workload
    per_request = np.array([p.value_usd_per_request or 0.0 for p in promises])[load]
    per_mtok = np.array([p.value_usd_per_mtok or 0.0 for p in promises])[load]
    tiers = per_request + per_mtok * case.trace.output_tokens / TOKENS_PER_MTOK
    own = case.trace.value_usd
    return np.asarray(np.where(np.isnan(own), tiers, own))


def hindsight(world: World, case: RequestCase, promises: tuple[Promise, ...]) -> Hindsight | None:
    """Return the bound for the requests of a case; None where the horizon is too large to solve.

    Args:
        world: the company as arrays, whole replicas' operating points and all: a world that
            leaves some of each free is bounded by it.
        case: its requests; they make up its arrivals.
        promises: of every workload.
    """
    if too_large(world):
        return None
    optimum = solve_horizon(world)
    intervals = range(world.count)
    price = np.stack([asked_usd_per_mtok(world, optimum, at) for at in intervals], axis=1)
    least_usd = optimum.objective_usd + constant_usd(world)
    asked_mtok = world.arrivals_mtok[:, world.first : world.last]
    load = case.trace.workload
    worth = worth_usd(world, case, promises)
    mtok = case.trace.output_tokens / TOKENS_PER_MTOK
    mean = np.array([spec.value_usd_per_mtok for spec in world.workloads])[load]
    least_quality = _least_quality(world)[load]
    cheaper = np.maximum(0.0, mean - worth / mtok) * (1.0 - least_quality)
    serving = (price[load, case.interval] - cheaper) * mtok
    taken = float((case.weight_ratio * np.minimum(worth, serving)).sum())
    rents = [np.maximum(0.0, -optimum.reduced("meter_import", at)) for at in intervals]
    return Hindsight(
        least_usd=least_usd - float((price * asked_mtok).sum()) + taken,
        worth_usd=float((case.weight_ratio * worth).sum()),
        mw_rent_usd_per_mwh=np.stack(rents, axis=1),
    )


def _least_quality(world: World) -> FloatArray:
    """Return the least quality of a workload's ladder over that of what it asks for [W]."""
    least = np.ones(len(world.workloads))
    for route in world.routes:
        asked = world.workloads[route.workload].asked_quality_share
        least[route.workload] = min(least[route.workload], route.quality_share / asked)
    return least


def kept(
    world: World,
    run: Run,
    case: RequestCase,
    outcomes: Outcomes,
    worth: FloatArray,
    bound: Hindsight | None,
) -> Kept:
    """Return what a policy kept.

    Args:
        world: as the policy saw it, but with whole operating points.
        run: what was decided, on the operating lines.
        case: the requests.
        outcomes: what became of them.
        worth: of `worth_usd`.
        bound: of `hindsight`.
    """
    spent = account(world, run)
    weight = case.weight_ratio
    served, lost = outcomes.served, ~outcomes.served
    at_quality = worth * outcomes.quality_share
    over_share = _overrun_share(world, run)
    overrun = np.zeros(case.count)
    rows = np.flatnonzero(served)
    overrun[rows] = over_share[outcomes.deployment[rows], outcomes.interval[rows]]
    cost_usd = serving_usd(spent) + _beyond_limit_usd(world, run, bound)
    served_usd = float((weight * at_quality)[served].sum())
    overrun_usd = float((weight * at_quality * overrun).sum())
    return Kept(
        worth_usd=float((weight * worth).sum()),
        served_usd=served_usd,
        refused_usd=float((weight * worth)[lost].sum()),
        downgraded_usd=float((weight * (worth - at_quality))[served].sum()),
        overrun_usd=overrun_usd,
        cost_usd=cost_usd,
        net_usd=served_usd - overrun_usd - cost_usd,
        most_usd=None if bound is None else bound.most_usd,
    )


def serving_usd(spent: Account) -> float:
    """Return what serving cost: every part of an account but the value lost."""
    return spent.cost_usd - spent.refused_usd - spent.downgraded_usd


def _overrun_share(world: World, run: Run) -> FloatArray:
    """Return the part of each deployment's work that its replicas cannot have done [D, T]."""
    lost_h = np.array([min(d.wake_h, world.step_h) for d in world.deployments])[:, None]
    room_h = run.awake * world.step_h - run.wake * lost_h
    external = np.array([d.external for d in world.deployments], dtype=bool)[:, None]
    owner = [route.deployment for route in world.routes]
    sent = sum_rows(run.serve_mtok, owner, len(world.deployments))
    limit = np.array([d.limit_mtok_per_h for d in world.deployments])[:, None] * world.step_h
    asked = np.where(external, sent, run.busy_h(world))
    most = np.where(external, np.broadcast_to(limit, sent.shape), room_h)
    over = np.maximum(0.0, asked - most)
    share = np.divide(over, asked, out=np.zeros_like(asked), where=asked > 0.0)
    return np.asarray(share)


def _beyond_limit_usd(world: World, run: Run, bound: Hindsight | None) -> float:
    """Return what power beyond a connection would have been worth to the clairvoyant."""
    if bound is None:
        return 0.0
    limit_mwh = world.import_limit_mw[:, world.first : world.last] * world.step_h
    over_mwh = np.maximum(0.0, run.import_mwh - limit_mwh)
    return float((bound.mw_rent_usd_per_mwh * over_mwh).sum())
