"""Rows of an outlook: power, shares and queues by interval, out of a solved window or a step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.world import FloatArray, IntArray, World
from tokenergy.simulate.interval import Step

Row = dict[str, Any]
SHOWN_SHARE = 1e-9


def balance_rows(world: World, optimum: Optimum, *, begin: int) -> list[Row]:
    """Return power and its prices by interval and site of a solved window, MW at the meter.

    Args:
        world: the company as arrays.
        optimum: the window.
        begin: the interval of it that is shown first.
    """
    window = optimum.window
    live = slice(begin, window.live_count)
    hours = window.lengths_h[live, None]
    rent = np.maximum(0.0, -optimum.reduced("meter_import", live)) + 0.0
    shown = {
        "buy_usd_per_mwh": window.buy_usd_per_mwh[:, live].T,
        "load_mw": window.pue[:, live].T * optimum.value("it", live) / hours,
        "import_mw": optimum.value("meter_import", live) / hours,
        "export_mw": optimum.value("meter_export", live) / hours,
        "import_limit_mw": window.import_limit_mw[:, live].T,
        "take_mw": _summed(world, optimum.value("take", live), _take_sites(world)) / hours,
        "charge_mw": _summed(world, optimum.value("charge", live), world.battery_site) / hours,
        "discharge_mw": _summed(world, optimum.value("discharge", live), world.battery_site)
        / hours,
        "stored_mwh": _summed(world, optimum.value("energy", live), world.battery_site),
        "mw_rent_usd_per_mwh": rent,
    }
    return _rows(world, window.edges[begin : window.live_count + 1], shown)


def now_balance_rows(world: World, at: int, step: Step) -> list[Row]:
    """Return the same of one interval that no program was solved for; its rents are not known."""
    now = slice(at, at + 1)
    shown = {
        "buy_usd_per_mwh": world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, now], now).T,
        "load_mw": step.load_mwh[None, :] / world.step_h,
        "import_mw": step.import_mwh[None, :] / world.step_h,
        "export_mw": step.export_mwh[None, :] / world.step_h,
        "import_limit_mw": world.import_limit_mw[:, now].T,
        "take_mw": _summed(world, step.take_mwh[None, :], _take_sites(world)) / world.step_h,
        "charge_mw": _summed(world, step.charge_mwh[None, :], world.battery_site) / world.step_h,
        "discharge_mw": _summed(world, step.discharge_mwh[None, :], world.battery_site)
        / world.step_h,
        "stored_mwh": _summed(world, step.energy_mwh[None, :], world.battery_site),
    }
    rows = _rows(world, np.array([at, at + 1]), shown)
    return [row | {"mw_rent_usd_per_mwh": None} for row in rows]


def share_rows(world: World, serve_mtok: FloatArray, edges: IntArray) -> list[Row]:
    """Return the part of each workload's work by interval and site, where there is any.

    Args:
        world: the company as arrays.
        serve_mtok: work by route [n, R].
        edges: where each interval begins, and the last one ends [n + 1].
    """
    rows = []
    names = [_place(world, route.deployment) for route in world.routes]
    for k, served in enumerate(serve_mtok):
        span = _span(world, edges, k)
        sent: dict[tuple[int, str], float] = {}
        for i, route in enumerate(world.routes):
            if served[i] > 0.0:
                key = (route.workload, names[i])
                sent[key] = sent.get(key, 0.0) + float(served[i])
        total = np.zeros(len(world.workloads))
        for (workload, _), mtok in sent.items():
            total[workload] += mtok
        for (workload, site), mtok in sorted(sent.items()):
            share = mtok / float(total[workload])
            if share > SHOWN_SHARE:
                name = world.workloads[workload].name
                rows.append({**span, "workload": name, "site": site, "share": share})
    return rows


def queue_rows(
    world: World,
    serve_mtok: FloatArray,
    edges: IntArray,
    *,
    backlog: FloatArray | None,
    arrivals: FloatArray | None = None,
) -> list[Row]:
    """Return what comes, is served and waits at the end, by interval and workload, Mtok.

    Args:
        world: the company as arrays.
        serve_mtok: work by route [n, R].
        edges: where each interval begins, and the last one ends [n + 1].
        backlog: what waits at the end of each interval [n, W]; None: not known.
        arrivals: what is expected to come [W, n]; None: what the world has.
    """
    loads = np.array([route.workload for route in world.routes], dtype=np.int64)
    rows = []
    for k, served in enumerate(serve_mtok):
        done = np.bincount(loads, weights=served.clip(0.0), minlength=len(world.workloads))
        for workload, spec in enumerate(world.workloads):
            comes = world.arrivals_mtok[:, edges[k]] if arrivals is None else arrivals[:, k]
            waits = 0.0 if not spec.defer_count else None
            if spec.defer_count and backlog is not None:
                waits = max(0.0, float(backlog[k, workload]))
            rows.append(
                {
                    **_span(world, edges, k),
                    "workload": spec.name,
                    "arrivals_mtok": float(comes[workload]),
                    "served_mtok": float(done[workload]),
                    "backlog_mtok": waits,
                }
            )
    return rows


def _rows(world: World, edges: IntArray, shown: dict[str, FloatArray]) -> list[Row]:
    """Return a row for each interval and site of tables [n, S]."""
    return [
        {
            **_span(world, edges, k),
            "site": name,
            **{key: float(values[k, site]) + 0.0 for key, values in shown.items()},
        }
        for k in range(edges.size - 1)
        for site, name in enumerate(world.site_names)
    ]


def _span(world: World, edges: IntArray, k: int) -> dict[str, str]:
    start, end = (world.moment(int(edges[k + each])) for each in (0, 1))
    return {"start": start.strftime("%Y-%m-%dT%H:%MZ"), "end": end.strftime("%Y-%m-%dT%H:%MZ")}


def _place(world: World, deployment: int) -> str:
    target = world.deployments[deployment]
    return target.name if target.external else world.site_names[target.site]


def _take_sites(world: World) -> list[int]:
    return [take.site for take in world.takes]


def _summed(world: World, values: FloatArray, sites: Sequence[int]) -> FloatArray:
    """Return figures of things that stand at sites [n, M], summed by site [n, S]."""
    total = np.zeros((values.shape[0], world.sites_count))
    for at, site in enumerate(sites):
        total[:, int(site)] += values[:, at]
    return total
