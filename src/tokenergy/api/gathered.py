"""What a report is made of, step by step: each is told, and what fails leaves what was there."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tokenergy import __version__
from tokenergy.api.decided import decided
from tokenergy.api.earning import Economics, economics
from tokenergy.api.experimenting import Thesis, thesis
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.planning import Planned, plan
from tokenergy.api.pricing import Board, price
from tokenergy.api.report_rows import view_rows
from tokenergy.api.settling import settled_run
from tokenergy.api.simulating import Simulation, simulate
from tokenergy.company.basis import refuse_unstated
from tokenergy.dispatch.world import World
from tokenergy.economics.supply_curve import supply_curve
from tokenergy.errors import FindingsError, TokenergyError, UnexpectedError
from tokenergy.simulate.run import Run

if TYPE_CHECKING:
    from tokenergy.page.data import ReportData

DIGEST_COUNT: Final = 12
"""So many characters tell two company files apart."""


class Gathered:
    """The parts of one report as they are made; `step` says which is under way."""

    def __init__(
        self,
        company: OpenCompany,
        *,
        simulation: Simulation | None = None,
        board: Board | None = None,
        pays: Economics | None = None,
        planned: Planned | None = None,
        made_at: datetime | None = None,
    ) -> None:
        """Begin with what has been made already."""
        self.company = company
        self.simulation, self.board, self.pays, self.planned = simulation, board, pays, planned
        self.tested: Thesis | None = None
        self.decisions: list[dict[str, Any]] = []
        self.made_at = made_at
        self.step = "reading the company file"

    def make(
        self,
        policies: Sequence[str] | None = None,
        usage_ledger: str | Path | None = None,
        *,
        plans: bool = False,
        tests: bool = False,
        told: Progress | None = None,
    ) -> None:
        """Make what is not there yet.

        Args:
            policies, usage_ledger: as in `report`.
            plans, tests: also plan, and run the claims.
            told: told of what is done.

        Raises:
            TokenergyError: where a step fails; what was made before it stays.
        """
        if self.simulation is None:
            self.step = "simulating the policies"
            self.simulation = simulate(self.company, policies=policies, on_progress=told)
        if self.board is None:
            self.step = "pricing the board"
            self.board = price(self.company, on_progress=told)
        self.step = "reading the decisions"
        shown = self.simulation
        self.decisions = decided(self.company.world, shown.runs[shown.shown], usage_ledger)
        if self.pays is None:
            self.step = "asking whether it pays"
            self.pays = economics(
                self.company, simulation=shown, usage_ledger=usage_ledger, on_progress=told
            )
        if plans and self.planned is None:
            self.step = "planning"
            self.planned = plan(self.company, on_progress=told)
        if tests:
            self.step = "running the claims"
            self.tested = thesis(on_progress=told)
        self.step = "writing the page"

    def data(self, failed: TokenergyError | None = None) -> "ReportData":
        """Return the numbers of the report; those of a failed run say what failed, too."""
        from tokenergy.page.report import ReportData

        heading = self.company.heading()
        shown, board = self.simulation, self.board
        if shown is not None:
            heading |= {"warnings": shown.heading["warnings"]}
        world = self.company.world if failed is None or shown is not None else None
        given: dict[str, Any] = {
            "heading": heading | {"about": self.company.company.about},
            "made": made_of(self.company.path, self.made_at),
            **_run_parts(self.company, shown),
            **({} if world is None else view_rows(self.company, shown, self.pays)),
            "prices": [] if board is None else [row.to_dict() for row in board.prices],
            "value_changes": [] if board is None else [each.to_dict() for each in board.values],
            "media": [] if board is None else [served.to_dict() for served in board.media],
            "supply": {} if world is None else _supply(world),
            "demand_mtok": {} if world is None else _demand_mtok(world),
            "decisions": self.decisions,
            "economics": None if self.pays is None else _stated(self.pays),
            "plan": None if self.planned is None else self.planned.to_dict(),
            "thesis": None if self.tested is None else self.tested.to_dict(),
            "failed": None if failed is None else failure(failed, self.step),
        }
        return ReportData(**given)


def made_of(file: Path, at: datetime | None) -> dict[str, Any]:
    """Return who makes a report of which file, and when, if that is to stand in it."""
    made: dict[str, Any] = {"version": __version__}
    if at is not None:
        made["at"] = f"{at:%Y-%m-%dT%H:%MZ}"
    try:
        made["digest"] = sha256(file.read_bytes()).hexdigest()[:DIGEST_COUNT]
    except OSError:
        made["digest"] = None  # the file has gone since it was read: the page says nothing of it
    return made


def failure(error: TokenergyError, step: str) -> dict[str, Any]:
    """Return what failed, as a page shows it."""
    findings = error.findings if isinstance(error, FindingsError) else ()
    return {
        "step": step,
        "error": str(error),
        "ours": isinstance(error, UnexpectedError),
        "findings": [finding.to_dict() for finding in findings],
    }


def _run_parts(company: OpenCompany, shown: Simulation | None) -> dict[str, Any]:
    """Return what the shown run tells: cost, scorecard, balance, bill."""
    if shown is None:
        return {
            "policy": "", "message": "", "full_cost": {}, "scorecard": {"policies": {}},
            "balance": [],
        }  # fmt: skip
    run = shown.runs[shown.shown]
    return {
        "policy": shown.shown,
        "message": shown.message,
        "full_cost": shown.full.to_dict(),
        "scorecard": shown.card.to_dict(),
        "balance": _balance_rows(company.world, run),
        "settlement": settled_run(company, run).added_up(),
        "split": None if shown.split is None else shown.split.to_dict(),
    }


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
