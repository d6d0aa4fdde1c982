"""A company as it was observed: its own world, with the demand and replicas that engines told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tokenergy.api.observed.limits import as_possible
from tokenergy.api.opened import OpenCompany
from tokenergy.company.finding import Finding
from tokenergy.company.observe import Engine
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.world import Deployment, FloatArray, Route, World
from tokenergy.units import H_PER_DAY, S_PER_H, TOKENS_PER_MTOK, W_PER_MW

ONE_POINT_BAND: Final = (0.66, 1.20)
"""Of a model corrected at one measured point (energy sheet, section 8)."""


def cut(opened: OpenCompany, *, first: int, count: int) -> OpenCompany:
    """Return the company on `count` intervals of its horizon from `first`; the rest is history.

    Also where nothing checks a horizon so short: one interval is a horizon here.
    """
    horizon = opened.company.horizon
    shorter = horizon.model_copy(
        update={
            "start": horizon.interval(first).start,
            "days": count * horizon.step_h / H_PER_DAY,
        }
    )
    inputs = replace(opened.inputs, history_count=opened.inputs.history_count + first)
    return replace(
        opened, company=opened.company.model_copy(update={"horizon": shorter}), inputs=inputs
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An engine and where it stands in a world; `route` is None where no route leads there."""

    engine: Engine
    site: int
    fleet: int
    gpus_count: int
    workload: int
    deployment: int | None
    route: int | None


def placed(world: World, engines: Iterable[Engine]) -> tuple[tuple[Placed, ...], list[Finding]]:
    """Find every engine of a checked company in its world.

    Returns:
        The engines, and a finding for each that no workload can reach within its limits: such
        an engine has tokens and joules, but the program has no price for them.
    """
    found, findings = [], []
    for engine in engines:
        one = _placed(world, engine)
        found.append(one)
        if one.route is None:
            name = f"{engine.model}@{engine.fleet}"
            reasons = [why for _, deployment, why in world.unreachable if deployment == name]
            findings.append(
                Finding(
                    code="ENGINE_OUT_OF_REACH",
                    path=f"observe.engines.{engine.name}",
                    value=name,
                    severity="warning",
                    reason="the tier's limits say that nobody can be served there "
                    f"({reasons[0] if reasons else 'no route'}), yet it serves: it has no "
                    "marginal price, and no part in the saving",
                    remedy="Correct the tier's limits, or state a measured replica of the model",
                )
            )
    return tuple(found), findings


def _placed(world: World, engine: Engine) -> Placed:
    company = world.company
    fleet = next(at for at, each in enumerate(company.fleets) if each.name == engine.fleet)
    model = next(each for each in company.models if each.name == engine.model)
    workload = next(
        at
        for at, each in enumerate(company.workloads)
        if (each.name == engine.workload if engine.workload else engine.model in each.ladder)
    )
    route = next(
        (
            at
            for at, each in enumerate(world.routes)
            if each.workload == workload
            and world.deployments[each.deployment].fleet == fleet
            and world.deployments[each.deployment].model == engine.model
        ),
        None,
    )
    return Placed(
        engine=engine,
        site=world.site_names.index(company.fleets[fleet].site),
        fleet=fleet,
        gpus_count=model.gpus_per_replica * engine.replicas_count,
        workload=workload,
        deployment=None if route is None else world.routes[route].deployment,
        route=route,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """A world with what was observed in it.

    Attributes:
        world: demand as observed, rates at least as observed, joules corrected where metered.
        serve_mtok: work by route [R, T].
        awake: replicas by deployment [D, T].
        findings: what had to be assumed.
    """

    world: World
    serve_mtok: FloatArray
    awake: FloatArray
    findings: tuple[Finding, ...]


def observed_world(
    opened: OpenCompany,
    engines: Iterable[Placed],
    mtok: Mapping[str, FloatArray],
    *,
    energy_ratio: Mapping[str, float] | None = None,
) -> Observed:
    """Put the observed demand of a horizon into a company's world.

    Args:
        opened: the company on the horizon that was observed.
        engines: where each engine stands.
        mtok: output Mtok by engine and interval of the horizon [T]; an engine that is not named
            is taken for asleep.
        energy_ratio: metered over modelled joules by engine, where it was metered.

    Raises:
        InfeasibleProgram: if contracts or standing load leave no way to do what was done.
    """
    base = opened.world
    reached = [each for each in engines if each.route is not None and each.engine.name in mtok]
    serve = np.zeros((len(base.routes), base.count))
    awake = np.zeros((len(base.deployments), base.count))
    for each in reached:
        assert each.route is not None and each.deployment is not None
        serve[each.route] += mtok[each.engine.name]
        awake[each.deployment] += each.engine.replicas_count
    demand = np.zeros((len(base.workloads), base.count))
    for each in reached:
        demand[each.workload] += mtok[each.engine.name]
    inputs = replace(opened.inputs, requests_per_s=_rates(base, demand))
    world = build_world(opened.company, inputs, opened.catalogue)
    world = _corrected(world, reached, energy_ratio or {})
    world, raised = as_possible(world, serve, awake)
    return Observed(
        world=world,
        serve_mtok=serve,
        awake=awake,
        findings=(*raised, *_unwatched(base, demand)),
    )


def _rates(world: World, demand_mtok: FloatArray) -> dict[str, FloatArray]:
    """Return requests per second by workload; the history stands at the observed mean."""
    rates = {}
    for at, load in enumerate(world.workloads):
        per_mtok = TOKENS_PER_MTOK / (load.tokens_per_request_count * S_PER_H * world.step_h)
        history = np.full(world.first, demand_mtok[at].mean())
        rates[load.name] = np.concatenate((history, demand_mtok[at])) * per_mtok
    return rates


def host_mw(world: World, deployment: Deployment) -> float:
    """Return what the host of one awake replica draws, as the site states it."""
    host_w = world.company.sites[deployment.site].host_w_per_gpu * deployment.gpus_count
    return min(deployment.base_mw, host_w / W_PER_MW)


def board_mw(world: World, deployment: Deployment) -> float:
    """Return what the boards of one awake replica draw beside their tokens."""
    return deployment.base_mw - host_mw(world, deployment)


def _corrected(world: World, engines: list[Placed], energy_ratio: Mapping[str, float]) -> World:
    """Correct modelled joules by what was metered: one point, a constant ratio.

    Of several engines of a deployment the mean. Only what boards draw is corrected: the watts of
    the host are stated, and no meter of boards has them.
    """
    by_deployment: dict[int, list[float]] = {}
    for each in engines:
        if each.engine.name in energy_ratio and each.deployment is not None:
            by_deployment.setdefault(each.deployment, []).append(energy_ratio[each.engine.name])
    if not by_deployment:
        return world
    ratio = {at: sum(ratios) / len(ratios) for at, ratios in by_deployment.items()}
    low_share, high_share = ONE_POINT_BAND

    def route(one: Route) -> Route:
        if one.deployment not in ratio:
            return one
        return replace(
            one,
            marginal_mwh_per_mtok=one.marginal_mwh_per_mtok * ratio[one.deployment],
            energy_tier="calibrated",
            energy_low_share=low_share,
            energy_high_share=high_share,
        )

    def deployment(one: Deployment, ratio: float) -> Deployment:
        base_mw = host_mw(world, one) + board_mw(world, one) * ratio
        share = base_mw / one.base_mw if one.base_mw > 0.0 else 1.0
        return replace(one, base_mw=base_mw, wake_mwh=one.wake_mwh * share)

    deployments = tuple(
        deployment(one, ratio[at]) if at in ratio else one
        for at, one in enumerate(world.deployments)
    )
    return replace(world, deployments=deployments, routes=tuple(route(one) for one in world.routes))


def _unwatched(world: World, demand_mtok: FloatArray) -> list[Finding]:
    silent = [load.name for at, load in enumerate(world.workloads) if not demand_mtok[at].any()]
    if not silent:
        return []
    return [
        Finding(
            code="WORKLOAD_UNSEEN",
            path="observe.engines",
            value=", ".join(silent),
            severity="warning",
            reason="no engine showed tokens of these workloads: they count as silent, whatever "
            "arrivals the file states",
            remedy="Add the engines that answer them",
        )
    ]
