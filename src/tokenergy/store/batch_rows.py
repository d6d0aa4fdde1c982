"""A row of the table of batches, as its noun and by its id."""

import sqlite3
from typing import Any, Final

import msgspec

from tokenergy.company.serving.batch import BatchFacts, BatchTokens

MADE: Final = (
    "key_id", "tiers", "scopes", "tier", "endpoint", "window", "metadata", "output_expires_s",
)  # fmt: skip
"""What never changes of a batch: one column holds it as JSON."""
COLUMNS: Final = (
    "batch_id", "tenant", "input_file_id", "status", "created_s", "expires_s", "in_progress_s",
    "finalizing_s", "completed_s", "failed_s", "expired_s", "cancelling_s", "cancelled_s",
    "total_count", "completed_count", "failed_count", "model", "output_file_id", "error_file_id",
    "epoch",
)  # fmt: skip


def as_batch(row: sqlite3.Row) -> BatchFacts:
    """Return a row of the table of batches."""
    told: dict[str, Any] = {name: row[name] for name in COLUMNS}
    told |= msgspec.json.decode(row["made"])
    told["faults"] = msgspec.json.decode(row["faults"])
    told["tokens"] = {name: row[name] for name in BatchTokens.__struct_fields__}
    return msgspec.convert(told, BatchFacts)


def number_of(
    file: sqlite3.Connection,
    batch_id: str,
    *,
    tenant: str | None = None,
    epoch: int | None = None,
    status: str | None = None,
) -> int | None:
    """Return the number of a batch that is all of that, or None."""
    query = "SELECT number FROM batch WHERE batch_id = ?"
    values: list[str | int] = [batch_id]
    for column, value in (("tenant", tenant), ("epoch", epoch), ("status", status)):
        if value is not None:
            query += f" AND {column} = ?"
            values.append(value)
    row = file.execute(query, values).fetchone()
    return None if row is None else int(row["number"])
