"""The forms that predict a language model's joules per token, as they are fitted: on columns.

`REFERENCE` is the form of the energy sheet, section 2, and of the reproduction: ten parameters an
accelerator. `FIRST` was declared, with items 1 to 6 below, before its folds were opened, though
after the residuals of `REFERENCE` by family had been seen (they stand in the shared
`blind_predictions.csv`). `PRODUCT`, the form of `tokenergy.energy.predict`, is what became of it:
items 7 to 10 were added after looking at the residuals of these very folds, so it was NOT declared
before they were opened, and its error is optimistic. `FIRST` is the cautious figure, and it misses
the goal for dense models. `TRIED` lists every form that was judged on the folds, in order; those on
"shared" facts took kv_heads, moe_layers and state_bytes from memory, before the catalogue had them.

What they change, each for a reason outside the fit:

1. Prefill is a term of its own, `c_pre` x TFLOP of a token x input tokens per output token. One
   number for arithmetic cannot serve 8 input tokens per output token (code completion) and .05
   (reasoning).
2. A recurrent layer reads and writes its state for every token: twice `state_bytes`, beside the
   cache. Without it a hybrid has no cost that grows with the batch.
3. A cache with fewer heads than the replica has GPUs is kept, and read, more than once:
   max(1, n / kv_heads) copies; all n of them for a latent cache (MLA).
4. Overheads of routing (`x_moe`, `x_fp8moe`) act on the layers that route, not on all.
5. Ratios (`x_...`) are of the serving software, the same on both boards: one value for both.
6. A parameter that few families speak about is drawn to a prior, which counts for fifteen rows,
   since the rows of a family repeat each other.
7. Only ratios are drawn (to 1, within a factor of two): board figures have families enough.
8. `c_pre` is not fitted but taken from the diffusion models, as the product's prefill is; the
   lengths of image and video inputs, which the data lacks, are two nuisances of the benchmark.
   Left free it came out anywhere from .74 to 1.08 J/TFLOP on H100 and .50 to 1.32 on B200, by
   form (1.0 and .92 here): the order of size is right, and that is no validation.
9. `x_fp8moe` is for FP8 with a scale for each block of a matrix (Qwen, DeepSeek), whose expert
   kernels vLLM 0.11.1 runs slowly; not for a scale a row (Maverick). This is the idea for families
   of mixtures without a near relative: facts of the checkpoint in the place of relatives.
10. Experts cost as much more arithmetic in prefill as in decoding (`x_flop_moe`); `c_comm` is a
    ratio too, and common; FP8 halves the arithmetic of those weights only that are FP8.
    `x_hybrid` is gone: with 2 it came out at 1.

Every parameter is fitted as its logarithm.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from energy_rows import Column, Rows

PREFILL_J_PER_TFLOP = {"H100": 1.0, "B200": 0.92}
"""`c_pre` of `coefficients.csv`: the compute-bound coefficient of the diffusion fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Where parameters are drawn to when the rows say little about them.

    Attributes:
        centres: the logarithm that each drawn parameter is drawn to, by accelerator.
        width_log: how far off the centre costs as much as a row that is off by the scale.
        rows_count: how many rows the prior of one parameter counts for.
    """

    centres: dict[str, dict[str, float]]
    width_log: float
    rows_count: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A formula with parameters.

    Attributes:
        name: how the table calls it.
        parameters: their names, as `coefficients.csv` has them.
        start_logs: where the fit starts: logarithms.
        j_per_token: from the logarithms and the rows, joules per output token of each row.
        common: the parameters with one value for all accelerators.
        prior: None: nothing but the rows decides.
    """

    name: str
    parameters: tuple[str, ...]
    start_logs: tuple[float, ...]
    j_per_token: Callable[[Column, Rows], Column]
    common: tuple[str, ...] = ()
    prior: Prior | None = None


class Tried(NamedTuple):
    """One form that was judged on the folds, what it gave, and on whose facts."""

    name: str
    mape_percent: float
    facts: str


TRIED = (
    Tried("1 to 6, declared first", 24.5, "shared"),
    Tried("the same without a prior", 23.3, "shared"),
    Tried("the same, ratios by accelerator", 24.6, "shared"),
    Tried("+ lengths of image and video inputs fitted", 23.2, "shared"),
    Tried("the same, a prior of 5 rows", 22.5, "shared"),
    Tried("prior on ratios only; an image is 256 tokens for Gemma", 24.0, "shared"),
    Tried("+ prefill of experts by x_flop_moe", 23.1, "shared"),
    Tried("c_pre of the diffusion fit; four lengths fitted", 27.2, "shared"),
    Tried("+ a ratio of its own for prefill of experts", 25.9, "shared"),
    Tried("+ x_fp8moe for block scales only", 25.5, "shared"),
    Tried("c_pre free, two lengths fitted, own prefill ratio", 22.2, "catalogue"),
    Tried("the same, c_pre of the diffusion fit", 21.2, "catalogue"),
    Tried("the same, c_comm common", 21.1, "catalogue"),
    Tried("one ratio for all arithmetic of experts, c_comm by board", 20.7, "catalogue"),
    Tried("the same, c_comm common", 20.5, "catalogue"),
    Tried("the same without x_hybrid: the product", 20.5, "catalogue"),
)
"""Of ours. The sheet tells seven tried before; `REFERENCE` is the best single one of them."""


def reference_j_per_token(logs: Column, rows: Rows) -> Column:
    """Return e(B) = a + b(B) / B, the form of the sheet's section 2."""
    c_layer, c_w, c_f, c_kv, c_e, x_moe, x_hybrid, x_fp8moe, x_flop_moe, c_comm = np.exp(logs)
    overhead = (
        np.where(rows.moe, x_moe, 1.0)
        * np.where(rows.kind == "hybrid", x_hybrid, 1.0)
        * np.where(rows.moe & rows.fp8, x_fp8moe, 1.0)
    )
    comm = 1.0 + c_comm * rows.log2_gpus
    step_j = (
        rows.gpus_count * rows.layers * c_layer * overhead * comm
        + c_w * rows.shared_b * rows.bytes_per_weight
        + c_e * rows.touched_gb
    )
    token_j = c_f * rows.token_tflop * np.where(rows.moe, x_flop_moe, 1.0) + c_kv * rows.kv_gb
    return token_j + step_j / rows.batch_count


def first_j_per_token(logs: Column, rows: Rows) -> Column:
    """Return e(B) of the form that was declared first."""
    c_layer, c_w, c_f, c_kv, c_e, x_moe, x_hybrid, x_fp8moe, x_flop_moe, c_comm, c_pre = np.exp(
        logs
    )
    routing = np.where(rows.moe, x_moe, 1.0) * np.where(rows.moe & rows.fp8, x_fp8moe, 1.0)
    layers = (rows.layers - rows.moe_layers) + rows.moe_layers * routing
    layers = layers * np.where(rows.kind == "hybrid", x_hybrid, 1.0)
    step_j = (
        rows.gpus_count * layers * c_layer * (1.0 + c_comm * rows.log2_gpus)
        + c_w * rows.shared_read_b * rows.bytes_per_weight
        + c_e * rows.touched_gb
    )
    token_j = (
        c_f * rows.token_tflop * np.where(rows.moe, x_flop_moe, 1.0)
        + c_pre * rows.token_tflop * rows.guessed_input / rows.output_tokens_count
        + c_kv * (rows.kv_gb * rows.kv_copies + rows.state_gb)
    )
    return token_j + step_j / rows.batch_count


def product_j_per_token(logs: Column, rows: Rows) -> Column:
    """Return e(B) of the product's form; `energy.predict.language_curve` says the same."""
    c_layer, c_w, c_f, c_kv, c_e, x_moe, x_fp8moe, x_flop_moe, c_comm, s_image, s_video = np.exp(
        logs
    )
    longer = np.where(rows.task == "image-chat", s_image, 1.0) * np.where(
        rows.task == "video-chat", s_video, 1.0
    )
    inputs = rows.input_tokens_count * longer
    routing = np.where(rows.moe, x_moe, 1.0) * np.where(rows.fp8_blocks, x_fp8moe, 1.0)
    layers = (rows.layers - rows.moe_layers) + rows.moe_layers * routing
    step_j = (
        rows.gpus_count * layers * c_layer * (1.0 + c_comm * rows.log2_gpus)
        + c_w * rows.shared_read_b * rows.bytes_per_weight
        + c_e * rows.touched_gb
    )
    ratio = np.where(rows.moe, x_flop_moe, 1.0)
    cache_gb = rows.cache_gb(inputs + rows.output_tokens_count / 2.0)
    token_j = (
        c_f * rows.token_tflop * ratio
        + rows.of_gpu(PREFILL_J_PER_TFLOP)
        * rows.bf16_tflop * ratio * inputs / rows.output_tokens_count
        + c_kv * (cache_gb * rows.kv_copies + rows.state_gb)
    )  # fmt: skip
    return token_j + step_j / rows.batch_count


REFERENCE = Form(
    name="reference",
    parameters=(
        "c_layer", "c_w", "c_f", "c_kv", "c_e",
        "x_moe", "x_hybrid", "x_fp8moe", "x_flop_moe", "c_comm",
    ),
    start_logs=(
        np.log(0.04), np.log(0.2), np.log(2.0), np.log(0.4), np.log(0.2), 0.4, 0.4, 0.2, 0.7, -1.0,
    ),
    j_per_token=reference_j_per_token,
)  # fmt: skip

_READ = {"H100": 700 / 3350, "B200": 1000 / 8000}
_FLOP = {"H100": 2 * 700 / 989, "B200": 2 * 1000 / 2250}
_LAYER = {"H100": 0.04, "B200": 0.04 * 1000 / 700}
_RATIO = {"H100": 1.0, "B200": 1.0}
_COMM = {"H100": np.exp(-1.0), "B200": np.exp(-1.0)}


def _centres(**values: dict[str, float]) -> dict[str, dict[str, float]]:
    return {
        name: {gpu: float(np.log(value)) for gpu, value in by_gpu.items()}
        for name, by_gpu in values.items()
    }


FIRST = Form(
    name="declared first",
    parameters=(*REFERENCE.parameters, "c_pre"),
    start_logs=(*REFERENCE.start_logs, 0.0),
    j_per_token=first_j_per_token,
    common=("x_moe", "x_hybrid", "x_fp8moe", "x_flop_moe"),
    prior=Prior(
        centres=_centres(
            c_layer=_LAYER, c_w=_READ, c_f=_FLOP, c_kv=_READ, c_e=_READ, c_comm=_COMM, c_pre=_FLOP,
            x_moe=_RATIO, x_hybrid=_RATIO, x_fp8moe=_RATIO, x_flop_moe=_RATIO,
        ),
        width_log=np.log(2.0),
        rows_count=15.0,
    ),
)  # fmt: skip

PRODUCT = Form(
    name="product",
    parameters=(
        "c_layer", "c_w", "c_f", "c_kv", "c_e",
        "x_moe", "x_fp8moe", "x_flop_moe", "c_comm", "s_image", "s_video",
    ),
    start_logs=(
        np.log(0.04), np.log(0.2), np.log(2.0), np.log(0.4), np.log(0.2), 0.4, 0.2, 0.7, -1.0,
        0.0, -1.0,
    ),
    j_per_token=product_j_per_token,
    common=("x_moe", "x_fp8moe", "x_flop_moe", "c_comm", "s_image", "s_video"),
    prior=Prior(
        centres=_centres(x_moe=_RATIO, x_fp8moe=_RATIO, x_flop_moe=_RATIO),
        width_log=np.log(2.0),
        rows_count=15.0,
    ),
)  # fmt: skip
