"""What to build and what to sign: the plan, its bounds, and what everything in it is worth."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tokenergy.api.as_built import AsBuilt, as_built, built_of
from tokenergy.api.opened import OpenCompany, Progress
from tokenergy.api.output import REPORT, refuse_unwritable
from tokenergy.api.plan_exposures import ContractExposures, contract_exposures
from tokenergy.api.plan_findings import explained, gap_findings, nothing_built
from tokenergy.api.plan_reasons import Reasons, asked_of, reasons, short_finding
from tokenergy.api.plan_search import Found, OnBounds, search
from tokenergy.api.plan_words import answer_lines
from tokenergy.api.scenarios import Fan, run_scenarios
from tokenergy.api.table import to_html, to_polars
from tokenergy.company.finding import Finding
from tokenergy.errors import InfeasibleProgram, InputError, SolverFailure
from tokenergy.files.planned_file import HEAD, planned_text, write_planned
from tokenergy.plan.priced import plan_worths
from tokenergy.plan.program import PlanProgram, plan_program
from tokenergy.plan.values import Worth

if TYPE_CHECKING:
    import polars as pl

GAP_SHARE: Final = 1e-3
"""Bounds this close end a search: what goes in is known less well."""
SAVED: Final = Path(".tokenergy")
"""Folder of what a stopped plan leaves behind where nobody named a file."""
TIED_SHARE: Final = 1e-6
"""How far the clairvoyant of the planned company may come to another cost than the plan."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Planned:
    """What to build and sign, what it costs between which bounds, and what it is worth.

    Attributes:
        heading: company, horizon of the plan, synthetic series, warnings.
        found: sizes, cost and both bounds.
        built: the planned company and what it does; None where the search was stopped.
        worths: what one more of each size saves, and what the last one saved, per year.
        exposures: of each contract that is signed.
        reasons: why it is so; None: the search was stopped.
        fan: plans of other worlds, each held in all of them; None: not asked for, or stopped.
        findings: what a reader must know beside the figures.
        written: the company file of the plan; None: none was written.
        page: the page of the plan; None: none was written.
    """

    heading: dict[str, Any]
    found: Found
    built: AsBuilt | None
    worths: tuple[Worth, ...] = ()
    exposures: tuple[ContractExposures, ...] = ()
    reasons: Reasons | None = None
    fan: Fan | None = None
    findings: tuple[Finding, ...] = ()
    written: Path | None = None
    page: Path | None = None

    @property
    def stopped(self) -> bool:
        """Whether the search was stopped before it was done."""
        return self.found.stopped

    @property
    def cost_usd(self) -> float:
        """What the plan costs over its horizon: dispatch, contracts, and all capital."""
        return self.found.cost_usd

    @property
    def usd_per_mtok_full(self) -> float | None:
        """All that is paid, over the tokens that were served; never the marginal cost."""
        return None if self.built is None else self.built.full.allocation_usd_per_mtok

    @property
    def usd_per_mtok_marginal(self) -> float | None:
        """What one Mtok more costs with these sizes, on the mean; never the full cost."""
        return None if self.built is None else self.built.marginal_usd_per_mtok

    def __str__(self) -> str:
        """Say in sentences what to build and what it costs."""
        return "\n".join((str(self.heading["company"]), *self.lines()))

    def lines(self) -> Iterator[str]:
        """Yield the answer in sentences: what to build, bounds, tokens, what is worth what."""
        yield from answer_lines(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as one JSON-ready object; keys carry units."""
        found, built = self.found, self.built
        return self.heading | {
            "answer": list(self.lines()),
            "hours_h": found.program.hours_h,
            "method": found.method,
            "stopped": found.stopped,
            "cost_usd": found.cost_usd,
            "lower_bound_usd": found.lower_usd,
            "gap_share": found.gap_share,
            "capacities": found.capacities(),
            "standing": found.standing(),
            "capital_usd": found.capital_usd,
            "budget_usd": self.budget_usd,
            "annuity_usd": found.annuity_usd,
            "operating_usd": found.cost_usd - found.annuity_usd,
            "basis": {"usd_per_mtok_full": "allocation", "usd_per_mtok_marginal": "marginal"},
            "usd_per_mtok_full": self.usd_per_mtok_full,
            "usd_per_mtok_marginal": self.usd_per_mtok_marginal,
            "values": [worth.to_dict() for worth in self.worths],
            "exposures": [each.to_dict() for each in self.exposures],
            **(Reasons(hours_h=0.0) if self.reasons is None else self.reasons).to_dict(),
            "scenarios": None if self.fan is None else self.fan.to_dict(),
            "as_built": None if built is None else self._as_built(built),
            "iterations": [
                {
                    "lower_usd": each.lower_usd,
                    "upper_usd": each.upper_usd,
                    "seconds_s": each.seconds_s,
                }
                for each in found.iterations
            ],
            "findings": [finding.to_dict() for finding in self.findings],
            "written": None if self.written is None else str(self.written),
            "page": None if self.page is None else str(self.page),
        }

    def _as_built(self, built: AsBuilt) -> dict[str, Any]:
        """Return what the planned company does, and whether that comes to the plan's cost."""
        total_usd = built.clairvoyant_usd + self.found.annuity_usd
        return {
            "clairvoyant_usd": built.clairvoyant_usd,
            "clairvoyant_and_annuity_usd": total_usd,
            "difference_share": difference_share(total_usd, self.cost_usd),
            "solved_again": built.solved_again,
            "parts_usd": built.spent.parts(),
            "served_mtok": built.full.served_mtok,
            "share_kwh": built.full.kwh_share,
            "share_powered_capacity": built.full.powered_capacity_share,
            "share_silicon": built.full.silicon_share,
            "full_cost": built.full.to_dict(),
            "workloads": [each.to_dict() for each in built.workloads],
            "bill": built.bill(),
        }

    @property
    def budget_usd(self) -> float | None:
        """Most capital that the sizes may take; None: there is no limit."""
        planning = self.found.program.company.plan
        return None if planning is None else planning.budget_usd

    def to_polars(self) -> "pl.DataFrame":
        """Return one row per candidate as a polars frame."""
        return to_polars(self.found.capacities())

    def _repr_html_(self) -> str:
        names = ("name", "kind", "site", "size", "unit", "most", "annuity_usd")
        rows = [{name: row[name] for name in names} for row in self.found.capacities()]
        return to_html(rows, f"{self.heading['company']}: what to build and sign")


def plan(
    company: OpenCompany,
    hours: float | None = None,
    *,
    scenarios: bool = False,
    gap_share: float = GAP_SHARE,
    write: str | Path | None = None,
    out: str | Path | None = None,
    dask: str | None = None,
    stop: Callable[[], bool] | None = None,
    on_progress: Progress | None = None,
    on_bounds: OnBounds | None = None,
) -> Planned:
    """Find what to build and what to sign at the least full cost of the promised service.

    Args:
        company: an opened company with a section `plan`.
        hours: how much of its horizon, from the start; None: all of it.
        scenarios: also hold the plan against the worlds that the file names.
        gap_share: bounds this close, as a share of the cost, end the search.
        write: write the company file of the plan there; it may replace an older one.
        out: write the page of the plan there; it may replace an older report.
        dask: address of a Dask cluster for the scenarios; None: processes on this machine.
        stop: asked between steps whether to end with what there is.
        on_progress: told of what is done.
        on_bounds: told of both bounds of the cost as they close.

    Raises:
        FindingsError: if nothing carries the company's own limits, said in the file's words.
        InputError: if there is nothing to plan, or a file cannot be written.
    """
    if dask is not None and not scenarios:
        raise InputError("a Dask cluster runs scenarios: ask for them with --scenarios")
    target, page = _targets(write, out)
    found = _found(company, hours, gap_share, stop, on_progress, on_bounds)
    planned = _told(company, found, gap_share=gap_share, stop=stop, on_progress=on_progress)
    if scenarios and not planned.stopped:
        fan = run_scenarios(
            company,
            hours=hours,
            gap_share=gap_share,
            dask=dask,
            stop=stop,
            on_progress=on_progress,
        )
        planned = replace(planned, fan=fan)
    planned = _saved(company, planned, target)
    return planned if page is None else _shown(planned, page)


def _targets(write: str | Path | None, out: str | Path | None) -> tuple[Path | None, Path | None]:
    """Return the files to write, after seeing that they can be written."""
    target, page = (None if each is None else Path(each) for each in (write, out))
    for path, begins in ((target, HEAD.encode()), (page, REPORT)):
        if path is not None:
            refuse_unwritable(path, replaces=begins)
    return target, page


def _found(
    company: OpenCompany,
    hours: float | None,
    gap_share: float,
    stop: Callable[[], bool] | None,
    on_progress: Progress | None,
    on_bounds: OnBounds | None,
) -> Found:
    """Lay out the program and search it; what is impossible is explained."""
    if not 0.0 <= gap_share < 1.0:
        raise InputError(f"gap is {gap_share:g}; it is a share of the cost, from 0 up to 1")
    program = plan_program(
        company.company,
        company.inputs,
        company.catalogue,
        hours=hours,
        on_progress=_about(on_progress, "laying out sizes"),
    )
    try:
        return search(
            program, gap_share=gap_share, clock=time.monotonic, stop=stop, on_bounds=on_bounds
        )
    except (InfeasibleProgram, SolverFailure) as error:
        raise explained(company, program, error) from error


def _told(
    company: OpenCompany,
    found: Found,
    *,
    gap_share: float,
    stop: Callable[[], bool] | None,
    on_progress: Progress | None,
) -> Planned:
    """Return what was found, with what it does and is worth where nobody stopped."""
    heading = _heading(company, found.program)
    findings = tuple(
        gap_findings(found.program.candidates, gap_share=found.gap_share, asked_share=gap_share)
    )
    stands = built_of(found)
    if stands is None:
        findings = (*findings, nothing_built())
    if found.stopped or stands is None:
        return Planned(heading=heading, found=found, built=None, findings=findings)
    built = as_built(company, found, stands, on_progress=on_progress)
    exposed = tuple(contract_exposures(built))
    told = Planned(
        heading=heading,
        found=found,
        built=built,
        exposures=exposed,
        findings=_unique(findings, _apart(found, built), *(e.findings for e in exposed)),
    )
    return _explained(told, stop=stop, on_progress=on_progress)


def _explained(
    planned: Planned, *, stop: Callable[[], bool] | None, on_progress: Progress | None
) -> Planned:
    """Return a plan with what its sizes are worth and why it is so, where nobody stops that."""
    if stop is not None and stop():
        return planned
    answer = asked_of(planned.found)
    short = short_finding(planned.found, answer)
    if answer is None:
        return replace(planned, findings=_unique(planned.findings, short))
    worths = plan_worths(answer, on_progress=_about(on_progress, "worth of sizes"))
    why = reasons(answer, worths, stop=stop, told=_about(on_progress, "reasons"))
    findings = _unique(planned.findings, short, why.findings)
    return replace(planned, worths=worths, reasons=why, findings=findings)


def _unique(*several: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in order, each once."""
    return tuple(dict.fromkeys(finding for found in several for finding in found))


def _heading(company: OpenCompany, program: PlanProgram) -> dict[str, Any]:
    """Return the head of the result, with the horizon of the plan."""
    return replace(company, company=program.company).heading()


def _about(on_progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    if on_progress is None:
        return None

    def told(done: int, of: int) -> None:
        on_progress(what, done, of)

    return told


def difference_share(one_usd: float, other_usd: float) -> float:
    """Return how far two costs lie apart, of the larger (of 1 USD where both are less)."""
    return abs(one_usd - other_usd) / max(1.0, abs(one_usd), abs(other_usd))


def _apart(found: Found, built: AsBuilt) -> Iterator[Finding]:
    """Warn where the clairvoyant of the planned company comes to another cost than the plan."""
    total_usd = built.clairvoyant_usd + found.annuity_usd
    share = difference_share(total_usd, found.cost_usd)
    if share <= max(TIED_SHARE, found.gap_share):
        return
    yield Finding(
        code="PLAN_NOT_AS_SIMULATED",
        path="plan",
        value=f"{total_usd:,.2f}",
        limit=f"{found.cost_usd:,.2f}",
        unit="USD",
        severity="warning",
        reason="the clairvoyant of the planned company, annuities beside it, costs something else "
        "than the plan",
        remedy="Please report this with the company file: it is a fault of ours",
    )


def _saved(company: OpenCompany, planned: Planned, target: Path | None) -> Planned:
    """Write the company file of a plan; a stopped search leaves one where nobody named a file."""
    found = planned.found
    stands = built_of(found)
    if stands is None or (target is None and not planned.stopped):
        return planned
    if target is None:
        SAVED.mkdir(exist_ok=True)
        target = SAVED / f"{company.path.stem}.planned.yaml"
    try:
        text = company.path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {company.path}: {error.strerror or error}") from error
    made = planned_text(
        text,
        built=stands,
        note="\n".join(_note(company, planned)),
        folder=company.path.parent,
        target_folder=target.parent,
    )
    return replace(planned, written=write_planned(made, target))


def _note(company: OpenCompany, planned: Planned) -> Iterator[str]:
    """Yield the first lines of a planned file: of what, over which hours, between which bounds."""
    found, currency = planned.found, company.company.currency
    yield (
        f"Sizes of {company.path.name} over {found.program.hours_h:g} h: {found.cost_usd:,.0f} "
        f"{currency}, proved to be within {found.gap_share:.3%} of the least."
    )
    if planned.stopped:
        yield "The search was stopped: cheaper sizes may exist within that gap."
    was_h = company.company.horizon.intervals_count * company.company.horizon.step_h
    if found.program.hours_h < was_h:
        yield f"The horizon is the plan's; the file's own has {was_h:g} h."


def _shown(planned: Planned, page: Path) -> Planned:
    """Write the page of a plan."""
    from tokenergy.page.plan import write_plan

    shown = replace(planned, page=page)
    write_plan(shown.to_dict(), page)
    return shown
