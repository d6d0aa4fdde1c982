"""Why work that must be served was refused, in the words of the company file."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.dispatch.outages import gpus_count
from tokenergy.dispatch.world import Route, World
from tokenergy.simulate.run import Run

REFUSED_MTOK = 1e-6
"""What is refused below this is rounding: it is priced, but nobody is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lack:
    """What a place would need, and what it has: `sentence` says so without the place."""

    place: str
    sentence: str
    path: str
    value: str
    limit: str
    unit: str
    remedy: str
    over_ratio: float


def must_serve_findings(world: World, run: Run) -> tuple[Finding, ...]:
    """Return one finding for each must-serve workload of which some was refused.

    It tells of the interval in which most was refused, at the place that would need least
    beyond what it has, all else left as the run had it.
    """
    return tuple(
        _finding(world, run, at)
        for at, load in enumerate(world.workloads)
        if load.must_serve and run.refused_mtok[at].max(initial=0.0) > REFUSED_MTOK
    )


def _finding(world: World, run: Run, workload: int) -> Finding:
    refused = run.refused_mtok[workload]
    at = int(refused.argmax())
    name = world.workloads[workload].name
    moment = world.moment(world.first + at).strftime("%Y-%m-%dT%H:%MZ")
    count = int((refused > REFUSED_MTOK).sum())
    times = f"{count} interval" + ("s" if count > 1 else "")
    sum_up = f"{refused.sum():.4g} Mtok of {name} were refused by {run.policy} in {times}"
    lacks = [
        _worst(world, run, route, float(refused[at]), at)
        for route in world.routes
        if route.workload == workload
    ]
    if not lacks:
        return _out_of_reach(world, workload, sum_up)
    least = min(lacks, key=lambda lack: lack.over_ratio)
    if least.over_ratio <= 1.0:
        return _by_choice(world, workload, sum_up, f"{least.place} had room at {moment}")
    return Finding(
        code="MUST_SERVE_REFUSED",
        path=least.path,
        value=least.value,
        limit=least.limit,
        unit=least.unit,
        reason=f"{least.place} would need {least.value} {least.unit} at {moment} for {name}; "
        f"{least.sentence}; {sum_up}",
        remedy=least.remedy,
        severity="warning",
    )


def _worst(world: World, run: Run, route: Route, mtok: float, at: int) -> _Lack:
    """Return what would stop a route from serving `mtok` more in that interval."""
    deployment = world.deployments[route.deployment]
    if deployment.external:
        return _rate_lack(world, run, route, mtok, at)
    return max(_site_lacks(world, run, route, mtok, at), key=lambda lack: lack.over_ratio)


def _rate_lack(world: World, run: Run, route: Route, mtok: float, at: int) -> _Lack:
    deployment = world.deployments[route.deployment]
    sent = [i for i, other in enumerate(world.routes) if other.deployment == route.deployment]
    need = (float(run.serve_mtok[sent, at].sum()) + mtok) / world.step_h
    limit = deployment.limit_mtok_per_h
    return _Lack(
        place=f"external API {deployment.name}",
        sentence=f"its limit is {limit:.4g} Mtok/h",
        path=f"workloads[{route.workload}]",
        value=f"{need:.4g}",
        limit=f"{limit:.4g}",
        unit="Mtok/h",
        remedy="Raise limit_mtok_per_h, or give the workload another place to go",
        over_ratio=need / limit if limit > 0.0 else np.inf,
    )


def _site_lacks(world: World, run: Run, route: Route, mtok: float, at: int) -> Iterator[_Lack]:
    """Yield what the fleet and the connection would need, whether they have it or not."""
    deployment = world.deployments[route.deployment]
    fleet, site = world.fleets[deployment.fleet], deployment.site
    name = world.site_names[site]
    more = _more_replicas(world, run, route, mtok, at)
    awake_gpus = sum(
        float(other.gpus_count * run.awake[i, at])
        for i, other in enumerate(world.deployments)
        if other.fleet == deployment.fleet
    )
    gpus = awake_gpus + more * deployment.gpus_count
    there = float(gpus_count(world, np.array([world.first + at]))[deployment.fleet, 0])
    yield _Lack(
        place=f"fleet {fleet.name} at site {name}",
        sentence=f"it has {there:,.0f}",
        path=f"fleets[{deployment.fleet}].gpu_count",
        value=f"{np.ceil(gpus - 1e-6):,.0f}",
        limit=f"{there:,.0f}",
        unit="GPUs",
        remedy="Add GPUs there, let the work wait (deadline_s), or offer a smaller model",
        over_ratio=gpus / there if there > 0.0 else np.inf,
    )
    sleep_mw = fleet.sleep_mw_per_gpu * deployment.gpus_count
    it_mwh = mtok * route.marginal_mwh_per_mtok
    it_mwh += more * ((deployment.base_mw - sleep_mw) * world.step_h + deployment.wake_mwh)
    net_mwh = float(run.import_mwh[site, at] - run.export_mwh[site, at])
    need_mw = (net_mwh + it_mwh * world.pue[site, world.first + at]) / world.step_h
    limit_mw = float(world.import_limit_mw[site, world.first + at])
    yield _Lack(
        place=f"site {name}",
        sentence=f"its import limit is {limit_mw:.4g} MW",
        path=f"sites[{site}].import_limit_mw",
        value=_just_above(need_mw, limit_mw),
        limit=f"{limit_mw:.4g}",
        unit="MW",
        remedy="Raise import_limit_mw, add power behind the meter, or let the work wait",
        over_ratio=need_mw / limit_mw if limit_mw > 0.0 else np.inf,
    )


def _more_replicas(world: World, run: Run, route: Route, mtok: float, at: int) -> float:
    """Return how many more replicas must be awake to serve `mtok` more, wakes included."""
    deployment = world.deployments[route.deployment]
    busy_h = sum(
        float(run.serve_mtok[i, at]) / other.rate_mtok_per_h
        for i, other in enumerate(world.routes)
        if other.deployment == route.deployment
    )
    lost_h = min(deployment.wake_h, world.step_h)
    awake, wake = (float(each[route.deployment, at]) for each in (run.awake, run.wake))
    room_h = awake * world.step_h - wake * lost_h - busy_h
    short_h = mtok / route.rate_mtok_per_h - max(0.0, room_h)
    return max(0.0, short_h) / max(world.step_h - lost_h, 1e-3 * world.step_h)


def _just_above(need_mw: float, limit_mw: float) -> str:
    """Return a power with as many digits as it takes to tell it from its limit."""
    for digits in range(4, 10):
        if f"{need_mw:.{digits}g}" != f"{limit_mw:.{digits}g}":
            return f"{need_mw:.{digits}g}"
    return f"{need_mw:.9g}"


def _out_of_reach(world: World, workload: int, sum_up: str) -> Finding:
    name = world.workloads[workload].name
    why = next((reason for load, _, reason in world.unreachable if load == name), "")
    return Finding(
        code="MUST_SERVE_REFUSED",
        path=f"workloads[{workload}]",
        reason=f"no deployment is in reach of {name}"
        + (f" ({why})" if why else "")
        + f"; {sum_up}",
        remedy="Relax ttft_limit_s or tpot_limit_s, or offer a model and a fleet that keep them",
        severity="warning",
    )


def _by_choice(world: World, workload: int, sum_up: str, where: str) -> Finding:
    load = world.workloads[workload]
    return Finding(
        code="MUST_SERVE_REFUSED",
        path=f"workloads[{workload}].tier",
        value=f"{load.value_usd_per_mtok:.4g}",
        unit="USD/Mtok",
        reason=f"{where} but serving there did not pay, or was not tried; {sum_up}",
        remedy="Raise the tier's value if it must be served at any price",
        severity="warning",
    )
