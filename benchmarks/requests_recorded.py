"""How near does the request simulator come to two recorded runs of vLLM 0.19?

Llama-3.1-8B in BF16, 300 requests at 10 a second, on an RTX 4090 (2,588 blocks of cache: about
190 evictions) and on an RTX PRO 6000 (cache never short, 128 sequences at most). One joint law is
built from the operator profile of each card; nothing is fitted to a run. Goal: the mean TTFT,
TPOT and end-to-end time of both within 5 %. Not a goal, and not tested by it: another model, more
than one GPU, another engine.

Needs ../shared/data/serving (casys-kaist/LLMServingSim at 5daddb2, MIT).
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from tokenergy.files.operator_profile import ProfileFiles, read_operator_profile
from tokenergy.simulate.joint_law import OperatorProfile, joint_law
from tokenergy.simulate.kv_capacity import ReplicaMemory
from tokenergy.simulate.law import iteration_s
from tokenergy.simulate.replica import ReplicaRequests, ReplicaSpec, StepEnergy
from tokenergy.simulate.replicas import simulate_replicas

SERVING: Final = Path(__file__).resolve().parents[2] / "shared" / "data" / "serving"
FILES: Final = ProfileFiles(
    attention=SERVING / "llama31_8b_tp1_attention.csv.gz",
    dense=SERVING / "llama31_8b_tp1_dense.csv.gz",
    per_sequence=SERVING / "llama31_8b_tp1_per_sequence.csv",
)
LAYERS: Final = 32
GOAL_SHARE: Final = 0.05

RECORDED_BLOCKS: Final = 2_588
NULL_BLOCKS: Final = 1
"""vLLM never hands out block 0."""
UNBOUND_BLOCKS: Final = 100_000
"""The PRO 6000's are not recorded; the run holds at most 10,500 at a time."""
SETTINGS: Final = {
    "rtx4090": {"kv_blocks_count": RECORDED_BLOCKS - NULL_BLOCKS, "max_batch_count": 256},
    "rtxpro6000": {"kv_blocks_count": UNBOUND_BLOCKS, "max_batch_count": 128},
}
NO_ENERGY_J: Final = 0.0


def figures() -> dict[str, Any]:
    """Return, for each card, the errors with and without block reuse; {} without the data."""
    if not SERVING.exists():
        return {}
    return {accelerator: _card(accelerator) for accelerator in SETTINGS} | {
        "kv_formula": _kv_formula(),
        "goal_share": GOAL_SHARE,
    }


def tell(told: dict[str, Any]) -> list[str]:
    """Return lines for people."""
    if not told:
        return ["recorded vLLM runs: ../shared/data/serving is not here"]
    lines = [
        "recorded vLLM 0.19, Llama-3.1-8B, 300 requests; mean error of ours, nothing fitted to a "
        "run (goal 5 %)",
        f"{'card':<12}{'blocks after eviction':<24}{'TTFT':>8}{'TPOT':>8}{'e2e':>8}"
        f"{'makespan':>10}{'evictions':>11}{'beyond':>8}",
    ]
    for accelerator in SETTINGS:
        for name, row in told[accelerator]["runs"].items():
            errors = "".join(f"{100 * row[key]:>+8.1f}" for key in ("ttft", "tpot", "e2e"))
            lines.append(
                f"{accelerator:<12}{name:<24}{errors}{100 * row['makespan']:>+10.1f}"
                f"{row['evictions']:>11}{row['beyond_table']:>8}"
            )
    for accelerator in SETTINGS:
        between = told[accelerator]["off_nodes"]
        if between["rows"]:
            lines.append(
                f"lines between nodes, {accelerator}: {between['rows']:,} measured batches off "
                f"the nodes, mean error {100 * between['signed']:+.2f} %, "
                f"size {100 * between['absolute']:.1f} %"
            )
    formula = told["kv_formula"]
    lines.append(
        f"KV formula, RTX 4090, reserve 0: {formula['tokens']:,} tokens; recorded "
        f"{RECORDED_BLOCKS * 16:,}: the engine kept {formula['kept_gb']:.2f} GB"
    )
    lines.append("validity ends here: one 8B model, one GPU, two cards, one engine version")
    return lines


def _card(accelerator: str) -> dict[str, Any]:
    profile = read_operator_profile(FILES, accelerator=accelerator, layers_count=LAYERS)
    law, even = joint_law(profile), joint_law(_of_equal_contexts(profile))
    recorded = pl.read_csv(SERVING / f"vllm019_{accelerator}_llama31_8b_requests.csv")
    recorded = recorded.sort("queued_s", maintain_order=True)
    runs = {}
    cases = (
        ("lost", law, False),
        ("reused", law, True),
        ("reused, skew left out", even, True),
    )
    for name, a_law, reuses in cases:
        spec = ReplicaSpec(
            law=a_law,
            energy=StepEnergy(
                base_j=np.zeros(SETTINGS[accelerator]["max_batch_count"] + 1),
                decode_j=NO_ENERGY_J,
                prefill_j=NO_ENERGY_J,
                idle_w=0.0,
            ),
            watermark_blocks_count=0,
            max_batch_tokens=2_048,
            reuses_blocks=reuses,
            **SETTINGS[accelerator],
        )
        runs[name] = _errors(spec, recorded)
    return {"runs": runs, "off_nodes": _off_nodes(profile)}


def _errors(spec: ReplicaSpec, recorded: pl.DataFrame) -> dict[str, Any]:
    """Return the error of each mean: ours / recorded - 1."""
    queued_s, first_s, last_s = (
        recorded[name].to_numpy() for name in ("queued_s", "first_token_s", "last_token_s")
    )
    output = recorded["output_tokens"].to_numpy()
    runs = simulate_replicas(
        spec,
        ReplicaRequests(
            arrival_s=queued_s,
            input_tokens=recorded["input_tokens"].to_numpy(),
            output_tokens=output,
            cached_tokens=np.zeros(len(output), dtype=np.int64),
            offsets=np.array([0, len(output)]),
        ),
    )
    many = output > 1
    tpot_s = ((last_s - first_s) / np.maximum(1, output - 1))[many]
    return {
        "ttft": float(runs.ttft_s.mean() / (first_s - queued_s).mean() - 1),
        "tpot": float(runs.tpot_s[many].mean() / tpot_s.mean() - 1),
        "e2e": float(runs.e2e_s.mean() / (last_s - queued_s).mean() - 1),
        "makespan": float(runs.last_token_s.max() / last_s.max() - 1),
        "evictions": int(runs.restarts_count.sum()),
        "iterations": int(runs.iterations_count[0]),
        "beyond_table": int(runs.beyond_table_count[0]),
        "engine": runs.engine[0],
    }


def _off_nodes(profile: OperatorProfile) -> dict[str, Any]:
    """Hold the lines between nodes against measured batches that lie off them."""
    times, nodes = profile.attention, profile.nodes
    # equal contexts, one token a bucket, attention alone: what one row of the profile measured
    law = joint_law(_of_equal_contexts(profile), bucket_tokens=1)
    law = law._replace(
        dense_s=np.zeros_like(law.dense_s), sequences_s=np.zeros_like(law.sequences_s)
    )
    on = (
        np.isin(times.chunk_tokens, np.append(nodes.chunk_tokens, 0))
        & np.isin(times.context_tokens, nodes.context_tokens)
        & np.isin(times.decode_context_tokens, np.append(nodes.decode_context_tokens, 0))
    )
    errors = []
    for row in np.flatnonzero(~on):
        chunk, before, decodes, held = (
            int(column[row])
            for column in (
                times.chunk_tokens, times.context_tokens, times.decodes_count,
                times.decode_context_tokens,
            )
        )  # fmt: skip
        ours_s, _ = iteration_s(
            law, decodes, decodes * held, int(chunk > 0), chunk, chunk * chunk, before, before,
            chunk * (before + 0.5 * chunk),
        )  # fmt: skip
        errors.append(ours_s / (profile.layers_count * times.attention_s[row]) - 1)
    if not errors:
        return {"rows": 0, "signed": 0.0, "absolute": 0.0}
    return {
        "rows": len(errors),
        "signed": float(np.mean(errors)),
        "absolute": float(np.mean(np.abs(errors))),
    }


def _of_equal_contexts(profile: OperatorProfile) -> OperatorProfile:
    return OperatorProfile(
        layers_count=profile.layers_count,
        dense_tokens=profile.dense_tokens,
        dense_s=profile.dense_s,
        sequences_count=profile.sequences_count,
        sequences_s=profile.sequences_s,
        attention=profile.attention,
        nodes=profile.nodes,
        lone_skew_share=0.0,
        mixed_skew_share=0.0,
    )


def _kv_formula() -> dict[str, float]:
    memory = ReplicaMemory(
        memory_gb=25.250627584,
        gpus_count=1,
        weights_gb=8.03 * 2,
        cache_bytes_per_token=131_072,
        usable_share=0.9,
    )
    blocks = memory.blocks_at(0.0)
    return {"tokens": blocks * 16, "kept_gb": (blocks - RECORDED_BLOCKS) * 16 * 131_072 / 1e9}


if __name__ == "__main__":
    print("\n".join(tell(figures())))
