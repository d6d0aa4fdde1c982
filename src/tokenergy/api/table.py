"""A result as a table: for polars, and for a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

NOTEBOOK_ROWS = 24


def to_polars(rows: Sequence[Mapping[str, Any]]) -> "pl.DataFrame":
    """Return rows as a polars frame."""
    import polars as pl

    return pl.DataFrame(list(rows), infer_schema_length=None)


def to_html(rows: Sequence[Mapping[str, Any]], caption: str) -> str:
    """Return the first rows as an HTML table."""
    if not rows:
        return f"<p>{escape(caption)}: nothing</p>"
    names = list(rows[0])
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row[name])}</td>" for name in names) + "</tr>"
        for row in rows[:NOTEBOOK_ROWS]
    )
    more = len(rows) - NOTEBOOK_ROWS
    note = f" ({more} more rows)" if more > 0 else ""
    return (
        f"<table><caption>{escape(caption)}{note}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else escape(str(value))
