"""Estimates and their sums: bands, tiers and boundaries."""

import json
from dataclasses import replace

import pytest

from tokenergy.energy.estimate import EnergyEstimate, estimate_sum
from tokenergy.errors import InputError

ONE = EnergyEstimate(
    model="a",
    accelerator="H100",
    gpus_count=1,
    batch_count=8.0,
    unit="token",
    units_count=100.0,
    gpu_j=60.0,
    host_j=25.0,
    idle_j=10.0,
    overhead_j=5.0,
    low_j=70.0,
    high_j=140.0,
    tier="calibrated",
    boundary="facility",
    data_version="test",
    stack="vllm 0.11.1",
    warnings=("said",),
)


def test_four_numbers_and_their_sum() -> None:
    assert ONE.total_j == 100.0
    assert ONE.unit_j == 1.0
    told = json.loads(json.dumps(ONE.to_dict()))
    assert {"gpu_j", "host_j", "idle_j", "overhead_j", "low_j", "high_j", "tier", "boundary",
            "data_version", "stack", "warnings"} <= set(told)  # fmt: skip
    assert told["j_per_token"] == 1.0
    assert told["gpu_j_per_token"] == 0.6


def test_media_tell_joules_by_their_own_unit() -> None:
    assert replace(ONE, unit="video_second").to_dict()["j_per_video_s"] == 1.0
    assert replace(ONE, unit="image").to_dict()["j_per_image"] == 1.0


def test_within_a_model_errors_go_together_and_across_models_they_do_not() -> None:
    """Two of one model: -60 and +80 J about 200. With another: -sqrt(60^2 + 30^2) about 300."""
    twice = estimate_sum([ONE, ONE])
    assert (twice.low_j, twice.high_j) == pytest.approx((140.0, 280.0))
    three = estimate_sum([ONE, replace(ONE, model="b"), ONE])
    assert three.total_j == 300.0
    assert three.low_j == pytest.approx(300.0 - (60.0**2 + 30.0**2) ** 0.5)
    assert three.high_j == pytest.approx(300.0 + (80.0**2 + 40.0**2) ** 0.5)
    assert three.warnings == ("said",)


def test_the_tier_of_a_sum_is_the_worst_in_it() -> None:
    assert estimate_sum([ONE, replace(ONE, tier="modelled")]).tier == "modelled"
    assert estimate_sum([ONE, replace(ONE, tier="measured")]).tier == "calibrated"


def test_boundaries_never_meet_in_a_sum() -> None:
    with pytest.raises(InputError, match="facility, gpu"):
        estimate_sum([ONE, replace(ONE, boundary="gpu")])
    with pytest.raises(InputError, match="none"):
        estimate_sum([])
