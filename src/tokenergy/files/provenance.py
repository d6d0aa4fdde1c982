"""Where the rows of the shipped catalogue come from, read from its CSV files as they are."""

import csv
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

from tokenergy.company.provenance import TABLES, CatalogueTable, Provenance
from tokenergy.errors import UnexpectedError

FILES: Final[Mapping[CatalogueTable, str]] = {
    "accelerators": "accelerators",
    "models": "models",
    "media": "media_models",
    "coefficients": "coefficients",
    "stacks": "stacks",
}
"""The file of each table, without its ending."""

NAMES: Final[Mapping[CatalogueTable, tuple[str, ...]]] = {
    "accelerators": ("accelerator",),
    "models": ("model_id",),
    "media": ("model_id",),
    "coefficients": ("accelerator", "group", "parameter"),
    "stacks": ("engine", "version", "accelerator"),
}
"""The columns that together name a row."""

_SOURCED: Final = ("source", "source_kind", "retrieved_on", "verified")
_TRUTH: Final = {"true": True, "false": False}


@cache
def load_rows(table: CatalogueTable) -> tuple[Mapping[str, str], ...]:
    """Return the rows of one shipped table, as the words of its file; read once per process.

    Raises:
        UnexpectedError: if the file lacks a column of provenance: a fault of ours.
    """
    path = files("tokenergy") / "catalogue" / f"{FILES[table]}.csv"
    reader = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    rows = tuple(reader)
    absent = [name for name in (*NAMES[table], *_SOURCED) if name not in (reader.fieldnames or ())]
    if absent:
        raise UnexpectedError(f"{FILES[table]}.csv: no column {', '.join(absent)}")
    return rows


def load_provenance(table: CatalogueTable) -> tuple[Provenance, ...]:
    """Return where each row of one shipped table comes from.

    Raises:
        UnexpectedError: if a date or a truth cannot be read: a fault of ours.
    """
    return tuple(_provenance(table, row) for row in load_rows(table))


def load_every_provenance() -> tuple[Provenance, ...]:
    """Return where each row of every shipped table comes from.

    Raises:
        UnexpectedError: if a shipped file is wrong.
    """
    return tuple(row for table in TABLES for row in load_provenance(table))


def _provenance(table: CatalogueTable, row: Mapping[str, str]) -> Provenance:
    name = " ".join(filter(None, (row[column] for column in NAMES[table])))
    try:
        return Provenance(
            table=table,
            name=name,
            source=row["source"],
            source_kind=row["source_kind"],
            retrieved_on=date.fromisoformat(row["retrieved_on"]),
            verified=_TRUTH[row["verified"]],
        )
    except (KeyError, ValueError) as error:
        raise UnexpectedError(f"{FILES[table]}.csv: row {name!r}: {error}") from error
