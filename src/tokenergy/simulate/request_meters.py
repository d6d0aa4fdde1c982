"""The joules of a replay: of each request, of replicas that wait, and what the meters then saw.

Where requests were played on replicas their joules are the engine's; elsewhere they are those of
the operating line that dispatch reckons with. The meters of the run see the sum.
"""

from dataclasses import dataclass, replace

import numpy as np

from tokenergy.dispatch.world import BoolArray, FloatArray, World
from tokenergy.simulate.request_case import RequestCase
from tokenergy.simulate.request_outcomes import Outcomes
from tokenergy.simulate.request_play import Played, Sent
from tokenergy.simulate.run import Run, only_work_draws, sum_rows
from tokenergy.units import J_PER_MWH, TOKENS_PER_MTOK


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metered:
    """What a replay drew.

    Attributes:
        run: the run with these joules in its meters.
        request_j: joules of each request that was served, at the meter, its cooling included; of
            one request, not of all that it stands for [n]; 0: not served, or served elsewhere.
        on_line: whether they are those of the operating line, not the engine's [n].
        idle_mwh: of replicas awake for nobody, at the meter [D, T].
        over_limit_mwh: what sites drew beyond their connection [S, T].
    """

    run: Run
    request_j: FloatArray
    on_line: BoolArray
    idle_mwh: FloatArray
    over_limit_mwh: FloatArray


def sent_of(case: RequestCase, outcomes: Outcomes) -> tuple[Sent, np.ndarray]:
    """Return what was sent to deployments, by the moment it was sent, and the requests' numbers."""
    rows = np.flatnonzero(outcomes.served)
    rows = rows[np.argsort(outcomes.since_s[rows], kind="stable")]
    return Sent(
        deployment=outcomes.deployment[rows],
        interval=outcomes.interval[rows],
        sent_s=outcomes.since_s[rows],
        input_tokens=case.trace.input_tokens[rows],
        cached_tokens=outcomes.cached_tokens[rows],
        output_tokens=outcomes.output_tokens[rows],
        weight_ratio=case.weight_ratio[rows],
    ), rows


def metered(
    world: World,
    run: Run,
    case: RequestCase,
    outcomes: Outcomes,
    sent: Sent,
    rows: np.ndarray,
    played: Played,
) -> Metered:
    """Return the joules of a replay.

    Args:
        world: the company as arrays.
        run: what was decided, on the operating lines.
        case: the requests.
        outcomes: what became of them.
        sent, rows: of `sent_of`.
        played: how they fared on replicas.
    """
    pue = _pue(world)
    racks_j, on_line = _racks_j(world, run, sent, outcomes.route[rows], played)
    at = (sent.deployment, sent.interval)
    by_place = np.zeros_like(pue)
    np.add.at(by_place, at, sent.weight_ratio * racks_j)
    work_only = only_work_draws(world)[_sites(world), world.first : world.last]
    idle_j = np.where(work_only, 0.0, played.idle_j)
    line_mwh = _line_mwh(world, run)
    measured_mwh = (by_place + idle_j) / J_PER_MWH
    delta = np.where(played.played, pue * (measured_mwh - line_mwh), 0.0)
    owner = [deployment.site for deployment in world.deployments]
    shifted = _shifted(run, sum_rows(delta, owner, world.sites_count))
    request_j = np.zeros(case.count)
    request_j[rows] = racks_j * pue[at]
    own_line = np.zeros(case.count, dtype=bool)
    own_line[rows] = on_line
    idle_mwh = np.where(played.played, pue * idle_j / J_PER_MWH, _line_idle_mwh(world, run))
    limit_mwh = world.import_limit_mw[:, world.first : world.last] * world.step_h
    return Metered(
        run=shifted,
        request_j=request_j,
        on_line=own_line,
        idle_mwh=idle_mwh,
        over_limit_mwh=np.maximum(0.0, shifted.import_mwh - limit_mwh),
    )


def _racks_j(
    world: World, run: Run, sent: Sent, route: np.ndarray, played: Played
) -> tuple[FloatArray, BoolArray]:
    """Return the joules of every request sent, at the racks, and which are the line's.

    Of a place that was played, a request that was thinned out draws per token what the others of
    its workload's place and interval drew.
    """
    at = (sent.deployment, sent.interval)
    known = np.isfinite(played.energy_j)
    on_line = ~played.played[at]
    tokens = sent.output_tokens.astype(np.float64)
    size = played.played.shape
    joules, counted = np.zeros(size), np.zeros(size)
    mine = known & ~on_line
    np.add.at(joules, (sent.deployment[mine], sent.interval[mine]), played.energy_j[mine])
    np.add.at(counted, (sent.deployment[mine], sent.interval[mine]), tokens[mine])
    per_token = np.divide(joules, counted, out=np.zeros(size), where=counted > 0.0)
    line = _line_j_per_token(world, run)[route, sent.interval]
    guess = np.where(on_line, line, per_token[at]) * tokens
    return np.where(mine, np.nan_to_num(played.energy_j), guess), on_line


def _line_j_per_token(world: World, run: Run) -> FloatArray:
    """Return joules of a token by route and interval at the racks, replicas' part in it [R, T]."""
    served = run.serve_mtok
    pue = _pue(world)[[route.deployment for route in world.routes]]
    both = np.divide(
        run.route_mwh(world), served * pue, out=np.zeros_like(served), where=served * pue > 0.0
    )
    return np.asarray(both * (J_PER_MWH / TOKENS_PER_MTOK))


def _line_mwh(world: World, run: Run) -> FloatArray:
    """Return what replicas draw on their operating lines at the racks, wakes left out [D, T]."""
    base = np.array([d.base_mw for d in world.deployments])[:, None] * world.step_h
    on, _ = run.drawing(world)
    marginal = np.array([r.marginal_mwh_per_mtok for r in world.routes])[:, None]
    owner = [route.deployment for route in world.routes]
    own = np.array([not d.external for d in world.deployments])[:, None]
    tokens = sum_rows(marginal * run.serve_mtok, owner, len(world.deployments))
    return np.asarray((base * on + tokens) * own)


def _line_idle_mwh(world: World, run: Run) -> FloatArray:
    """Return what replicas awake for nobody draw by the lines, at the meter [D, T]."""
    return np.where(run.busy_h(world) > 0.0, 0.0, run.replica_mwh(world))


def _shifted(run: Run, load_mwh: FloatArray) -> Run:
    """Return the run whose sites drew so much more [S, T]: bought where they bought, and so on."""
    net = run.import_mwh - run.export_mwh + load_mwh
    bought = run.bought_mwh - run.sold_mwh + load_mwh
    return replace(
        run,
        load_mwh=run.load_mwh + load_mwh,
        import_mwh=np.maximum(0.0, net),
        export_mwh=np.maximum(0.0, -net),
        bought_mwh=np.maximum(0.0, bought),
        sold_mwh=np.maximum(0.0, -bought),
    )


def _sites(world: World) -> list[int]:
    return [max(0, deployment.site) for deployment in world.deployments]


def _pue(world: World) -> FloatArray:
    """Return the PUE around each deployment, 0 where it is somebody else's [D, T]."""
    around = world.pue[_sites(world), world.first : world.last]
    own = np.array([not d.external for d in world.deployments])[:, None]
    return np.asarray(around * own)
