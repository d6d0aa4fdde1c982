"""A provenance: where a row of the catalogue comes from, and whether anybody checked it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from tokenergy.company.accelerator import SourceKind
from tokenergy.company.finding import Finding

CatalogueTable = Literal["accelerators", "models", "media", "coefficients", "stacks"]
"""The tables of the catalogue that say where each row comes from."""

TABLES: Final[tuple[CatalogueTable, ...]] = get_args(CatalogueTable)
SOURCE_KINDS: Final = frozenset(get_args(SourceKind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where one row of a table comes from, in the words of the file.

    `verified` says that every figure of the row was checked on `retrieved_on` against what
    `source` names. `source_kind` is kept as it is written, so that a wrong word is a finding.
    """

    table: CatalogueTable
    name: str
    source: str
    source_kind: str
    retrieved_on: date
    verified: bool

    @property
    def path(self) -> str:
        """Return where the row stands, as `table.name`."""
        return f"{self.table}.{self.name}"


def release_findings(rows: Iterable[Provenance], *, today: date) -> tuple[Finding, ...]:
    """Return what is wrong with the provenance of rows that are to ship.

    Errors keep a release back: a row that is only recalled, one without a source, a kind that
    is none, a recalled row that claims to be verified, a date to come, a name twice. A row that
    states its source but was not checked figure by figure is a warning.
    """
    found: list[Finding] = []
    seen: set[str] = set()
    for row in rows:
        found.extend(_row_findings(row, today))
        if row.path in seen:
            found.append(_finding("CATALOGUE_TWICE", row, "the table names it twice", "Drop one."))
        seen.add(row.path)
    return tuple(found)


def _row_findings(row: Provenance, today: date) -> list[Finding]:
    found = []
    if row.source_kind not in SOURCE_KINDS:
        kinds = ", ".join(sorted(SOURCE_KINDS))
        reason = f"its source_kind is {row.source_kind!r}"
        found.append(_finding("CATALOGUE_KIND", row, reason, f"Write one of {kinds}."))
    if not row.source.strip():
        reason = "it names no source"
        found.append(_finding("CATALOGUE_UNSOURCED", row, reason, "Name the file it is from."))
    if row.source_kind == "recalled":
        said = ", yet it claims to be verified" if row.verified else ""
        reason = f"it is only recalled{said}"
        remedy = "Check it against a configuration, data sheet or paper, and name that."
        found.append(_finding("CATALOGUE_RECALLED", row, reason, remedy))
    elif not row.verified:
        reason = f"not every figure was checked against its source ({row.source_kind})"
        remedy = "Check it, then set verified; until then its figures are another's word."
        found.append(_finding("CATALOGUE_UNVERIFIED", row, reason, remedy, severity="warning"))
    if row.retrieved_on > today:
        reason = f"it was retrieved on {row.retrieved_on.isoformat()}, a day to come"
        found.append(_finding("CATALOGUE_DATE", row, reason, "Write the day it was read."))
    return found


def _finding(
    code: str,
    row: Provenance,
    reason: str,
    remedy: str,
    *,
    severity: Literal["error", "warning"] = "error",
) -> Finding:
    return Finding(
        code=code,
        path=row.path,
        reason=reason,
        remedy=remedy,
        value=row.source_kind if code == "CATALOGUE_KIND" else "",
        severity=severity,
    )
