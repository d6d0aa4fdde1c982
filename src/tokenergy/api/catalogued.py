"""The shipped catalogue, shown and checked: the verb `catalogue`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.finding import Finding, errors_of
from tokenergy.company.noun import nearest_names
from tokenergy.company.provenance import (
    TABLES,
    CatalogueTable,
    Provenance,
    release_findings,
)
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.provenance import load_every_provenance, load_provenance, load_rows

_SHARES = {"in_sample_mape": "in_sample_mape_share", "blind_mape": "blind_mape_share"}
"""Columns of `coefficients.csv` whose unit their name does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueShown:
    """Tables of the catalogue, where each row comes from, and what keeps it from a release.

    `rows` holds one mapping a row, keyed by the name of the table; keys carry units.
    """

    rows: Mapping[CatalogueTable, tuple[Mapping[str, Any], ...]]
    provenance: tuple[Provenance, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that keep a release back."""
        return errors_of(self.findings)

    def of(self, table: CatalogueTable) -> tuple[Provenance, ...]:
        """Return where the rows of one table come from."""
        return tuple(row for row in self.provenance if row.table == table)

    def to_dict(self, *, check: bool = False) -> dict[str, Any]:
        """Return a JSON-ready mapping: the rows, or with `check` only what was checked."""
        counts = {
            table: {
                "rows_count": len(self.of(table)),
                "verified_count": sum(row.verified for row in self.of(table)),
                "recalled_count": sum(row.source_kind == "recalled" for row in self.of(table)),
            }
            for table in self.rows
        }
        if not check:
            told: dict[str, Any] = {"tables": counts}
            for name, table in self.rows.items():
                told[name] = [dict(row) for row in table]
            return told
        return {
            "tables": counts,
            "verified": [row.path for row in self.provenance if row.verified],
            "not_verified": [_told(row) for row in self.provenance if not row.verified],
            "errors_count": len(self.errors),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def catalogue(table: str | None = None, *, today: date | None = None) -> CatalogueShown:
    """Return one table of the shipped catalogue, or all, with what the release check says.

    `today` bounds the dates of retrieval; by default it is the day in UTC.

    Raises:
        InputError: if there is no such table.
    """
    chosen = TABLES if table is None else (_table(table),)
    rows = load_every_provenance() if table is None else load_provenance(chosen[0])
    facts = load_catalogue()
    return CatalogueShown(
        rows={name: _rows(name, facts) for name in chosen},
        provenance=rows,
        findings=release_findings(rows, today=today or datetime.now(UTC).date()),
    )


def _table(name: str) -> CatalogueTable:
    for known in TABLES:
        if known == name.lower():
            return known
    nearest = nearest_names(name, TABLES)
    raise InputError(
        f"the catalogue has no table {name!r}; "
        + (f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(TABLES)}")
    )


def _rows(table: CatalogueTable, facts: Catalogue) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of one table as values: those of the nouns, where there is one a row."""
    if table == "coefficients":
        return tuple(_coefficient(row) for row in load_rows(table))
    nouns: dict[str, tuple[Any, ...]] = {
        "accelerators": facts.accelerators,
        "models": facts.models,
        "media": facts.media_models,
        "stacks": facts.stacks,
    }
    return tuple(_plain(asdict(noun)) for noun in nouns[table])


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _iso(value) for key, value in row.items()}


def _iso(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _coefficient(row: Mapping[str, str]) -> dict[str, Any]:
    """Return one fitted number with its unit beside it."""
    told: dict[str, Any] = {_SHARES.get(key, key): value for key, value in row.items()}
    told["value"] = float(row["value"])
    for name, key in _SHARES.items():
        if name in row:
            told[key] = float(row[name]) if row[name] else None
    told["verified"] = row["verified"] == "true"
    return told


def _told(row: Provenance) -> dict[str, Any]:
    return {
        "row": row.path,
        "source_kind": row.source_kind,
        "source": row.source,
        "retrieved_on": row.retrieved_on.isoformat(),
    }
