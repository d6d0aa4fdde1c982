"""The folds: one family of models held out with all its tasks, precisions and both accelerators.

Protocol of the energy sheet, section 3: the name after the slash decides, and the first hit wins.
Sixteen of the eighteen families occur on each accelerator.
"""

from collections.abc import Iterator

import numpy as np
from energy_rows import Column, Rows

FAMILIES = (
    "235B-A22B", "480B-A35B", "30B-A3B", "DeepSeek", "gemma-3-12b", "gemma-3-27b", "70B", "405B",
    "3.1-8B", "Scout", "Maverick", "Nemotron-Nano-9B", "Nemotron-Nano-12B", "gpt-oss-120b",
    "gpt-oss-20b", "14B", "32B", "8B",
)  # fmt: skip
"""In this order; the last three are Qwen3 with its vision twins."""

ACCELERATORS = ("H100", "B200")


def family_of(hub_id: str) -> str:
    """Return the family that a model is held out with.

    Raises:
        ValueError: if no family claims it: a new one must be added here first.
    """
    name = hub_id.rpartition("/")[2]
    for family in FAMILIES:
        if family in name:
            return family
    raise ValueError(f"no family claims the model {hub_id!r}")


def folds(rows: Rows) -> Iterator[tuple[str, Column, Column]]:
    """Yield family, mask of the rows to learn from and mask of the rows to be judged."""
    for family in FAMILIES:
        judged = rows.family == family
        if judged.any():
            yield family, ~judged, judged


def errors(predicted: Column, measured: Column) -> Column:
    """Return |predicted / measured - 1| of each row, as shares."""
    return np.abs(predicted / measured - 1.0)
