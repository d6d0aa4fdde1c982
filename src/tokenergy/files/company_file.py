"""A company file: read whole or in part, checked with its series, all findings at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.check import check_company
from tokenergy.company.check.calibration import check_calibration
from tokenergy.company.company import Company
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.inputs import Inputs
from tokenergy.company.parts import Parts
from tokenergy.dispatch.row_findings import row_findings
from tokenergy.errors import FindingsError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.energy_points import read_calibration
from tokenergy.files.faults import faults
from tokenergy.files.field_texts import with_field_texts
from tokenergy.files.hedges import hedge_findings
from tokenergy.files.open_contracts import open_contract_findings
from tokenergy.files.salvage import salvage
from tokenergy.files.series import OnProgress, read_inputs
from tokenergy.files.yaml_text import YamlText, place_of, read_yaml

NO_GRID: Final = ("HORIZON_", "HISTORY_")
"""Codes after which there is no grid to lay series on."""
Edit = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns another tree in the place of a file's; it leaves the one that it is given alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checked:
    """What a company file holds, and everything wrong with it.

    Attributes:
        company: None if it could not be read whole.
        inputs: its series; None if anything is an error.
        catalogue: what it was held against, with the points that the file names.
        findings: errors and warnings, in the order of the file.
    """

    company: Company | None
    inputs: Inputs | None
    catalogue: Catalogue
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a run."""
        return errors_of(self.findings)


def read_company(
    path: str | Path, *, catalogue: Catalogue | None = None
) -> tuple[Company | None, tuple[Finding, ...]]:
    """Read a company file without its series.

    Returns:
        The company, or None if any of it could not be read; and all findings, each with its
        line, in the order of the file.
    """
    where = Path(path)
    text = read_yaml(where)
    company, _, findings = _understood(text, catalogue or load_catalogue())
    return company, _located(findings, text, where)


def check_file(
    path: str | Path,
    *,
    start: datetime | None = None,
    days: float | None = None,
    seed: int | None = None,
    allow_unverified: bool = False,
    edit: Edit | None = None,
    catalogue: Catalogue | None = None,
    on_progress: OnProgress | None = None,
) -> Checked:
    """Read a company file and its series; whatever is wrong is a finding, never an error.

    `start` (aware), `days` and `seed` stand in for those of the file; `edit` may put other things
    into its tree before anything is checked; `allow_unverified` lets presets in that nobody has
    checked at their source.
    """
    where = Path(path)
    known = catalogue or load_catalogue()
    text = _with(read_yaml(where), start=start, days=days, seed=seed, edit=edit)
    company, parts, findings = _understood(text, known, allow_unverified=allow_unverified)
    if parts is not None and parts.calibration is not None:
        points, more = read_calibration(where.parent, parts.calibration, known)
        known = replace(known, points=points or ())
        findings = (*findings, *more, *check_calibration(parts, known))
    inputs: Inputs | None = None
    if parts is not None and not any(
        finding.code.startswith(NO_GRID) for finding in errors_of(findings)
    ):
        inputs, more = read_inputs(company or parts, folder=where.parent, on_progress=on_progress)
        findings = (*findings, *more)
        if company is not None and inputs is not None and not errors_of(findings):
            findings = (*findings, *hedge_findings(company, inputs, known))
            findings = (*findings, *open_contract_findings(company, inputs))
            findings = (*findings, *row_findings(company, inputs, known))
    located = _located(findings, text, where)
    usable = not errors_of(located)
    return Checked(
        company=company,
        inputs=inputs if usable else None,
        catalogue=known,
        findings=located,
    )


def load(
    path: str | Path,
    *,
    start: datetime | None = None,
    days: float | None = None,
    seed: int | None = None,
    allow_unverified: bool = False,
    edit: Edit | None = None,
    catalogue: Catalogue | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Company, Inputs, Catalogue, tuple[Finding, ...]]:
    """Return a company, its series, the catalogue, and what there is to warn of.

    See `check_file` for the arguments.

    Raises:
        FindingsError: with every error of the file and of its series at once.
    """
    checked = check_file(
        path,
        start=start,
        days=days,
        seed=seed,
        allow_unverified=allow_unverified,
        edit=edit,
        catalogue=catalogue,
        on_progress=on_progress,
    )
    if checked.errors or checked.company is None or checked.inputs is None:
        raise FindingsError(checked.errors)
    return checked.company, checked.inputs, checked.catalogue, checked.findings


def placed(findings: Iterable[Finding], path: str | Path) -> tuple[Finding, ...]:
    """Give findings about a company, found later, the file and the lines they speak of."""
    found, where = tuple(findings), Path(path)
    return _located(found, read_yaml(where), where) if found else ()


def company_schema() -> dict[str, Any]:
    """Return the JSON Schema of a company file, for editors."""
    schema = with_field_texts(Company.model_json_schema(), Company)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def init_text() -> str:
    """Return a commented company file to start from; it checks clean."""
    return (files("tokenergy") / "files" / "starter.yaml").read_text(encoding="utf-8")


def _with(
    text: YamlText,
    *,
    start: datetime | None,
    days: float | None,
    seed: int | None,
    edit: Edit | None,
) -> YamlText:
    """Put what stands in for parts of a file into its tree, before anything is checked."""
    if not isinstance(text.tree, dict):
        return text
    tree = text.tree if seed is None else {**text.tree, "seed": seed}
    asked = {"start": start.isoformat() if start else None, "days": days}
    new = {key: value for key, value in asked.items() if value is not None}
    horizon = tree.get("horizon")
    if new and isinstance(horizon, dict):
        tree = {**tree, "horizon": {**horizon, **new}}
    return replace(text, tree=tree if edit is None else edit(tree))


def _understood(
    text: YamlText, catalogue: Catalogue, *, allow_unverified: bool = False
) -> tuple[Company | None, Parts | None, tuple[Finding, ...]]:
    """Turn the tree of a file into a company, or into its readable parts, with findings."""
    if not isinstance(text.tree, dict) and text.findings:
        return None, None, text.findings
    if not isinstance(text.tree, dict):
        finding = Finding(
            code="NOT_A_MAPPING",
            path="(file)",
            reason="a company file is a mapping of keys such as company, sites and workloads",
            remedy="Start from what `tokenergy init` writes",
            line=1,
        )
        return None, None, (finding,)
    company: Company | None = None
    structural: tuple[Finding, ...] = ()
    try:
        company = Company.model_validate(text.tree)
        parts = Parts.of(company)
    except ValidationError as error:
        structural = tuple(faults(error.errors(include_url=False), text.tree))
        parts = salvage(text.tree)
    semantic = check_company(parts, catalogue, allow_unverified=allow_unverified)
    return company, parts, (*text.findings, *structural, *semantic)


def _located(findings: Iterable[Finding], text: YamlText, where: Path) -> tuple[Finding, ...]:
    """Give each finding its file and line, in the order of the file, none of them twice."""
    placed = [
        replace(
            finding,
            file=str(where),
            line=finding.line or text.line_of(place_of(finding.path)),
        )
        for finding in findings
    ]
    unique = dict.fromkeys(placed)
    return tuple(sorted(unique, key=lambda finding: finding.line or 0))
