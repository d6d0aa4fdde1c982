"""What is asked of the energy model: everything wrong with it at once."""

import math
from typing import Any

import pytest

from tokenergy.energy.facility import FacilityTerms
from tokenergy.energy.query import MIX_RATIO, EnergyQuery, MediaQuery
from tokenergy.errors import FindingsError

REQUEST: dict[str, Any] = {
    "model": "m",
    "accelerator": "a",
    "batch_count": 8.0,
    "output_tokens": 641,
}


def test_what_is_left_out_is_the_mix_of_the_data() -> None:
    """641 tokens out go with 250 in; the mean context is 250 + 641/2."""
    query = EnergyQuery(**REQUEST)
    assert query.all_input_tokens == pytest.approx(250.0)
    assert query.uncached_input_tokens == pytest.approx(MIX_RATIO * 641)
    assert query.context_tokens == pytest.approx(570.5)


def test_cached_input_is_context_but_no_prefill() -> None:
    query = EnergyQuery(**REQUEST | {"input_tokens": 1000, "cached_input_tokens": 900})
    assert query.uncached_input_tokens == 100
    assert query.context_tokens == pytest.approx(1320.5)
    assert EnergyQuery(**REQUEST | {"context_tokens_count": 7.0}).context_tokens == 7.0


def test_everything_wrong_is_told_at_once() -> None:
    with pytest.raises(FindingsError) as told:
        EnergyQuery(
            model="m",
            accelerator="a",
            gpus_count=0,
            batch_count=math.nan,
            output_tokens=-1,
            input_tokens=-2,
            bytes_per_weight=0.0,
            context_tokens_count=-1.0,
            facility=FacilityTerms(pue_ratio=0.5),
        )
    paths = [finding.path for finding in told.value.findings]
    assert paths == [
        "gpus_count", "batch_count", "output_tokens", "input_tokens", "context_tokens_count",
        "bytes_per_weight", "pue",
    ]  # fmt: skip
    assert all(found.limit and found.remedy for found in told.value.findings)


@pytest.mark.parametrize("batch", [0.0, -1.0, math.nan, math.inf])
def test_a_batch_that_is_none_is_refused(batch: float) -> None:
    with pytest.raises(FindingsError, match="batch_count"):
        EnergyQuery(**REQUEST | {"batch_count": batch})


def test_no_more_comes_out_of_a_cache_than_went_in() -> None:
    with pytest.raises(FindingsError, match="value 11 tokens, limit 10 tokens"):
        EnergyQuery(**REQUEST | {"input_tokens": 10, "cached_input_tokens": 11})


def test_a_clip_has_one_length() -> None:
    with pytest.raises(FindingsError) as told:
        MediaQuery(model="m", accelerator="a", frames=0, duration_s=-1.0, steps=0, height=0)
    paths = [finding.path for finding in told.value.findings]
    assert paths == ["height", "frames", "steps", "duration_s", "frames"]
    assert MediaQuery(model="m", accelerator="a", frames=9).duration_s is None
