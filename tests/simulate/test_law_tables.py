"""Laws from tables and from data sheets: what is refused, and figures by hand."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tokenergy.company.accelerator import Accelerator
from tokenergy.company.model import LanguageModel
from tokenergy.errors import FindingsError
from tokenergy.simulate.joint_law import (
    AttentionNodes,
    AttentionTimes,
    OperatorProfile,
    joint_law,
)
from tokenergy.simulate.law import iteration_s
from tokenergy.simulate.law_tables import additive_law, beyond_findings
from tokenergy.simulate.roofline_law import RooflineFit, modelled_law, roofline_law

FIT = RooflineFit(
    arithmetic_share=0.5, bandwidth_share=0.8, layer_s=1e-5, source="chosen for round numbers"
)
SKU = Accelerator(
    accelerator="round",
    tdp_w=500.0,
    idle_w=50.0,
    memory_gb=100.0,
    bandwidth_gb_per_s=1_000.0,
    bf16_tflop_per_s=200.0,
    fp8_tflop_per_s=400.0,
    price_usd=None,
    source="invented",
    source_kind="datasheet",
    retrieved_on=date(2026, 1, 1),
    verified=True,
)
DENSE = LanguageModel(
    model_id="dense",
    hub_id="invented/dense",
    total_b=10.0,
    active_b=10.0,
    layers=20,
    hidden=4_000,
    kv_full_bytes_per_token=100_000.0,
    kv_slide_bytes_per_token=0.0,
    window_tokens=0,
    experts=0,
    topk=0,
    bytes_per_weight=2.0,
    architecture="dense",
    family="invented",
    family_measured=False,
    source="invented",
    source_kind="config",
    retrieved_on=date(2026, 1, 1),
    verified=True,
)
MOE = replace(DENSE, model_id="moe", total_b=42.0, active_b=10.0, experts=20, topk=4)


def codes(told: pytest.ExceptionInfo[FindingsError]) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in told.value.findings]


def test_all_unusable_cells_are_told_at_once() -> None:
    linear, save = np.full(17, 1e-4), np.full(17, 1e-6)
    linear[8], save[3] = math.nan, -1e-6
    decode, prefill = np.full((3, 3), 1e-5), np.full((3, 3), 1e-5)
    decode[2, 1] = math.inf
    with pytest.raises(FindingsError) as told:
        additive_law(
            layers_count=0,
            linear_s=linear,
            cache_save_s=save,
            decode_s=decode,
            prefill_s=prefill,
            prefills_extra_share=-0.1,
        )
    assert codes(told) == [
        ("LAW_SIZE", "layers_count"),
        ("LAW_SHARE", "prefills_extra_share"),
        ("LAW_CELL_UNUSABLE", "linear_s[1]"),
        ("LAW_CELL_UNUSABLE", "cache_save_s[3]"),
        ("LAW_CELL_UNUSABLE", "decode_s[2, 1]"),
    ]


def test_a_cell_that_is_never_read_may_be_missing() -> None:
    """Operators were measured at multiples of 8: what stands between is nobody's."""
    linear = np.full(17, math.nan)
    linear[::8] = 1e-4
    law = additive_law(
        layers_count=1,
        linear_s=linear,
        cache_save_s=np.zeros(17),
        decode_s=np.zeros((2, 2)),
        prefill_s=np.zeros((2, 2)),
    )
    assert np.array_equal(law.dense_s, np.full(17, 1e-4))


def small_profile(attention_s: dict[tuple[int, int, int, int], float]) -> OperatorProfile:
    columns = np.array(list(attention_s)).T
    return OperatorProfile(
        layers_count=1,
        dense_tokens=np.array([1, 20]),
        dense_s=np.array([1e-3, 2e-3]),
        sequences_count=np.array([1, 4]),
        sequences_s=np.array([1e-4, 1e-4]),
        attention=AttentionTimes(
            chunk_tokens=columns[0],
            context_tokens=columns[1],
            decodes_count=columns[2],
            decode_context_tokens=columns[3],
            attention_s=np.array(list(attention_s.values())),
        ),
        nodes=AttentionNodes(
            chunk_tokens=np.array([8, 16]),
            context_tokens=np.array([0, 8]),
            decodes_count=np.array([1]),
            decode_context_tokens=np.array([8, 16]),
            lone_decodes_count=np.array([1, 2]),
        ),
    )


WHOLE = {(0, 0, d, x): 1e-5 for d in (1, 2) for x in (8, 16)}
WHOLE |= {(c, k, 0, 0): 1e-5 for c in (8, 16) for k in (0, 8)}
WHOLE |= {(c, k, 1, x): 1e-5 for c in (8, 16) for k in (0, 8) for x in (8, 16)}


def test_a_cell_that_was_not_measured_is_a_finding() -> None:
    joint_law(small_profile(WHOLE), bucket_tokens=4)
    holes = {
        key: value for key, value in WHOLE.items() if key not in ((0, 0, 2, 16), (16, 8, 1, 8))
    }
    with pytest.raises(FindingsError) as told:
        joint_law(small_profile(holes), bucket_tokens=4)
    assert codes(told) == [
        ("LAW_CELL_UNUSABLE", "lone_decodes_s[1, 1]"),
        ("LAW_CELL_UNUSABLE", "mixed_s[1, 1, 1, 0]"),
    ]


def test_a_row_off_the_nodes_changes_nothing() -> None:
    plain = joint_law(small_profile(WHOLE), bucket_tokens=4)
    more = joint_law(
        small_profile(WHOLE | {(12, 0, 1, 8): 9.0, (0, 0, 2, 12): 9.0}), bucket_tokens=4
    )
    assert np.array_equal(plain.mixed_s, more.mixed_s)
    assert np.array_equal(plain.decode_s, more.decode_s)


def test_axes_that_do_not_rise_are_findings() -> None:
    profile = small_profile(WHOLE)
    nodes = replace(
        profile.nodes, context_tokens=np.array([8, 8]), lone_decodes_count=np.array([2, 4])
    )
    with pytest.raises(FindingsError) as told:
        joint_law(replace(profile, nodes=nodes, dense_s=np.array([1e-3])), bucket_tokens=4)
    assert codes(told) == [
        ("LAW_AXIS", "context_tokens"),
        ("LAW_AXIS", "context_tokens"),
        ("LAW_AXIS", "lone_decodes_count"),
        ("LAW_AXIS", "dense_s"),
    ]


def test_unlike_contexts_cost_their_share() -> None:
    """From two decodes on: 5 % of 10 us alone, nothing for one."""
    profile = replace(small_profile(WHOLE), lone_skew_share=0.05)
    law = joint_law(profile, bucket_tokens=4)
    assert law.decode_s[1] == pytest.approx(np.full(5, 1e-5))
    assert law.decode_s[2] == pytest.approx(np.full(5, 1.05e-5))


@pytest.mark.parametrize(("beyond", "found"), [(0, 0), (1, 0), (2, 1), (1_000, 1)])
def test_more_than_a_thousandth_beyond_the_table_is_a_finding(beyond, found) -> None:
    findings = beyond_findings(beyond, 1_000)
    assert len(findings) == found
    assert all(finding.severity == "warning" for finding in findings)


def test_roofline_of_decodes_by_hand() -> None:
    """32 decodes of 993 to 1,056 tokens (bucket 16 or 17 of 64), one GPU, a dense model.

    Arithmetic 2 x 10e9 x 32 / (200e12 x .5) = 6.4 ms; weights 20 GB / 800 GB/s = 25 ms: memory.
    Cache: 1,000 is in bucket 16 (961 to 1,024, middle 992.5): 32 x 992.5 x 1e5 B = 3.176 GB,
    3.97 ms. Layers 20 x 10 us = 0.2 ms. Together 29.17 ms.
    """
    law = roofline_law(DENSE, SKU, gpus_count=1, fit=FIT)
    assert iteration_s(law, 32, 32_000, 0, 0, 0, 0, 0, 0.0)[0] == pytest.approx(29.17e-3)
    two = roofline_law(DENSE, SKU, gpus_count=2, fit=FIT)
    assert iteration_s(two, 32, 32_000, 0, 0, 0, 0, 0, 0.0)[0] == pytest.approx(14.685e-3)


def test_roofline_of_a_prompt_by_hand() -> None:
    """2,000 tokens after 1,000: 2 x 10e9 x 2,000 / 100e12 = 400 ms; weights 25 ms hide in it.

    Pairs 2,000 x (1,000 + 1,000) = 4e6: 4 x 4,000 x 20 x 4e6 = 1.28e12 FLOP, 12.8 ms. Cache
    1,000 x 1e5 B = 0.1 GB, 0.125 ms. Layers 0.2 ms. Together 413.125 ms.
    """
    law = roofline_law(DENSE, SKU, gpus_count=1, fit=FIT)
    ours_s, _ = iteration_s(law, 0, 0, 1, 2_000, 4_000_000, 1_000, 16, 4e6)
    assert ours_s == pytest.approx(413.125e-3)


def test_roofline_reads_the_experts_that_a_batch_touches() -> None:
    """20 experts of (42 - 10) / (20 - 4) = 2e9 parameters, 4 a token; shared 10 - 8 = 2e9.

    One token: shared 4 GB + 4 experts 16 GB = 20 GB, 25 ms. Two tokens touch
    20 (1 - .8^2) = 7.2 experts, 28.8 + 4 = 32.8 GB, 41 ms. 1,000 touch all: 84 GB, 105 ms, but
    their arithmetic takes 2 x 10e9 x 1,000 / 100e12 = 200 ms. Cache left out: 0 bytes.
    """
    model = replace(MOE, kv_full_bytes_per_token=0.0)
    law = roofline_law(model, SKU, gpus_count=1, fit=replace(FIT, layer_s=0.0))
    for decodes, expected_s in ((1, 0.025), (2, 0.041), (1_000, 0.2)):
        ours_s, _ = iteration_s(law, decodes, 100 * decodes, 0, 0, 0, 0, 0, 0.0)
        assert ours_s == pytest.approx(expected_s)


def test_roofline_of_sliding_layers_stops_at_the_window() -> None:
    """Half the cache slides over 512 tokens: 4,128.5 full and 512 sliding tokens at 50 kB each.

    4,100 lies in bucket 65 (4,097 to 4,160, middle 4,128.5): (4,128.5 + 512) x 5e4 / 800e9 s.
    """
    model = replace(
        DENSE,
        kv_full_bytes_per_token=5e4,
        kv_slide_bytes_per_token=5e4,
        window_tokens=512,
    )
    law = roofline_law(model, SKU, gpus_count=1, fit=replace(FIT, layer_s=0.0))
    ours_s, _ = iteration_s(law, 1, 4_100, 0, 0, 0, 0, 0, 0.0)
    assert ours_s - 0.025 == pytest.approx((4_128.5 + 512) * 5e4 / 800e9)


def test_fp8_weights_use_the_fp8_rate_and_half_the_bytes() -> None:
    wide = roofline_law(DENSE, SKU, gpus_count=1, fit=FIT)
    narrow = roofline_law(DENSE.at_precision(1.0), SKU, gpus_count=1, fit=FIT)
    assert narrow.token_s == pytest.approx(wide.token_s / 2)
    assert narrow.weights_s == pytest.approx(wide.weights_s / 2)
    assert narrow.pair_s == wide.pair_s


def test_a_roofline_is_labelled_modelled() -> None:
    keyed = modelled_law(
        DENSE, SKU, gpus_count=2, precision="bf16", engine="vllm", version="0.19.0"
    )
    assert keyed.tier == "modelled"
    assert "llama-3.1-8b" in keyed.source.lower()
    assert keyed.law_for(keyed.key) is keyed.law


def test_a_roofline_needs_possible_shares() -> None:
    fit = RooflineFit(arithmetic_share=0.0, bandwidth_share=1.2, layer_s=-1.0, source="")
    with pytest.raises(FindingsError) as told:
        roofline_law(DENSE, SKU, gpus_count=0, fit=fit)
    assert codes(told) == [
        ("LAW_SIZE", "gpus_count"),
        ("ROOFLINE_SHARE", "arithmetic_share"),
        ("ROOFLINE_SHARE", "bandwidth_share"),
        ("ROOFLINE_LAYER", "layer_s"),
    ]
