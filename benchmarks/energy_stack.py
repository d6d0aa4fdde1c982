"""What is a prediction worth on another version of the engine, and does one number mend it?

The form of the energy sheet, fitted to H100 under vLLM 0.11.1, is applied unchanged to what was
measured under vLLM 0.5.4: then with one factor, exp(median ln(measured / predicted)), learnt from
the other models. The rows of the older benchmark are non-commercial and are not here; what is
here are our own a + b/B lines through them (tests and benchmarks only), so each line stands for
its points at five batches, evenly in ln B from its least to its most, and this is a rough repeat
of the sheet's 40.4 and 14.7 %. Inputs and outputs of that benchmark are guessed: 250 and 300
tokens (ShareGPT).

Needs ../shared/data/energy.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from energy_fit import fitted, predicted
from energy_form import REFERENCE
from energy_rows import SHARED, Column, Rows, measured_rows, shared_models

from tokenergy.company.model import LanguageModel

OLDER_TASK: Final = "sharegpt-chat(v2)"
ACCELERATOR: Final = "H100"
BATCHES_COUNT: Final = 5
INPUT_TOKENS: Final = 250.0
OUTPUT_TOKENS: Final = 300.0
GOAL_PERCENT: Final = 15.0
READ_FACTS: Final = (
    "read_b", "expert_b", "shared_b", "layers", "kv_full_bytes_per_token",
    "kv_slide_bytes_per_token", "window_tokens", "experts", "topk", "bytes_per_weight",
)  # fmt: skip
UNKNOWN_BAND: Final = (0.5, 2.0)
"""Of an unknown stack, at least (energy sheet, section 8)."""


def figures() -> dict[str, Any]:
    """Return errors in %, the factor, and what the band covers; {} without the data."""
    if not SHARED.exists():
        return {}
    models = shared_models()
    measured = measured_rows(models)
    logs = fitted(REFERENCE, measured.where(measured.gpu == ACCELERATOR))
    older = older_rows(models, like=measured)
    said = predicted(REFERENCE, logs, older)
    ratio = older.j_per_token / said
    by_others = np.array([factor_ratio(ratio[older.hub_id != hub_id]) for hub_id in older.hub_id])
    inside = (ratio >= UNKNOWN_BAND[0]) & (ratio <= UNKNOWN_BAND[1])
    return {
        "models_count": len(set(older.hub_id)),
        "lines_count": older.count // BATCHES_COUNT,
        "factor_ratio": round(factor_ratio(ratio), 3),
        "as_it_is_mape_percent": _mape(1.0 / ratio),
        "one_factor_mape_percent": _mape(by_others / ratio),
        "one_factor_median_percent": round(
            100.0 * float(np.median(np.abs(by_others / ratio - 1.0))), 2
        ),
        "unknown_stack_coverage_share": round(float(inside.mean()), 3),
        "goal_percent": GOAL_PERCENT,
        "sheet_percent": {"as_it_is": 40.4, "one_factor": 14.7},
    }


def tell(told: dict[str, Any]) -> list[str]:
    """Return lines for people."""
    if not told:
        return ["serving stack: ../shared/data/energy is not here"]
    return [
        f"another serving stack (vLLM 0.5.4, H100, {told['lines_count']} lines): as it is "
        f"{told['as_it_is_mape_percent']:.1f} %, with one factor learnt from the other models "
        f"{told['one_factor_mape_percent']:.1f} % (factor {told['factor_ratio']:.2f}); a rough "
        "repeat of 40.4 and 14.7 %",
        f"  the band of an unknown stack covers "
        f"{100.0 * told['unknown_stack_coverage_share']:.0f} % of them",
    ]


def older_rows(models: Mapping[str, LanguageModel], *, like: Rows) -> Rows:
    """Return the older lines as rows at five batches each; only what the form reads is filled."""
    with (SHARED / "curves_a_plus_b_over_B.csv").open(encoding="utf-8") as file:
        lines = [
            line
            for line in csv.DictReader(file)
            if line["task"] == OLDER_TASK and line["gpu"] == ACCELERATOR
        ]
    at = [(line, batch) for line in lines for batch in _batches(line)]
    facts = [models[line["model_id"]] for line, _ in at]
    batch = np.array([batch for _, batch in at])
    line_j = np.array([_number(line, "a_J_per_tok") for line, _ in at])
    step_j = np.array([_number(line, "b_J_per_step") for line, _ in at])
    blank = like.where(np.zeros(len(at), dtype=int))
    of_models = {
        name: np.array([float(getattr(model, name)) for model in facts]) for name in READ_FACTS
    }
    return replace(
        blank,
        **of_models,
        hub_id=np.array([model.hub_id for model in facts]),
        gpu=np.array([ACCELERATOR] * len(at)),
        gpus_count=np.array([_number(line, "n_gpus") for line, _ in at]),
        kind=np.array(["moe" if model.routes_experts else "dense" for model in facts]),
        moe=np.array([model.routes_experts for model in facts]),
        fp8=np.array([model.computes_in_fp8 for model in facts]),
        batch_count=batch,
        context_tokens_count=np.full(len(at), INPUT_TOKENS + OUTPUT_TOKENS / 2.0),
        j_per_token=line_j + step_j / batch,
    )


def factor_ratio(ratio: Column) -> float:
    """Return exp of the median of ln(measured / predicted)."""
    return float(np.exp(np.median(np.log(ratio))))


def _batches(line: Mapping[str, str]) -> Column:
    return np.geomspace(_number(line, "B_min"), _number(line, "B_max"), BATCHES_COUNT)


def _number(line: Mapping[str, str], name: str) -> float:
    return float(line[name])


def _mape(ratio: Column) -> float:
    return round(100.0 * float(np.mean(np.abs(ratio - 1.0))), 2)
