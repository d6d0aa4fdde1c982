"""One HTML file with everything: whether it pays, prices in parts, balance, scorecard, supply."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tokenergy.api.earning import Economics, economics
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import REPORT, refuse_unwritable
from tokenergy.api.planning import Planned
from tokenergy.api.pricing import Board, price
from tokenergy.api.simulating import Simulation, simulate
from tokenergy.company.basis import refuse_unstated
from tokenergy.dispatch.world import World
from tokenergy.economics.supply_curve import supply_curve
from tokenergy.errors import UnexpectedError
from tokenergy.simulate.run import Run


def report(
    company: OpenCompany,
    *,
    out: str | Path,
    policies: Sequence[str] | None = None,
    board: Board | None = None,
    simulation: Simulation | None = None,
    pays: Economics | None = None,
    planned: Planned | None = None,
    usage_ledger: str | Path | None = None,
    on_progress: Progress | None = None,
) -> Path:
    """Write the report of a company; what has been computed already is not computed again.

    Args:
        company: an opened company.
        out: the HTML file to write; it may replace an older report and nothing else.
        policies: whom to simulate, as in `simulate`.
        board: prices, if they have been made.
        simulation: runs, if they have been made.
        pays: whether it pays, if that has been answered.
        planned: what to build and sign, if it is to stand in the report.
        usage_ledger: a ledger whose requests tell tokens by user, as in `economics`.
        on_progress: told of what is done.

    Raises:
        FindingsError: if no dispatch satisfies the company's own limits.
        InputError: if the file cannot be written, or the ledger cannot be read.
        UnexpectedError: if a cost per Mtok does not say which cost it is: a fault of ours.
    """
    from tokenergy.page.report import ReportData, write_report

    target = Path(out)
    refuse_unwritable(target, replaces=REPORT)
    shown = simulation or simulate(company, policies=policies, on_progress=on_progress)
    prices = board or price(company, on_progress=on_progress)
    answered = pays or economics(
        company, simulation=shown, usage_ledger=usage_ledger, on_progress=on_progress
    )
    world = company.world
    name = shown.shown
    heading = prices.heading | {"warnings": shown.heading["warnings"]}
    data = ReportData(
        heading=heading,
        policy=name,
        message=shown.message,
        full_cost=shown.full.to_dict(),
        scorecard=shown.card.to_dict(),
        balance=_balance_rows(world, shown.runs[name]),
        prices=[row.to_dict() for row in prices.prices],
        supply=_supply(world),
        demand_mtok=_demand_mtok(world),
        value_changes=[change.to_dict() for change in prices.values],
        media=[served.to_dict() for served in prices.media],
        economics=_stated(answered),
        split=None if shown.split is None else shown.split.to_dict(),
        plan=None if planned is None else planned.to_dict(),
    )
    return write_report(data, target)


def _supply(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return the supply curve of every workload in the first interval."""
    return {
        spec.name: [s.to_dict() for s in supply_curve(world, workload=at, at=world.first)]
        for at, spec in enumerate(world.workloads)
    }


def _demand_mtok(world: World) -> dict[str, float]:
    """Return what is asked for of every workload in the first interval."""
    return {
        spec.name: float(world.arrivals_mtok[at, world.first])
        for at, spec in enumerate(world.workloads)
    }


def _stated(answered: Economics) -> dict[str, Any]:
    """Return the answer as a mapping, after seeing that each cost per Mtok states its basis."""
    told = answered.to_dict()
    if unstated := refuse_unstated(told):
        raise UnexpectedError("; ".join(f"{f.code}: {f.path}: {f.reason}" for f in unstated))
    return told


def _balance_rows(world: World, run: Run) -> list[dict[str, Any]]:
    """Return the balance of each site by interval, MW at the meter."""
    step_h = world.step_h
    span = slice(world.first, world.last)
    buy = world.buy_usd_per_mwh(world.spot_usd_per_mwh[:, span], span)
    stored = {
        name: _by_site(world, getattr(run, name))
        for name in ("charge_mwh", "discharge_mwh", "energy_mwh")
    }
    taken = np.zeros((world.sites_count, world.count))
    for take, taken_mwh in zip(world.takes, run.take_mwh, strict=True):
        taken[take.site] += taken_mwh
    rows = []
    for at in range(world.count):
        start = world.moment(world.first + at).strftime("%Y-%m-%dT%H:%MZ")
        for site, name in enumerate(world.site_names):
            rows.append(
                {
                    "start": start,
                    "site": name,
                    "buy_usd_per_mwh": round(float(buy[site, at]), 3),
                    "load_mw": round(float(run.load_mwh[site, at]) / step_h, 4),
                    "import_mw": round(float(run.import_mwh[site, at]) / step_h, 4),
                    "export_mw": round(float(run.export_mwh[site, at]) / step_h, 4),
                    "take_mw": round(float(taken[site, at]) / step_h, 4),
                    "charge_mw": round(float(stored["charge_mwh"][site, at]) / step_h, 4),
                    "discharge_mw": round(float(stored["discharge_mwh"][site, at]) / step_h, 4),
                    "stored_mwh": round(float(stored["energy_mwh"][site, at]), 4),
                    "import_limit_mw": float(world.import_limit_mw[site, world.first + at]),
                }
            )
    return rows


def _by_site(world: World, values: np.ndarray) -> np.ndarray:
    """Return figures by battery summed by site [S, T]."""
    total = np.zeros((world.sites_count, world.count))
    for at, site in enumerate(world.battery_site):
        total[site] += values[at]
    return total
