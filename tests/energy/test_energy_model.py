"""The energy model: what a request costs, what it is made of, and how measured points move it."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.company.curve_point import CurvePoint
from tokenergy.company.stack import Stack
from tokenergy.energy.energy_model import EnergyModel
from tokenergy.energy.explain import ATTENTION_J_PER_TFLOP, CLIP_SHARE
from tokenergy.energy.facility import FacilityTerms, HostByShare
from tokenergy.energy.predict import (
    coefficients_for,
    language_band,
    language_curve,
    language_terms,
    prefill_j_per_token,
    routed_share,
)
from tokenergy.energy.query import EnergyQuery, MediaQuery
from tokenergy.errors import (
    DoesNotFit,
    FindingsError,
    UnknownAccelerator,
    UnknownModel,
)
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
MODEL = EnergyModel(catalogue=CATALOGUE)
H100 = coefficients_for(CATALOGUE, "H100")
LLAMA = CATALOGUE.language_model("llama-3.1-8b")
MIX = {"output_tokens": 641, "input_tokens": 250}
BARE = FacilityTerms(host=HostByShare(host_share=0.0), idle_share=0.0, pue_ratio=1.0)

names = st.sampled_from(
    ["llama-3.1-8b", "qwen3-30b-a3b", "gpt-oss-20b", "nemotron-nano-9b-v2", "qwen3-14b"]
)
batches = st.floats(1.0, 5000.0)


def query(**changed: Any) -> EnergyQuery:
    """Return a chat request to Llama 3.1 8B on one H100, with changes."""
    plain: dict[str, Any] = {
        "model": "llama-3.1-8b", "accelerator": "H100", "batch_count": 64.0, **MIX,
    }  # fmt: skip
    return EnergyQuery(**plain | changed)


def point(**changed: Any) -> CurvePoint:
    """Return a measured point of the same replica, with changes."""
    plain: dict[str, Any] = {
        "model": "llama-3.1-8b", "accelerator": "H100", "gpus_count": 1, "batch_count": 64.0,
        "j_per_token": 0.1, "stack": "vllm 0.11.1", **MIX,
    }  # fmt: skip
    return CurvePoint(**plain | changed)


# ---- the sum -----------------------------------------------------------------------------


def test_the_mix_of_the_data_costs_what_the_curve_says() -> None:
    """Its prefill is in the curve: 641 tokens at e(64), and nothing on top."""
    curve = language_curve(LLAMA, H100, gpus_count=1, context_tokens_count=570.5)
    gpu_j = MODEL.predict(query()).gpu_j
    assert gpu_j == pytest.approx(641 * curve.average_j_per_token(64.0))
    assert MODEL.predict(query(input_tokens=None)).gpu_j == pytest.approx(gpu_j)


def test_a_longer_input_pays_for_its_prefill_by_hand() -> None:
    """4,250 tokens in, of them 1,000 cached, decode in a longer context.

    Beyond the mix: e_in (3,250 - 250) and, at 2.26 J/TFLOP, the attention of
    2 layers hidden (4250^2 - 1000^2 - 250^2) operations.
    """
    curve = language_curve(LLAMA, H100, gpus_count=1, context_tokens_count=4250 + 320.5)
    squares = 4250**2 - 1000**2 - 250**2
    attention_tflop = 2 * LLAMA.layers * LLAMA.hidden * squares / 1e12
    wanted_j = 641 * curve.average_j_per_token(64.0)
    wanted_j += 3000 * prefill_j_per_token(LLAMA, H100) + ATTENTION_J_PER_TFLOP * attention_tflop
    long = query(input_tokens=4250, cached_input_tokens=1000)
    assert MODEL.predict(long).gpu_j == pytest.approx(wanted_j)


@given(
    name=names,
    batch=batches,
    gpus=st.sampled_from([1, 2, 4, 8]),
    out=st.integers(1, 3000),
    into=st.integers(0, 20_000) | st.none(),
    cached=st.floats(0.0, 1.0),
    sku=st.sampled_from(["H100", "B200", "MI300X"]),
    boundary=st.sampled_from(["gpu", "it", "facility"]),
    stack=st.sampled_from([None, "vllm 0.11.1", "vllm 0.5.4", "somebody's 1"]),
)
def test_the_rows_sum_to_the_prediction(
    name: str, batch: float, gpus: int, out: int, into: int | None, cached: float, sku: str,
    boundary: Any, stack: str | None,
) -> None:  # fmt: skip
    asked = EnergyQuery(
        model=name, accelerator=sku, gpus_count=gpus, batch_count=batch, output_tokens=out,
        input_tokens=into, cached_input_tokens=int(cached * (into or 0)), stack=stack,
        boundary=boundary,
    )  # fmt: skip
    estimate, rows = MODEL.predict(asked), MODEL.explain(asked)
    assert math.fsum(row.energy_j for row in rows) == pytest.approx(estimate.total_j, rel=1e-9)
    for part in ("gpu", "host", "idle", "overhead"):
        own_j = math.fsum(row.energy_j for row in rows if row.part == part)
        assert own_j == pytest.approx(getattr(estimate, f"{part}_j"), rel=1e-9)
    assert 0.0 < estimate.low_j < estimate.total_j < estimate.high_j


@given(name=names, batch=batches, gpus=st.integers(1, 8), context=st.floats(0.0, 50_000.0))
def test_the_terms_are_the_curve(name: str, batch: float, gpus: int, context: float) -> None:
    facts = CATALOGUE.language_model(name)
    curve = language_curve(facts, H100, gpus_count=gpus, context_tokens_count=context)
    terms = language_terms(facts, H100, gpus_count=gpus, context_tokens_count=context)
    summed_j = sum(
        term.average_j_per_token(batch, routed_share=routed_share(facts)) for term in terms
    )
    assert summed_j == pytest.approx(curve.average_j_per_token(batch), rel=1e-12)


@given(batch=st.floats(8.0, 2000.0), out=st.integers(1, 2000), into=st.integers(0, 8000))
def test_a_wider_boundary_costs_no_less(batch: float, out: int, into: int) -> None:
    gpu, it, facility = (
        MODEL.predict(
            query(batch_count=batch, output_tokens=out, input_tokens=into, boundary=boundary)
        )
        for boundary in ("gpu", "it", "facility")
    )
    assert gpu.total_j < it.total_j < facility.total_j
    assert gpu.gpu_j == it.gpu_j == facility.gpu_j


@given(batch=st.floats(1.0, 2000.0), into=st.integers(0, 20_000), cached=st.integers(0, 20_000))
def test_a_cache_never_costs_prefill(batch: float, into: int, cached: int) -> None:
    held = min(cached, into)
    cold = MODEL.predict(query(batch_count=batch, input_tokens=into))
    warm = MODEL.predict(query(batch_count=batch, input_tokens=into, cached_input_tokens=held))
    assert warm.gpu_j <= cold.gpu_j


def test_what_the_mix_takes_away_is_clipped_and_told() -> None:
    """Nothing to read, and a curve that is nothing but prefill: a few per cent of it are left."""
    free = replace(
        H100,
        language=replace(
            H100.language, c_layer_j=0.0, c_w_j_per_gb=0.0, c_f_j_per_tflop=0.01, c_kv_j_per_gb=0.0
        ),
    )
    asked = query(input_tokens=0, batch_count=4000.0)
    made = EnergyModel(catalogue=CATALOGUE, coefficients=(free,))
    estimate = made.predict(asked)
    decode_j = sum(row.energy_j for row in made.explain(asked)[:8] if row.name != "prefill")
    assert estimate.gpu_j == pytest.approx(CLIP_SHARE * decode_j, rel=1e-6)
    assert any(told.startswith("clipped") for told in estimate.warnings)
    assert not any(told.startswith("clipped") for told in MODEL.predict(query()).warnings)


# ---- tiers, bands, stacks ----------------------------------------------------------------


def test_the_band_is_that_of_the_models_kind() -> None:
    estimate = MODEL.predict(query())
    low, high = language_band(LLAMA, fitted=True)
    assert estimate.low_j == pytest.approx(low * estimate.total_j)
    assert estimate.high_j == pytest.approx(high * estimate.total_j)
    assert (estimate.tier, estimate.boundary) == ("modelled", "facility")
    assert estimate.stack == "vllm 0.11.1"
    assert "stack vllm 0.11.1 (reference)" in estimate.assumed
    assert estimate.warnings == ()


def test_a_stack_scales_everything_of_the_mix_bands_too() -> None:
    twice = Stack(
        engine="old", version="1", accelerator="", scalar_ratio=2.0, low_ratio=1.0,
        high_ratio=1.0, points_count=9, data_version="test", source="by hand",
        source_kind="measured", retrieved_on=CATALOGUE.stacks[0].retrieved_on, verified=True,
    )  # fmt: skip
    made = EnergyModel(catalogue=replace(CATALOGUE, stacks=(*CATALOGUE.stacks, twice)))
    plain, scaled = made.predict(query()), made.predict(query(stack="old 1"))
    for part in ("gpu_j", "host_j", "idle_j", "overhead_j", "low_j", "high_j"):
        assert getattr(scaled, part) == pytest.approx(2.0 * getattr(plain, part))
    assert scaled.stack_known


def test_a_stack_that_nobody_knows_has_a_wide_band() -> None:
    estimate = MODEL.predict(query(stack="somebody's 9"))
    assert not estimate.stack_known
    assert estimate.low_j <= 0.5 * estimate.total_j
    assert estimate.high_j >= 2.0 * estimate.total_j
    assert any("somebody's 9" in told for told in estimate.warnings)


def test_an_accelerator_that_nobody_measured_has_a_wide_band() -> None:
    estimate = MODEL.predict(query(accelerator="MI300X"))
    assert estimate.low_j <= 0.5 * estimate.total_j
    assert any("no measurements on MI300X" in told for told in estimate.warnings)


def test_a_request_of_prefill_is_less_sure() -> None:
    estimate = MODEL.predict(query(output_tokens=1, input_tokens=10_000))
    low, high = language_band(LLAMA, fitted=True)
    assert estimate.low_j == pytest.approx(low / 1.3 * estimate.total_j)
    assert estimate.high_j == pytest.approx(high * 1.3 * estimate.total_j)
    assert any("prefill" in told for told in estimate.warnings)
    assert any("10,000 tokens" in told for told in estimate.warnings)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"batch_count": 4.0}, "below 7.45"),
        ({"batch_count": 5000.0}, "above 4,095"),
        ({"batch_count": 2000.0}, "does not fit in memory"),
        ({"gpus_count": 16}, "16 GPUs are more than 8"),
        ({"accelerator": "A100-80GB", "model": "llama-3.1-405b-fp8", "gpus_count": 8,
          "batch_count": 8.0}, "no FP8 arithmetic"),
        ({"facility": FacilityTerms(pue_ratio=400.0), "batch_count": 8.0}, "not plausible"),
    ],
)  # fmt: skip
def test_what_was_never_measured_is_a_value_and_a_warning(
    changed: dict[str, Any], told: str
) -> None:
    estimate = MODEL.predict(query(**changed))
    assert estimate.total_j > 0.0
    assert [warning for warning in estimate.warnings if told in warning]


# ---- bad input ---------------------------------------------------------------------------


def test_unknown_names_get_the_nearest_ones() -> None:
    with pytest.raises(UnknownModel, match=r"llama-3\.1-8b"):
        MODEL.predict(query(model="lama-3.1-8b"))
    with pytest.raises(UnknownAccelerator, match="H100"):
        MODEL.predict(query(accelerator="H-100"))
    with pytest.raises(UnknownModel, match="not tokens"):
        MODEL.predict(query(model="wan2.1-14b"))


def test_what_does_not_fit_is_no_estimate() -> None:
    with pytest.raises(DoesNotFit, match=r"GB .*GB usable on 4 x H100"):
        MODEL.predict(query(model="llama-3.1-405b", gpus_count=4))


# ---- calibration -------------------------------------------------------------------------


@given(batch=st.floats(8.0, 4000.0), others=st.lists(st.floats(8.0, 4000.0), max_size=4))
def test_points_that_agree_with_the_prediction_change_nothing(
    batch: float, others: list[float]
) -> None:
    exact = [
        replace(found, j_per_token=MODEL.point_j(found))
        for found in (point(batch_count=one) for one in (batch, *others))
    ]
    before = MODEL.predict(query(batch_count=100.0))
    after = MODEL.calibrate(exact).predict(query(batch_count=100.0))
    assert after.gpu_j == pytest.approx(before.gpu_j, rel=1e-9)
    assert after.tier == "calibrated"
    assert after.calibration_points_count == len({batch, *others})


def test_a_calibrated_model_gives_back_its_points() -> None:
    measured = {16.0: 0.31, 64.0: 0.12, 256.0: 0.07}
    made = MODEL.calibrate(point(batch_count=batch, j_per_token=j) for batch, j in measured.items())
    for batch, wanted_j in measured.items():
        estimate = made.predict(query(batch_count=batch, facility=BARE))
        assert estimate.total_j / 641 == pytest.approx(wanted_j)
        assert estimate.low_j == pytest.approx(0.85 * estimate.total_j)
        assert estimate.high_j == pytest.approx(1.16 * estimate.total_j)
    rows = made.explain(query(batch_count=100.0))
    total_j = made.predict(query(batch_count=100.0)).total_j
    assert math.fsum(row.energy_j for row in rows) == pytest.approx(total_j, rel=1e-9)
    assert next(row for row in rows if row.name == "calibration").energy_j != 0.0


@pytest.mark.parametrize("lengths", [(2000, 250), (300, 5808), (8000, 1000)])
@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("stack", ["vllm 0.11.1", "vllm 0.5.4"])
def test_a_point_of_any_lengths_comes_out_as_it_went_in(
    lengths: tuple[int, int], factor: float, stack: str
) -> None:
    """What was measured holds its own prefill: it is neither taken off nor left unscaled."""
    asked = {"input_tokens": lengths[0], "output_tokens": lengths[1], "stack": stack}
    plain = point(**asked)
    measured = replace(plain, j_per_token=factor * MODEL.point_j(plain))
    estimate = MODEL.calibrate([measured]).predict(query(**asked))
    assert estimate.gpu_j / lengths[1] == pytest.approx(measured.j_per_token)
    assert MODEL.predict(query(**asked)).gpu_j / lengths[1] == pytest.approx(MODEL.point_j(plain))


def test_a_point_may_state_the_published_precision_and_spell_its_stack_otherwise() -> None:
    made = MODEL.calibrate(
        [
            point(bytes_per_weight=2.0, stack="vLLM  0.11.1"),
            point(batch_count=256.0, j_per_token=0.07),
        ]
    )
    for stack in (None, "vllm 0.11.1", "VLLM  0.11.1"):
        assert made.predict(query(stack=stack)).calibration_points_count == 2


@pytest.mark.parametrize(
    "other",
    [
        {"model": "qwen3-8b"},
        {"accelerator": "B200"},
        {"gpus_count": 2},
        {"stack": "vllm 0.5.4"},
        {"bytes_per_weight": 1.0},
    ],
)
def test_a_point_never_changes_another_configuration(other: dict[str, Any]) -> None:
    made = MODEL.calibrate([point(j_per_token=0.5)])
    assert made.predict(query(**other)) == MODEL.predict(query(**other))
    assert made.predict(query()) != MODEL.predict(query())


def test_a_point_answers_to_the_hubs_name() -> None:
    by_hub = point(model="meta-llama/Llama-3.1-8B-Instruct", accelerator="h100")
    assert MODEL.calibrate([by_hub]).predict(query()).calibration_points_count == 1


def test_a_point_with_the_wrong_boundary_is_refused() -> None:
    with pytest.raises(FindingsError, match="POINT_BOUNDARY"):
        MODEL.calibrate([point(boundary="facility"), point(j_per_token=-1.0)])


# ---- curves ------------------------------------------------------------------------------


@given(batch=st.floats(8.0, 4000.0))
def test_the_curve_and_the_prediction_are_one(batch: float) -> None:
    made = MODEL.calibrate([point(j_per_token=0.2), point(batch_count=256.0, j_per_token=0.07)])
    curve = made.curve(query())
    gpu_j = made.predict(query(batch_count=batch)).gpu_j
    assert gpu_j / 641 == pytest.approx(curve.average_j_per_token(batch), rel=1e-9)


@given(batch=st.floats(8.0, 3000.0), more=st.floats(1.01, 3.0))
def test_a_dense_model_is_cheaper_in_a_larger_batch(batch: float, more: float) -> None:
    curve = MODEL.curve(query())
    assert curve.average_j_per_token(batch * more) < curve.average_j_per_token(batch)
    assert curve.step_marginal_j_per_token(batch) >= 0.0


# ---- images and video --------------------------------------------------------------------

VIDEO = CATALOGUE.media_model("wan2.1-14b")


@given(
    name=st.sampled_from([row.model_id for row in CATALOGUE.media_models]),
    gpus=st.sampled_from([1, 2, 8]),
    size=st.sampled_from([None, 256, 1000]),
    items=st.integers(1, 5),
    together=st.integers(1, 4),
    sku=st.sampled_from(["H100", "B200", "H200"]),
)
def test_the_rows_of_media_sum_too(
    name: str, gpus: int, size: int | None, items: int, together: int, sku: str
) -> None:
    asked = MediaQuery(
        model=name, accelerator=sku, gpus_count=gpus, height=size, items_count=items,
        items_per_batch=together,
    )  # fmt: skip
    estimate, rows = MODEL.predict_media(asked), MODEL.explain(asked)
    assert math.fsum(row.energy_j for row in rows) == pytest.approx(estimate.total_j, rel=1e-9)
    assert estimate.low_j < estimate.total_j < estimate.high_j
    assert estimate.gpu_j > 0.0


def test_a_long_clip_costs_more_a_second() -> None:
    per_s = [
        MODEL.predict_media(
            MediaQuery(model="wan2.1-14b", accelerator="H100", duration_s=length)
        ).unit_j
        for length in (2.0, 5.0, 10.0, 20.0)
    ]
    assert per_s == sorted(per_s)
    assert per_s[-1] > 2.0 * per_s[0]


def test_two_clips_cost_twice_one_and_the_measured_shape_has_no_warning() -> None:
    one, two = (
        MODEL.predict_media(MediaQuery(model="wan2.1-14b", accelerator="H100", items_count=count))
        for count in (1, 2)
    )
    assert two.total_j == pytest.approx(2.0 * one.total_j)
    assert two.units_count == pytest.approx(2.0 * VIDEO.frames / (VIDEO.fps or 0.0))
    assert one.warnings == ()
    assert one.stack == "xdit 0.4.5"
    odd = MODEL.predict_media(MediaQuery(model="wan2.1-14b", accelerator="H100", height=720))
    assert [told for told in odd.warnings if "not measured" in told]


def test_images_have_no_length() -> None:
    with pytest.raises(Exception, match="images, not seconds"):
        MODEL.predict_media(MediaQuery(model="flux.1-dev", accelerator="H100", duration_s=1.0))
    with pytest.raises(UnknownModel, match="makes tokens"):
        MODEL.predict_media(MediaQuery(model="llama-3.1-8b", accelerator="H100"))
