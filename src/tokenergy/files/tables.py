"""Tables on disk (CSV, CSV.gz, Parquet), each read once; polars is imported on first use."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.errors import FindingsError
from tokenergy.files.grid import FloatArray

if TYPE_CHECKING:
    import polars as pl

KINDS: Final = (".csv", ".csv.gz", ".parquet", ".pq")
NEAREST_SHOWN: Final = 3


@dataclass(slots=True, kw_only=True)
class Tables:
    """The files beside a company file, read when first asked for and kept."""

    folder: Path
    read: dict[str, "pl.DataFrame | None"] = field(default_factory=dict)
    """By file as the company names it; None where it cannot be read, which was said once."""

    def column(self, file: str, name: str, *, path: str, option: str) -> "pl.Series":
        """Return one column of a file, that `option` of the source at `path` names.

        Raises:
            FindingsError: for a file that cannot be read (empty if that was said before), or
                that has no such column.
        """
        if file not in self.read:
            self.read[file] = None
            self.read[file] = _table(self.folder / file, file, path=path)
        table = self.read[file]
        if table is None:
            raise FindingsError([])
        if name not in table.columns:
            near = nearest_names(name, table.columns, count=NEAREST_SHOWN)
            known = ", ".join(map(repr, table.columns[:20]))
            refuse(
                "UNKNOWN_COLUMN",
                path=f"{path}.{option}",
                value=name,
                reason=f"{file} has no column {name!r}",
                remedy=f"Did you mean {', '.join(map(repr, near))}?"
                if near
                else f"Its columns are {known}",
            )
        if not table.height:
            refuse(
                "SERIES_EMPTY",
                path=path,
                value=file,
                reason=f"{file} has a header and no rows",
                remedy="Fill the file, or name another",
            )
        return table[name]


def cells_of(column: "pl.Series") -> Sequence[Any]:
    """Return the cells of a column as plain values."""
    return column.to_list()


def numbers_of(column: "pl.Series") -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return a column as floats, NaN where empty, and which cells are neither.

    A cell that says `nan` or `inf` is no number either: an empty cell is how to say missing.
    """
    import polars as pl

    if column.dtype == pl.String:
        texts = column.str.strip_chars()
        texts = texts.set(texts.str.len_bytes() == 0, None)
        numbers = texts.cast(pl.Float64, strict=False)
        missing = texts.is_null()
    elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64, strict=False)
        missing = column.is_null()
    else:
        return np.full(len(column), np.nan), np.full(len(column), True)
    bad = ~missing & ~numbers.is_finite().fill_null(False)
    # Copied: what polars lends is read-only, and faults are marked in place.
    values = numbers.fill_null(float("nan")).to_numpy().astype(np.float64, copy=True)
    return values, bad.to_numpy()


def _table(where: Path, file: str, *, path: str) -> "pl.DataFrame":
    """Read a file; the columns of a CSV file stay text, so that no cell is guessed at."""
    import polars as pl

    if not file.lower().endswith(KINDS):
        refuse(
            "SERIES_FORMAT",
            path=f"{path}.file",
            value=file,
            limit=", ".join(KINDS),
            reason="we cannot tell from its name what kind of table this is",
            remedy="Name a CSV, CSV.gz or Parquet file",
        )
    try:
        if not where.is_file():
            refuse(
                "SERIES_FILE_MISSING",
                path=f"{path}.file",
                value=file,
                reason=f"there is no file {file!r} beside the company file",
                remedy="Check the path: it is relative to the company file",
            )
        if file.lower().endswith((".parquet", ".pq")):
            return pl.read_parquet(where)
        return pl.read_csv(where, infer_schema=False)
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        ValueError,
    ) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        refuse(
            "SERIES_UNREADABLE",
            path=f"{path}.file",
            value=file,
            reason=f"{file} cannot be read: {said[0][:160]}",
            remedy="Check that it is a table with one header row, in UTF-8",
        )
