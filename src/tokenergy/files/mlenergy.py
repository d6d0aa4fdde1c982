"""ML.ENERGY result tables: the benchmark's measured joules, taken as points of energy curves.

Shape: the rows of language models of the ML.ENERGY benchmark, version 3 (dataset
ml-energy/benchmark-v3, Apache-2.0): power and joules are of all boards of one deployment, joules
per output token with the prefill of the benchmark's own requests. None of its data is here.
"""

from pathlib import Path
from typing import Final

from tokenergy.company.curve_point import CurvePoint
from tokenergy.files.cells import Mark, Row
from tokenergy.files.curve_import import (
    PRECISION_BYTES,
    CurveImport,
    PointTable,
    check_power,
    needed,
    positive,
    read_point_table,
)
from tokenergy.files.refused import RowRefused

STACK: Final = "vllm 0.11.1"
"""What version 3 was measured under; the table itself does not say it."""
COLUMNS: Final = (
    "model_id", "gpu_model", "num_gpus", "avg_batch_size", "energy_per_token_joules",
)  # fmt: skip
TASK_INPUT_TOKENS: Final = {
    "gpqa": 300.0,
    "lm-arena-chat": 250.0,
    "sourcegraph-fim": 2_000.0,
    "image-chat": 1_580.0,
    "video-chat": 1_550.0,
}
"""Mean input of one request of a task, which the table does not hold: guesses for text, and for
images and videos what the fit made of 1,500 and 6,000 (`benchmarks/energy_form.py`)."""


def read_mlenergy(path: Path, *, mark: Mark | None = None) -> CurveImport:
    """Read the points of a result table; every row that is none is listed with its reason.

    Raises:
        FindingsError: if it is no such table, or all of its rows are refused.
    """
    table = PointTable(
        columns=COLUMNS,
        missing=(
            "a result table of language models has this column, and it is not here",
            "Take the table of language models (not of images or video) of version 3",
        ),
        point_of=_point,
    )
    return read_point_table(path, table, mark=mark)


def _point(row: Row, source: str) -> CurvePoint:
    """Return one row as a point of an energy curve.

    Raises:
        RowRefused: if something is missing, or its watts contradict its joules.
    """
    model, accelerator = row.name("model_id"), row.name("gpu_model")
    if not model or not accelerator:
        raise RowRefused("POINT_INCOMPLETE", "its model or its GPU is not said")
    gpus = row.count("num_gpus")
    if not gpus:
        raise RowRefused("POINT_INCOMPLETE", "its number of GPUs is not said")
    joules = needed(row, "energy_per_token_joules")
    watts = positive(row, "avg_power_watts")
    rate = positive(row, "output_throughput_tokens_per_sec")
    if watts is not None and rate is not None:
        check_power(watts=watts, tokens_per_s=rate, j_per_token=joules, what="output token")
    task = row.word("task").lower()
    return CurvePoint(
        model=model,
        accelerator=accelerator,
        gpus_count=gpus,
        stack=STACK,
        batch_count=needed(row, "avg_batch_size"),
        j_per_token=joules,
        avg_power_w_per_gpu=None if watts is None else watts / gpus,
        input_tokens=TASK_INPUT_TOKENS.get(task, 0.0),
        output_tokens=positive(row, "avg_output_len") or 0.0,
        bytes_per_weight=PRECISION_BYTES.get(row.word("weight_precision").lower()),
        source=f"{source} {task}".strip(),
    )
