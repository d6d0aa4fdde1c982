"""Draws lie between their ends, in the logarithm where these lie far apart."""

from dataclasses import replace

import numpy as np
import pytest

from tokenergy.files.presets import load_ranges
from tokenergy.thesis.draws import between, drawn, unverified


@pytest.mark.parametrize(("low", "high", "mean"), [(2.0, 5.0, 3.5), (1.0, np.e**2, None)])
def test_far_ends_are_drawn_in_the_logarithm(low: float, high: float, mean: float | None) -> None:
    """Uniform on 2 to 5: mean 3.5. Log-uniform on 1 to e^2: the mean of the logarithms is 1."""
    random = np.random.default_rng(3)
    x = between(random, low_quantity=low, high_quantity=high, count=20_000)
    assert low <= x.min() and x.max() <= high
    seen, told = (x, mean) if mean is not None else (np.log(x), 1.0)
    assert abs(seen.mean() - told) <= 3.0 * seen.std() / np.sqrt(x.size)


def test_a_range_from_0_is_uniform() -> None:
    x = between(np.random.default_rng(3), low_quantity=0.0, high_quantity=0.1, count=20_000)
    assert abs(x.mean() - 0.05) <= 3.0 * x.std() / np.sqrt(x.size)


def test_named_ranges_are_drawn_apart_and_the_same_again() -> None:
    ranges, names = load_ranges(), ("usd_per_mwh", "churn_share")
    one, two = (drawn(np.random.default_rng(1), ranges, names, count=50) for _ in range(2))
    assert tuple(one) == names
    for name in names:
        np.testing.assert_array_equal(one[name], two[name])
    assert abs(np.corrcoef(one["usd_per_mwh"], one["churn_share"])[0, 1]) < 0.5


def test_what_nobody_has_verified_is_named_once() -> None:
    ranges = dict(load_ranges())
    ranges["pue"] = replace(ranges["pue"], status="published")
    ranges["usd_per_mwh"] = replace(ranges["usd_per_mwh"], status="to_be_verified")
    assert unverified(ranges, ["pue"]) == ()
    (finding,) = unverified(ranges, ["pue", "usd_per_mwh"])
    assert (finding["code"], finding["value"]) == ("PRESET_UNVERIFIED", "usd_per_mwh")
