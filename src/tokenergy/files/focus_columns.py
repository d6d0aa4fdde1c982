"""The columns of FOCUS that we write, by version: type, null rule, level and enumeration.

One table, `catalogue/focus_columns.csv`. Version 1.2 was read in the text of its tag; what came
after it only in drafts (`verified` false), so our 1.4 is a draft too.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal, cast

from tokenergy.errors import InputError

FocusVersion = Literal["1.2", "1.4"]
FocusDataset = Literal["cost_and_usage", "contract_commitment"]
ColumnType = Literal["String", "Decimal", "Date/Time", "JSON"]
VERSIONS: Final[tuple[FocusVersion, ...]] = ("1.2", "1.4")
COMMITMENTS_SINCE: Final = "1.4"
"""Contract commitments came with 1.3; of the versions we write, 1.4 is the first with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusColumn:
    """One column.

    Attributes:
        type: what a cell holds.
        nullable: whether a cell may be null.
        mandatory: whether FOCUS asks for the column in every file.
        since, until: first and last version that has it; "" is still.
        allowed: the only words of a cell; empty: any.
        source, retrieved_on: what was read, and when.
        verified: whether it was read in a ratified text.
    """

    name: str
    type: ColumnType
    nullable: bool
    mandatory: bool
    since: str
    until: str
    allowed: tuple[str, ...]
    source: str
    retrieved_on: str
    verified: bool

    @property
    def custom(self) -> bool:
        """Whether it is ours: `x_`, behind all columns of FOCUS."""
        return self.name.startswith("x_")

    def within(self, version: str) -> bool:
        """Tell whether a version has it."""
        return self.since <= version and (not self.until or version <= self.until)


@cache
def focus_columns(
    version: FocusVersion, dataset: FocusDataset = "cost_and_usage"
) -> tuple[FocusColumn, ...]:
    """Return the columns of a dataset in their order in a file, `x_` last."""
    return tuple(column for column in _table(dataset) if column.within(version))


def known_version(version: str) -> FocusVersion:
    """Return the version as one that we write.

    Raises:
        InputError: if it is another.
    """
    if version not in VERSIONS:
        raise InputError(f"FOCUS {version!r} is not written here: choose {' or '.join(VERSIONS)}")
    return version


@cache
def _table(dataset: FocusDataset) -> tuple[FocusColumn, ...]:
    text = (files("tokenergy") / "catalogue" / "focus_columns.csv").read_text(encoding="utf-8")
    return tuple(
        FocusColumn(
            name=row["column"],
            type=cast(ColumnType, row["type"]),
            nullable=row["nullable"] == "true",
            mandatory=row["mandatory"] == "true",
            since=row["since"],
            until=row["until"],
            allowed=tuple(row["allowed"].split("|")) if row["allowed"] else (),
            source=row["source"],
            retrieved_on=row["retrieved_on"],
            verified=row["verified"] == "true",
        )
        for row in csv.DictReader(text.splitlines())
        if row["dataset"] == dataset
    )
