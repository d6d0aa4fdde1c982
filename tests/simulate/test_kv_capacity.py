"""Blocks of cache: the formula by hand, and what is refused."""

from dataclasses import replace

import pytest

from tokenergy.errors import FindingsError
from tokenergy.simulate.kv_capacity import ReplicaMemory, computed_capacity, given_capacity

ROUND = ReplicaMemory(
    memory_gb=80.0,
    gpus_count=2,
    weights_gb=100.0,
    cache_bytes_per_token=250_000.0,
    usable_share=0.9,
    block_tokens=16,
)
"""144 GB usable, 44 GB beside the weights, 4 MB a block: 11,000 blocks."""

RTX_4090 = ReplicaMemory(
    memory_gb=25.250627584,
    gpus_count=1,
    weights_gb=8.03 * 2,
    cache_bytes_per_token=131_072.0,
)


def codes(told: pytest.ExceptionInfo[FindingsError]) -> list[str]:
    return [finding.code for finding in told.value.findings]


def test_the_formula_by_hand() -> None:
    """(44 - 4) GB / 4 MB = 10,000 blocks; 1 kB more of reserve leaves 9,999."""
    capacity = computed_capacity(ROUND, reserve_gb=4.0, reason="a guess of ours")
    assert (capacity.blocks_count, capacity.tokens_count) == (10_000, 160_000)
    assert capacity.tier == "modelled"
    assert "4 GB (a guess of ours)" in capacity.source
    less = computed_capacity(ROUND, reserve_gb=4.000001, reason="a guess of ours")
    assert less.blocks_count == 9_999


def test_the_recorded_rtx_4090() -> None:
    """Reserve 0: 50.8 thousand tokens; 41,408 were recorded, so 1.24 GB were kept."""
    at_zero = computed_capacity(RTX_4090, reserve_gb=0.0, reason="to compare")
    assert at_zero.tokens_count == pytest.approx(50_848, abs=16)
    kept = computed_capacity(RTX_4090, reserve_gb=1.238, reason="recorded")
    assert kept.blocks_count == pytest.approx(2_588, abs=1)


def test_a_given_figure_keeps_its_source_and_is_checked() -> None:
    fine = given_capacity(ROUND, 12_100, source="engine log")
    assert (fine.blocks_count, fine.tier, fine.source) == (12_100, "given", "engine log")
    assert fine.warnings == ()
    odd = given_capacity(ROUND, 12_101, source="engine log")
    assert [finding.code for finding in odd.warnings] == ["KV_ABOVE_MEMORY"]
    assert (odd.warnings[0].value, odd.warnings[0].limit) == ("12101", "11000")
    assert odd.blocks_count == 12_101


def test_weights_larger_than_memory_are_refused() -> None:
    for make in (
        lambda memory: computed_capacity(memory, reserve_gb=0.0, reason="none"),
        lambda memory: given_capacity(memory, 100, source="engine log"),
    ):
        with pytest.raises(FindingsError) as told:
            make(replace(ROUND, gpus_count=1))
        assert codes(told) == ["WEIGHTS_EXCEED_MEMORY"]
        assert told.value.findings[0].limit == "72.00"


def test_a_reserve_must_be_stated() -> None:
    for reserve_gb, reason in ((-1.0, "why"), (float("nan"), "why"), (1.0, "")):
        with pytest.raises(FindingsError) as told:
            computed_capacity(ROUND, reserve_gb=reserve_gb, reason=reason)
        assert codes(told) == ["KV_RESERVE"]


def test_no_room_for_a_block_is_refused() -> None:
    with pytest.raises(FindingsError) as told:
        computed_capacity(ROUND, reserve_gb=43.999, reason="all of it")
    assert codes(told) == ["KV_BLOCKS"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    memory = replace(ROUND, memory_gb=float("nan"), block_tokens=0, usable_share=1.5)
    with pytest.raises(FindingsError) as told:
        given_capacity(memory, 0, source="")
    assert codes(told) == ["KV_SIZE", "KV_SIZE", "KV_SIZE", "KV_BLOCKS", "KV_SOURCE"]


def test_a_model_of_the_catalogue_counts_sliding_layers_whole() -> None:
    from tokenergy.files.catalogue import load_catalogue

    model = load_catalogue().language_model("llama-3.1-8b")
    memory = ReplicaMemory.of_model(model, memory_gb=25.250627584, gpus_count=1)
    assert memory.cache_bytes_per_token == 131_072
    assert memory.weights_gb == pytest.approx(16.06)


def test_a_cache_with_fewer_heads_than_gpus_is_kept_more_than_once() -> None:
    """Qwen3-30B-A3B has 4 heads of 98,304 bytes in all: on 8 GPUs each is there twice."""
    from tokenergy.files.catalogue import load_catalogue

    model = load_catalogue().language_model("qwen3-30b-a3b")
    bytes_by_gpus = [
        ReplicaMemory.of_model(model, memory_gb=80.0, gpus_count=count).cache_bytes_per_token
        for count in (1, 4, 8)
    ]
    assert bytes_by_gpus == [98_304, 98_304, 196_608]
