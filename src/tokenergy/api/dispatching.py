"""What to do in one window: replicas to keep awake, work to place, power to buy and to store."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenergy.api.opened import OpenCompany, begin_of, explained, state_before, window_count
from tokenergy.api.pricing import HOURS_MOST_H
from tokenergy.api.table import to_html, to_polars
from tokenergy.dispatch.explain import window_warnings
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.solve import Optimum
from tokenergy.dispatch.survival import SurvivalPremium, survival_premium
from tokenergy.dispatch.world import World
from tokenergy.errors import InfeasibleProgram, InputError

if TYPE_CHECKING:
    import polars as pl

Row = dict[str, Any]
SHOWN = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class DispatchPlan:
    """The optimum of a window on what is public at its start.

    Attributes:
        heading: company, horizon, synthetic series, warnings.
        start: first moment of the window.
        hours_h: its length.
        objective_usd: the optimum of the window, terminal values included.
        sites: a row for each interval and site: power, prices, storage.
        deployments: a row for each interval and deployment: awake replicas and work.
        workloads: a row for each interval and workload: asked, served, waiting, refused.
        survival: what it costs over the window that tiers survive the loss of any one site; None
            where none promises it.
    """

    heading: Row
    start: datetime
    hours_h: float
    objective_usd: float
    sites: tuple[Row, ...]
    deployments: tuple[Row, ...]
    workloads: tuple[Row, ...]
    survival: SurvivalPremium | None = None

    def __str__(self) -> str:
        """Say in a line what the plan holds."""
        return (
            f"{self.heading['company']}: dispatch of {self.hours_h:g} h from "
            f"{self.start:%Y-%m-%dT%H:%MZ}, {self.objective_usd:,.0f} USD"
        )

    def to_dict(self) -> Row:
        """Return the plan as one JSON-ready object; keys carry units."""
        return self.heading | {
            "start": self.start.strftime("%Y-%m-%dT%H:%MZ"),
            "hours_h": self.hours_h,
            "policy": Mpc.name,
            "objective_usd": self.objective_usd,
            "sites": list(self.sites),
            "deployments": list(self.deployments),
            "workloads": list(self.workloads),
            "survival": None if self.survival is None else self.survival.to_dict(),
        }

    def to_polars(self) -> "pl.DataFrame":
        """Return the rows of the sites as a polars frame."""
        return to_polars(self.sites)

    def _repr_html_(self) -> str:
        return to_html(self.sites, f"{self.heading['company']}: what each site does")


def dispatch(
    company: OpenCompany, *, at: datetime | None = None, hours: float = 48.0
) -> DispatchPlan:
    """Decide one window: what to run where, what to store, what to let wait, what to refuse.

    Args:
        company: an opened company.
        at: first moment of the window; None: the start of the horizon.
        hours: length of the window.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits.
        InputError: if `at` lies outside the horizon or `hours` is out of range.
    """
    if not 0.0 < hours <= HOURS_MOST_H:
        raise InputError(f"hours is {hours:g}; it must lie above 0 and up to {HOURS_MOST_H:g} h")
    world = company.world
    begin = begin_of(company, at)
    count = min(window_count(world, hours), world.last - begin)
    state = state_before(world, begin)
    try:
        optimum = Mpc(world, window_h=count * world.step_h).plan(begin, state)
    except InfeasibleProgram as error:
        raise explained(company, begin, state, error) from error
    heading = company.heading()
    survival = survival_premium(world, optimum.window, state)
    warnings = [*window_warnings(world, optimum), *(survival.findings if survival else ())]
    heading["warnings"] += [finding.to_dict() for finding in warnings]
    return DispatchPlan(
        heading=heading,
        start=world.moment(begin),
        hours_h=count * world.step_h,
        objective_usd=optimum.objective_usd,
        sites=tuple(_site_rows(world, optimum)),
        deployments=tuple(_deployment_rows(world, optimum)),
        workloads=tuple(_workload_rows(world, optimum)),
        survival=survival,
    )


def _label(world: World, optimum: Optimum, at: int) -> str:
    return world.moment(int(optimum.window.edges[at])).strftime("%Y-%m-%dT%H:%MZ")


def _site_rows(world: World, optimum: Optimum) -> list[Row]:
    """Return power and prices by interval and site."""
    window, step_h = optimum.window, optimum.window.lengths_h[:, None]
    power = {name: optimum.value(name) / step_h for name in ("meter_import", "meter_export")}
    it_mw, node = optimum.value("it") / step_h, optimum.dual("balance")
    rent = np.maximum(0.0, -optimum.reduced("meter_import"))
    stored = {name: _by_site(world, optimum, name) for name in ("charge", "discharge", "energy")}
    rows = []
    for at in range(window.live_count):
        for site, name in enumerate(world.site_names):
            taken = [i for i, take in enumerate(world.takes) if take.site == site]
            rows.append(
                {
                    "start": _label(world, optimum, at),
                    "site": name,
                    "buy_usd_per_mwh": float(window.buy_usd_per_mwh[site, at]),
                    "node_usd_per_mwh": float(node[at, site]),
                    "mw_rent_usd_per_mwh": float(rent[at, site]),
                    "import_mw": float(power["meter_import"][at, site]),
                    "import_limit_mw": float(window.import_limit_mw[site, at]),
                    "export_mw": float(power["meter_export"][at, site]),
                    "load_mw": float(window.pue[site, at] * it_mw[at, site]),
                    "take_mw": float(optimum.value("take")[at, taken].sum() / window.lengths_h[at]),
                    "charge_mw": float(stored["charge"][at, site] / window.lengths_h[at]),
                    "discharge_mw": float(stored["discharge"][at, site] / window.lengths_h[at]),
                    "stored_mwh": float(stored["energy"][at, site]),
                }
            )
    return rows


def _by_site(world: World, optimum: Optimum, block: str) -> np.ndarray:
    """Return a block of battery columns summed by site [n, S]."""
    total = np.zeros((optimum.window.count, world.sites_count))
    values = optimum.value(block)
    for at, site in enumerate(world.battery_site):
        total[:, site] += values[:, at]
    return total


def _deployment_rows(world: World, optimum: Optimum) -> list[Row]:
    """Return awake replicas and work by interval and deployment; nothing is left out but zeros."""
    serve, awake, wake = (optimum.value(name) for name in ("serve", "awake", "wake"))
    rows = []
    for at in range(optimum.window.live_count):
        for d, deployment in enumerate(world.deployments):
            work = {
                world.workloads[r.workload].name: float(serve[at, i])
                for i, r in enumerate(world.routes)
                if r.deployment == d and serve[at, i] > SHOWN
            }
            up = 0.0 if deployment.external else float(awake[at, d])
            if not work and up <= SHOWN:
                continue
            rows.append(
                {
                    "start": _label(world, optimum, at),
                    "site": deployment.name
                    if deployment.external
                    else world.site_names[deployment.site],
                    "accelerator": deployment.accelerator,
                    "model": deployment.model,
                    "awake_count": up,
                    "wake_count": 0.0 if deployment.external else float(wake[at, d]),
                    "gpus_count": up * deployment.gpus_count,
                    "serve_mtok": work,
                }
            )
    return rows


def _workload_rows(world: World, optimum: Optimum) -> list[Row]:
    """Return asked, served, waiting and refused Mtok by interval and workload."""
    serve, refused, waiting = (optimum.value(n) for n in ("serve", "refused", "backlog"))
    high = optimum.dual("demand")
    rows = []
    for at in range(optimum.window.live_count):
        for w, spec in enumerate(world.workloads):
            mine = [i for i, r in enumerate(world.routes) if r.workload == w]
            rows.append(
                {
                    "start": _label(world, optimum, at),
                    "workload": spec.name,
                    "tier": spec.tier,
                    "asked_mtok": float(optimum.window.arrivals_mtok[w, at]),
                    "served_mtok": float(serve[at, mine].sum()),
                    "waiting_mtok": float(waiting[at, w]) if spec.defer_count else 0.0,
                    "refused_mtok": float(refused[at, w]),
                    "dual_usd_per_mtok": float(high[at, w]),
                }
            )
    return rows
