"""A company file, opened: the file, its series, the catalogue, and the world they make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenergy import __version__
from tokenergy.api.serving_findings import serving_findings
from tokenergy.company.catalogue import Catalogue
from tokenergy.company.check import check_company
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding
from tokenergy.company.inputs import Inputs
from tokenergy.company.outage import Outage
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.explain import infeasible_findings, market_findings, window_warnings
from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.lp_policies import WINDOW_H, Mpc
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World
from tokenergy.errors import FindingsError, InfeasibleProgram, InputError
from tokenergy.files import company_file
from tokenergy.files.company_file import Checked

_SERIES = ("price_usd_per_mwh", "outdoor_c", "profile_share", "requests_per_s", "series")

Progress = Callable[[str, int, int], None]
"""Told (what, done, of) while something longer than a moment runs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenCompany:
    """A company file that has passed its checks.

    Attributes:
        path: the file.
        company: what it says.
        inputs: its series on the horizon's grid.
        catalogue: models and accelerators.
        warnings: findings that do not stop a run.
        allow_unverified: whether presets may be shown that nobody has checked at their source.
    """

    path: Path
    company: Company
    inputs: Inputs
    catalogue: Catalogue
    warnings: tuple[Finding, ...]
    allow_unverified: bool = False

    @cached_property
    def world(self) -> World:
        """The company as arrays; made once."""
        return build_world(self.company, self.inputs, self.catalogue)

    def with_outages(self, outages: Sequence[Outage]) -> "OpenCompany":
        """Return the company with these outages beside those that its file states.

        Raises:
            FindingsError: if one is of nothing that the company has, or outside the horizon.
        """
        stated = (*self.company.outages, *outages)
        broken = self.company.model_copy(update={"outages": stated})
        found = [f for f in check_company(broken, self.catalogue) if f.path.startswith("outages")]
        if any(finding.severity == "error" for finding in found):
            raise FindingsError(tuple(found))
        return replace(self, company=broken)

    @cached_property
    def digest(self) -> str:
        """Eight characters that differ where the company, a series or our release does.

        Runs of different companies are different runs in the ledger, also under one name.
        """
        held = sha256(self.company.model_dump_json().encode())
        held.update(__version__.encode())
        for name in _SERIES:
            for key, values in sorted(getattr(self.inputs, name).items()):
                held.update(key.encode() + values.tobytes())
        held.update(repr(sorted(self.inputs.lengths.items())).encode())
        if self.inputs.operating_rows is not None:
            held.update(repr(self.inputs.operating_rows).encode())
        if self.catalogue.points:
            held.update(repr(self.catalogue.points).encode())
        return held.hexdigest()[:8]

    @property
    def synthetic(self) -> tuple[str, ...]:
        """Paths of the series that come from the synthetic feed."""
        return self.inputs.synthetic

    def heading(self) -> dict[str, Any]:
        """Return what stands at the head of every result."""
        horizon = self.company.horizon
        return {
            "company": self.company.company,
            "file": self.path.name,
            "currency": self.company.currency,
            "horizon": {
                "start": horizon.start.strftime("%Y-%m-%dT%H:%MZ"),
                "end": horizon.end.strftime("%Y-%m-%dT%H:%MZ"),
                "step_h": horizon.step_h,
            },
            "synthetic": list(self.synthetic),
            "sources": dict(self.inputs.sources),
            "warnings": [finding.to_dict() for finding in self.warnings],
        }


def load(
    path: str | Path,
    *,
    start: datetime | None = None,
    days: float | None = None,
    seed: int | None = None,
    allow_unverified: bool = False,
    operating_points: bool = True,
) -> OpenCompany:
    """Open a company file, read its series and check everything.

    Args:
        path: the YAML file.
        start: another start of the horizon than the file's (aware).
        days: another length of the horizon than the file's.
        seed: another seed of the synthetic series than the file's.
        allow_unverified: whether presets may be named that nobody has checked at their source.
        operating_points: whether the table that the file names is read; False: as if it named
            none, which is how the table is made in the first place.

    Raises:
        FindingsError: with every finding of severity error, all at once.
    """
    company, inputs, catalogue, warnings = company_file.load(
        path,
        start=start,
        days=days,
        seed=seed,
        allow_unverified=allow_unverified,
        edit=None if operating_points else _without_table,
    )
    opened = OpenCompany(
        path=Path(path),
        company=company,
        inputs=inputs,
        catalogue=catalogue,
        warnings=warnings,
        allow_unverified=allow_unverified,
    )
    unbounded = market_findings(opened.world)
    if unbounded:
        raise FindingsError(company_file.placed(unbounded, path))
    return opened


def _without_table(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a company file's tree without its table of operating points."""
    return {name: value for name, value in tree.items() if name != "operating_points"}


def check(path: str | Path) -> Checked:
    """Return all findings of a company file and its series, and of one 48-h window of it."""
    checked = company_file.check_file(path)
    if checked.errors or checked.company is None or checked.inputs is None:
        return checked
    world = build_world(checked.company, checked.inputs, checked.catalogue)
    more = market_findings(world) or window_findings(world)
    if checked.company.serve is not None:
        more = (*more, *serving_findings(world, checked.company.serve))
    return replace(checked, findings=(*checked.findings, *company_file.placed(more, path)))


def window_findings(world: World) -> tuple[Finding, ...]:
    """Solve the first 48 h and say what cannot be met there, or only by refusing."""
    state = State.initial(world)
    window = Forecaster(world).window(world.first, window_count(world, WINDOW_H))
    unserved = _without_route(world)
    try:
        optimum = WindowModel(world, window, state).solved(window)
    except InfeasibleProgram:
        return (*unserved, *infeasible_findings(world, window, state))
    skip = {finding.path for finding in unserved}
    refused = (f for f in window_warnings(world, optimum) if f.path not in skip)
    return (*unserved, *refused)


def _without_route(world: World) -> tuple[Finding, ...]:
    """Return the workloads that no deployment can serve, each with the reasons."""
    reached = {route.workload for route in world.routes}
    findings = []
    for at, spec in enumerate(world.workloads):
        if at in reached:
            continue
        reasons = [f"{where}: {why}" for name, where, why in world.unreachable if name == spec.name]
        findings.append(
            Finding(
                code="UNREACHABLE_WORKLOAD",
                path=f"workloads[{at}]",
                value=spec.name,
                reason=f"no deployment can serve {spec.name}: " + "; ".join(reasons[:4]),
                remedy="Add a fleet nearer to its origin, or loosen ttft_limit_s or tpot_limit_s",
                severity="error" if spec.must_serve else "warning",
            )
        )
    return tuple(findings)


def window_count(world: World, hours_h: float) -> int:
    """Return how many intervals of the horizon `hours_h` are, at most all of them."""
    return max(1, min(round(hours_h / world.step_h), world.count))


def begin_of(opened: OpenCompany, at: datetime | None) -> int:
    """Return the index of the interval that holds `at`, the horizon's first where it is None.

    Raises:
        InputError: if `at` is naive or outside the horizon.
    """
    world = opened.world
    if at is None:
        return world.first
    if at.tzinfo is None:
        raise InputError(f"the time {at.isoformat()} has no zone: write e.g. {at.isoformat()}Z")
    horizon = opened.company.horizon
    if not horizon.start <= at < horizon.end:
        raise InputError(
            f"the time {at.isoformat()} lies outside the horizon, "
            f"{horizon.start:%Y-%m-%dT%H:%MZ} to {horizon.end:%Y-%m-%dT%H:%MZ}"
        )
    return world.index_at(at)


def state_before(world: World, at: int) -> State:
    """Return the state in which interval `at` begins, for a company that was running before.

    Replicas are awake as the optimum of the interval before would have them; batteries stand
    as the file says; nothing waits. Where there could be no interval before (a connection that
    is energised at `at`), nobody is awake.
    """
    state = State.initial(world)
    if at < 1:
        return state
    try:
        action = Mpc(world, window_h=24.0).decide(at - 1, state)
    except InfeasibleProgram:
        return state
    return State(awake=action.awake, energy_mwh=state.energy_mwh, backlog_mtok=state.backlog_mtok)


def explained(
    opened: OpenCompany, at: int, state: State, error: InfeasibleProgram
) -> FindingsError:
    """Return the error that says in the user's words why a window is infeasible.

    What no window of the company's own limits explains, `error` has to.
    """
    world = opened.world
    window = Forecaster(world).window(at, window_count(world, WINDOW_H))
    findings = infeasible_findings(world, window, state) or (_unexplained(error),)
    return FindingsError(company_file.placed(findings, opened.path))


def explained_horizon(opened: OpenCompany, error: InfeasibleProgram) -> FindingsError:
    """Return the error that says where in the horizon the company's limits cannot be met.

    The horizon is searched window by window, as it comes true; where every window of it can be
    met, it is the policy that ran into a limit, and `error` says which.
    """
    world, state = opened.world, State.initial(opened.world)
    count = window_count(world, WINDOW_H)
    for begin in range(world.first, world.last, count):
        window = true_window(world, begin=begin, count=count)
        findings = infeasible_findings(world, window, state)
        if findings:
            return FindingsError(company_file.placed(findings, opened.path))
    return FindingsError(company_file.placed((_unexplained(error),), opened.path))


def _unexplained(error: InfeasibleProgram) -> Finding:
    return Finding(
        code="POLICY_INFEASIBLE",
        path="sites",
        reason=f"{error}; another dispatch of the same company could keep its limits",
        remedy="Leave that policy out, or loosen the limit: import_limit_mw, export_limit_mw, "
        "may_curtail, or a larger battery",
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a company file."""
    return company_file.company_schema()


def init_text() -> str:
    """Return a commented company file to start from."""
    return company_file.init_text()
