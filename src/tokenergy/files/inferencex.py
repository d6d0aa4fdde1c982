"""InferenceX rows: a benchmark's measured joules, taken as points of energy curves.

Shape: rows of its benchmarks API (JSON, figures under `metrics`) and the CSV export with the same
columns. Only rows count whose power window was validated (`power_valid`) under schema version 2,
in which unprefixed `joules_per_*` are the GPU energy of the whole deployment. The boundary is the
GPU boards: host and PUE are added by whoever uses a point, never here. None of its data is here.
"""

from decimal import Decimal
from pathlib import Path
from typing import Final

from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.finding import Finding
from tokenergy.files.cells import Mark, Row
from tokenergy.files.curve_import import (
    POWER_APART_MOST_SHARE,
    PRECISION_BYTES,
    CurveImport,
    PointTable,
    check_power,
    read_point_table,
)
from tokenergy.files.refused import RowRefused

SCHEMA_VERSION: Final = 2
COLUMNS: Final = ("model", "conc", "power_valid", "joules_per_output_token")
NAMES: Final = {
    "dsr1": "deepseek-ai/DeepSeek-R1-0528",
    "gptoss": "openai/gpt-oss-120b",
    "gptoss120b": "openai/gpt-oss-120b",
    "llama70b": "meta-llama/Llama-3.3-70B-Instruct",
}
"""Its keys of models that the catalogue knows (its app: packages/constants, display names)."""


def read_inferencex(path: Path, *, mark: Mark | None = None) -> CurveImport:
    """Read the points of a benchmark's rows; every other row is listed with its reason.

    Raises:
        FindingsError: if it holds no such rows, or all of them are refused.
    """
    table = PointTable(
        columns=COLUMNS,
        missing=(
            "a file of InferenceX rows has this column, and it is not here",
            "Export rows with measured power (PowerX)",
        ),
        point_of=_point,
        told_of=_unchecked,
    )
    return read_point_table(path, table, mark=mark)


def _point(row: Row, source: str) -> CurvePoint:
    """Return one row as a point of an energy curve.

    Raises:
        RowRefused: if its power is not valid, of another schema, or contradicts its joules.
    """
    if not row.flag("power_valid"):
        raise RowRefused("POWER_INVALID", "power_valid is not 1: its joules are not to be used")
    version = row.count("power_metric_schema_version")
    if version != SCHEMA_VERSION:
        raise RowRefused(
            "POWER_SCHEMA",
            f"power_metric_schema_version is {version}; only {SCHEMA_VERSION} counts the whole "
            "deployment",
        )
    if row.word("benchmark_type") not in ("", "single_turn"):
        raise RowRefused("OTHER_BENCHMARK", "its concurrency is no batch: only single turns are")
    joules = _positive(row, "joules_per_output_token")
    if joules is None:
        raise RowRefused("JOULES_MISSING", "joules_per_output_token is empty")
    conc, gpus = row.count("conc"), _gpus_count(row)
    if not conc or not gpus:
        raise RowRefused("LOAD_MISSING", "its concurrency or its number of GPUs is not said")
    model, accelerator = row.name("model"), row.name("hardware", "hw")
    if not model or not accelerator:
        raise RowRefused("LOAD_MISSING", "its model or its hardware is not said")
    _check_power(row, gpus, joules)
    replicas = row.count("decode_num_workers") or 1
    if gpus % replicas:
        raise RowRefused(
            "REPLICAS_UNEVEN", f"{gpus} GPUs do not divide into {replicas} equal replicas"
        )
    power = _positive(row, "avg_power_w")
    precision = row.word("precision")
    return CurvePoint(
        model=NAMES.get(model.lower(), model),
        accelerator=accelerator,
        gpus_count=gpus,
        replicas_count=replicas,
        stack=_stack(row),
        batch_count=conc / replicas,
        j_per_token=float(joules),
        avg_power_w_per_gpu=None if power is None else float(power),
        input_tokens=row.count("isl") or 0,
        output_tokens=row.count("osl") or 0,
        bytes_per_weight=PRECISION_BYTES.get(precision.lower()),
        source=source,
    )


def _positive(row: Row, name: str) -> Decimal | None:
    value = row.amount(name)
    if value is not None and value <= 0:
        raise RowRefused("POWER_INCONSISTENT", f"{name} is {value:g}; it lies above 0")
    return value


def _gpus_count(row: Row) -> int | None:
    """Return the GPUs of the deployment: roles that share GPUs name the same ones twice."""
    prefill, decode = row.count("num_prefill_gpu"), row.count("num_decode_gpu")
    if prefill and decode:
        return prefill + decode if row.flag("disagg") else max(prefill, decode)
    return prefill or decode or row.count("num_gpus", "tp")


def _stack(row: Row) -> str:
    """Return the software in one text: what changes the joules of a batch must change it too."""
    words = [row.word("framework"), row.word("image"), row.word("precision")]
    speculation = row.word("spec_method", "mtp").lower()
    if speculation not in ("", "none", "off", "false"):
        words.append(speculation)
    if row.flag("disagg"):
        words.append("disaggregated")
    return " ".join(filter(None, words))


def _check_power(row: Row, gpus_count: int, joules: Decimal) -> None:
    """Hold joules against watts: W x GPUs / (tokens/s of all GPUs) = J per token of any kind.

    Raises:
        RowRefused: `POWER_INCONSISTENT` beyond 5 %, or where an output token costs less than a
            token of any kind (it carries the prefill).
    """
    total = _positive(row, "joules_per_total_token")
    if total is not None and total > joules * (1 + Decimal(str(POWER_APART_MOST_SHARE))):
        raise RowRefused(
            "POWER_INCONSISTENT",
            f"an output token ({joules:g} J) carries the prefill, so it cannot cost less than a "
            f"token of any kind ({total:g} J)",
        )
    power, flow = _positive(row, "avg_power_w"), _positive(row, "tput_per_gpu")
    if total is None or power is None or flow is None:
        return
    check_power(
        watts=float(power) * gpus_count,
        tokens_per_s=float(flow) * gpus_count,
        j_per_token=float(total),
    )


def _unchecked(row: Row, file: str) -> Finding | None:
    """Say once for a file that a row says too little to check its joules."""
    needed = ("avg_power_w", "tput_per_gpu", "joules_per_total_token")
    if all(row.cell(name) is not None for name in needed):
        return None
    return Finding(
        code="POWER_UNCHECKED",
        path=file,
        reason="rows lack avg_power_w, tput_per_gpu or joules_per_total_token: their joules "
        "could not be held against watts",
        remedy="Export those columns too",
        severity="warning",
    )
