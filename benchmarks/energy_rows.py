"""The measured rows of language models, as columns, beside the facts of their models.

Measurements: ML.ENERGY benchmark v3 (vLLM 0.11.1; dataset ml-energy/benchmark-v3, Apache-2.0), read
from `../shared/data/energy`, which is not shipped. Facts of the models come either from the shared
`models.csv` (recalled: for the reproduction) or from this package's catalogue (for the product).
The data has no input lengths: those below are guesses of the energy sheet, section 3.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import ROOT

from tokenergy.company.model import LanguageModel
from tokenergy.files.catalogue import load_catalogue

SHARED = ROOT.parent / "shared" / "data" / "energy"

GUESSED_INPUT_TOKENS = {
    "gpqa": 300,
    "lm-arena-chat": 250,
    "sourcegraph-fim": 2000,
    "image-chat": 1500,
    "video-chat": 6000,
}

Column = NDArray[Any]


@dataclass(frozen=True, kw_only=True)  # no slots: what is derived is kept
class Rows:
    """One measured operating point per row; every field is a column of the same length.

    `j_per_token` is board joules per output token of the whole replica, prefill included;
    `power_w` is of all boards; `family` is the fold. The rest are facts of the model.
    """

    task: Column
    hub_id: Column
    family: Column
    gpu: Column
    gpus_count: Column
    tensor_parallel: Column
    expert_parallel: Column
    data_parallel: Column
    batch_count: Column
    output_tokens_count: Column
    context_tokens_count: Column
    power_w: Column
    tokens_per_s: Column
    step_s: Column
    j_per_token: Column
    kind: Column
    moe: Column
    fp8: Column
    fp8_blocks: Column
    total_b: Column
    active_b: Column
    read_b: Column
    expert_b: Column
    shared_b: Column
    shared_read_b: Column
    layers: Column
    moe_layers: Column
    kv_heads: Column
    kv_full_bytes_per_token: Column
    kv_slide_bytes_per_token: Column
    window_tokens: Column
    state_bytes: Column
    experts: Column
    topk: Column
    bytes_per_weight: Column

    @property
    def count(self) -> int:
        """Return how many rows there are."""
        return len(self.j_per_token)

    @cached_property
    def log2_gpus(self) -> Column:
        """Return log2 of the GPUs of a replica."""
        return np.log2(self.gpus_count)

    @cached_property
    def kv_copies(self) -> Column:
        """Return how often the cache is read: by each GPU beyond the number of its heads."""
        heads = np.where(self.kv_heads > 0, self.kv_heads, self.gpus_count)
        return np.maximum(1.0, self.gpus_count / heads)

    @cached_property
    def state_gb(self) -> Column:
        """Return what a token reads and writes of a recurrent state, GB."""
        return 2.0 * self.state_bytes / 1e9

    @cached_property
    def guessed_input(self) -> Column:
        """Return the guessed length of the input that stands in `context_tokens_count`."""
        return self.context_tokens_count - self.output_tokens_count / 2.0

    @cached_property
    def input_tokens_count(self) -> Column:
        """Return the length of the input as the product's fit takes it.

        Gemma 3 makes 256 tokens of an image of any size (`mm_tokens_per_image` of its
        config.json); about a hundred of text come on top.
        """
        gemma_image = (np.char.find(self.hub_id, "gemma-3") >= 0) & (self.task == "image-chat")
        return np.where(gemma_image, 350.0, self.guessed_input)

    @cached_property
    def touched_count(self) -> Column:
        """Return how many distinct experts B tokens touch on average (0 if dense)."""
        share = np.where(self.moe, self.topk / np.where(self.moe, self.experts, 1.0), 0.0)
        return np.where(self.moe, self.experts * (1.0 - (1.0 - share) ** self.batch_count), 0.0)

    @cached_property
    def touched_gb(self) -> Column:
        """Return W_ex(B): what B tokens touch of the experts, on average, GB."""
        return self.touched_count * self.expert_b * self.bytes_per_weight

    @cached_property
    def kv_gb(self) -> Column:
        """Return the cache that one token reads, GB."""
        return self.cache_gb(self.context_tokens_count)

    def cache_gb(self, context: Column) -> Column:
        """Return the cache of one sequence of that many tokens, GB."""
        sliding = np.minimum(context, self.window_tokens)
        full = self.kv_full_bytes_per_token * context
        return (full + self.kv_slide_bytes_per_token * sliding) / 1e9

    @cached_property
    def bf16_tflop(self) -> Column:
        """Return the arithmetic of one token, TFLOP, none of it in FP8."""
        return 2.0 * self.read_b / 1000.0

    @cached_property
    def token_tflop(self) -> Column:
        """Return the arithmetic of one token, TFLOP: halved where weights are FP8, not MXFP4."""
        return self.bf16_tflop * np.where(self.fp8, self.bytes_per_weight / 2.0, 1.0)

    def of_gpu(self, values: Mapping[str, float]) -> Column:
        """Return a figure of each row's accelerator."""
        return np.array([values[str(gpu)] for gpu in self.gpu])

    def where(self, kept: Column) -> "Rows":
        """Return the rows of a mask or of indices."""
        columns = {field.name: getattr(self, field.name)[kept] for field in fields(self)}
        return replace(self, **columns)


def measured_rows(models: Mapping[str, LanguageModel], *, folder: Path = SHARED) -> Rows:
    """Return all 838 rows in the order of the file, joined on the model's name on the hub.

    Raises:
        KeyError: naming the models whose facts are missing, all of them.
    """
    from energy_folds import family_of

    with (folder / "mlenergy_v3_llm.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    missing = sorted({row["model_id"] for row in table} - models.keys())
    if missing:
        raise KeyError(f"no facts of {', '.join(missing)}")
    facts = [models[row["model_id"]] for row in table]

    def measured(name: str) -> Column:
        return np.array([float(row[name]) for row in table])

    def fact(name: str) -> Column:
        return np.array([float(getattr(model, name)) for model in facts])

    output = measured("avg_output_len")
    guessed = np.array([GUESSED_INPUT_TOKENS[row["task"]] for row in table])
    return Rows(
        task=np.array([row["task"] for row in table]),
        hub_id=np.array([row["model_id"] for row in table]),
        family=np.array([family_of(row["model_id"]) for row in table]),
        gpu=np.array([row["gpu_model"] for row in table]),
        gpus_count=measured("num_gpus"),
        tensor_parallel=measured("tensor_parallel"),
        expert_parallel=measured("expert_parallel"),
        data_parallel=measured("data_parallel"),
        batch_count=measured("avg_batch_size"),
        output_tokens_count=output,
        context_tokens_count=guessed + output / 2.0,
        power_w=measured("avg_power_watts"),
        tokens_per_s=measured("output_throughput_tokens_per_sec"),
        step_s=measured("median_itl_ms") / 1000.0,
        j_per_token=measured("energy_per_token_joules"),
        kind=np.array([_kind(model) for model in facts]),
        moe=np.array([model.routes_experts for model in facts]),
        fp8=np.array([model.computes_in_fp8 for model in facts]),
        fp8_blocks=np.array([_blocked(model) for model in facts]),
        moe_layers=np.array([float(_moe_layers(model)) for model in facts]),
        **{
            name: fact(name)
            for name in (
                "total_b", "active_b", "read_b", "expert_b", "shared_b", "shared_read_b",
                "layers", "kv_heads", "kv_full_bytes_per_token", "kv_slide_bytes_per_token",
                "window_tokens", "state_bytes", "experts", "topk", "bytes_per_weight",
            )
        },
    )  # fmt: skip


def shared_models(*, folder: Path = SHARED) -> dict[str, LanguageModel]:
    """Return the models of the shared file by their name on the hub, as they stand there."""
    with (folder / "models.csv").open(encoding="utf-8") as file:
        return {row["model_id"]: _shared_model(row) for row in csv.DictReader(file)}


def catalogue_models() -> dict[str, LanguageModel]:
    """Return the models of this package's catalogue by their name on the hub."""
    return {model.hub_id: model for model in load_catalogue().models}


def _shared_model(row: Mapping[str, str]) -> LanguageModel:
    architecture: Any = row["arch"]
    return LanguageModel(
        model_id=row["model_id"],
        hub_id=row["model_id"],
        total_b=float(row["total_b"]),
        active_b=float(row["active_b"]),
        layers=int(row["layers"]),
        hidden=0,
        kv_full_bytes_per_token=float(row["kv_full_B"]),
        kv_slide_bytes_per_token=float(row["kv_slide_B"]),
        window_tokens=int(row["window"]),
        experts=int(row["experts"]),
        topk=int(row["topk"]),
        bytes_per_weight=float(row["bytes_per_weight"]),
        architecture=architecture,
        family=row["model_id"],
        family_measured=True,
        source="shared data",
        source_kind="recalled",
        retrieved_on=date(2026, 11, 24),
        verified=False,
    )


def _kind(model: LanguageModel) -> str:
    if model.architecture == "hybrid":
        return "hybrid"
    return "moe" if model.routes_experts else "dense"


def _blocked(model: LanguageModel) -> bool:
    """Return whether experts are FP8 with a scale a block, or FP8 of a kind nobody told."""
    return model.routes_experts and model.computes_in_fp8 and model.weight_format != "fp8"


def _moe_layers(model: LanguageModel) -> int:
    """Return how many layers route: all of a MoE of which nobody told."""
    return (model.moe_layers or model.layers) if model.routes_experts else 0
