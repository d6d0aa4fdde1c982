"""Two recorded runs of vLLM 0.19 against the simulator: one law a card, nothing fitted to a run.

Llama-3.1-8B in BF16, 300 requests at 10 a second with pinned output lengths. The RTX 4090 has
2,588 blocks of cache, of which vLLM never hands out one, and evicts about 190 times; on the RTX
PRO 6000 only the limit of 128 sequences binds. What is left of an evicted request's blocks is
found again (prefix caching was on).
"""

import numpy as np
import polars as pl
import pytest

from tokenergy.files.operator_profile import ProfileFiles, read_operator_profile
from tokenergy.simulate.joint_law import joint_law
from tokenergy.simulate.replica import ReplicaRequests, ReplicaRuns, ReplicaSpec, StepEnergy
from tokenergy.simulate.replicas import simulate_replicas

GOAL_SHARE = 0.05
"""Of the mean time to first token, time per output token and end-to-end time (issue 6)."""

CARDS = {
    "rtx4090": {"kv_blocks_count": 2_587, "max_batch_count": 256},
    "rtxpro6000": {"kv_blocks_count": 100_000, "max_batch_count": 128},
}


@pytest.fixture(scope="module")
def serving(shared_data):
    folder = shared_data / "serving"
    if not folder.exists():
        pytest.skip("the recorded runs are not in the shared data")
    return folder


@pytest.fixture(scope="module")
def laws(serving):
    files = ProfileFiles(
        attention=serving / "llama31_8b_tp1_attention.csv.gz",
        dense=serving / "llama31_8b_tp1_dense.csv.gz",
        per_sequence=serving / "llama31_8b_tp1_per_sequence.csv",
    )
    return {
        card: joint_law(read_operator_profile(files, accelerator=card, layers_count=32))
        for card in CARDS
    }


def recorded_run(serving, card: str) -> pl.DataFrame:
    return pl.read_csv(serving / f"vllm019_{card}_llama31_8b_requests.csv").sort("queued_s")


def replayed(recorded: pl.DataFrame, card: str, law, *, reuses: bool) -> ReplicaRuns:
    spec = ReplicaSpec(
        law=law,
        energy=StepEnergy(
            base_j=np.zeros(CARDS[card]["max_batch_count"] + 1),
            decode_j=0.0,
            prefill_j=0.0,
            idle_w=0.0,
        ),
        watermark_blocks_count=0,
        max_batch_tokens=2_048,
        reuses_blocks=reuses,
        **CARDS[card],
    )
    count = len(recorded)
    requests = ReplicaRequests(
        arrival_s=recorded["queued_s"].to_numpy(),
        input_tokens=recorded["input_tokens"].to_numpy(),
        output_tokens=recorded["output_tokens"].to_numpy(),
        cached_tokens=np.zeros(count, dtype=np.int64),
        offsets=np.array([0, count]),
    )
    return simulate_replicas(spec, requests)


def mean_errors(recorded: pl.DataFrame, runs: ReplicaRuns) -> dict[str, float]:
    """Ours over recorded less 1, of each mean; requests of one token have no TPOT."""
    queued, first, last, output = (
        recorded[name].to_numpy()
        for name in ("queued_s", "first_token_s", "last_token_s", "output_tokens")
    )
    many = output > 1
    ours_first, ours_last = runs.first_token_s, runs.last_token_s
    means = {
        "ttft": (ours_first - queued, first - queued),
        "tpot": (
            (ours_last - ours_first)[many] / (output - 1)[many],
            (last - first)[many] / (output - 1)[many],
        ),
        "e2e": (ours_last - queued, last - queued),
    }
    return {name: ours.mean() / theirs.mean() - 1 for name, (ours, theirs) in means.items()}


@pytest.mark.parametrize("card", CARDS)
def test_means_are_within_five_per_cent(serving, laws, card) -> None:
    recorded = recorded_run(serving, card)
    runs = replayed(recorded, card, laws[card], reuses=True)
    errors = mean_errors(recorded, runs)
    assert all(abs(error) <= GOAL_SHARE for error in errors.values()), errors
    assert runs.beyond_table_count[0] == 0


def test_finding_blocks_again_is_what_the_4090_needs(serving, laws) -> None:
    """Blocks lost at eviction cost prompts that vLLM did not compute: slower in all three means."""
    recorded = recorded_run(serving, "rtx4090")
    found, lost = (
        replayed(recorded, "rtx4090", laws["rtx4090"], reuses=reuses) for reuses in (True, False)
    )
    assert found.restarts_count.sum() > 100
    assert found.computed_tokens.sum() < lost.computed_tokens.sum()
    kept, gone = mean_errors(recorded, found), mean_errors(recorded, lost)
    assert all(kept[name] < gone[name] for name in kept)


def test_nobody_is_evicted_where_cache_is_never_short(serving, laws) -> None:
    recorded = recorded_run(serving, "rtxpro6000")
    runs = replayed(recorded, "rtxpro6000", laws["rtxpro6000"], reuses=False)
    assert runs.restarts_count.sum() == 0
    assert runs.kv_high_blocks_count[0] < 12_000
