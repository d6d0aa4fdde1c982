"""Lengths of requests: the stated mean to the standard error, whole numbers within bounds."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.synthetic.request_lengths import (
    AZURE_INPUT_SIGMA_RATIO,
    AZURE_OUTPUT_SIGMA_RATIO,
    RequestLengths,
)
from tokenergy.synthetic.request_users import user_shares

QUANTILES = np.array([NormalDist().inv_cdf((at + 0.5) / 20_001) for at in range(20_001)])


def held_mean(median, sigma, most):
    """The mean by summing over quantiles: nothing of the closed form is used."""
    return float(np.clip(median * np.exp(sigma * QUANTILES), 1.0, most).mean())


@settings(max_examples=60, deadline=None)
@given(
    mean=st.floats(1.5, 2000.0),
    sigma=st.floats(0.05, 2.0),
    most=st.integers(3000, 200_000),
)
def test_the_median_gives_the_stated_mean(mean, sigma, most) -> None:
    lengths = RequestLengths(mean_tokens=mean, sigma_ratio=sigma, most_tokens=most)
    assert held_mean(lengths.median_tokens, sigma, most) == pytest.approx(mean, rel=5e-3)


def test_without_bounds_the_median_is_the_textbooks() -> None:
    """exp(mu) = mean exp(-sigma^2 / 2) = 1155 x exp(-0.81^2 / 2) = 1155 x 0.72035 = 832.0."""
    lengths = RequestLengths(mean_tokens=1155.0, sigma_ratio=0.81, most_tokens=131_072)
    assert lengths.median_tokens == pytest.approx(1155 * math.exp(-0.5 * 0.81**2), rel=1e-4)
    assert lengths.median_tokens == pytest.approx(832.0, abs=0.2)


@pytest.mark.parametrize(
    ("mean", "sigma", "most"),
    [(1155.0, 0.81, 131_072), (211.0, 0.68, 1000), (1.3, 1.0, 50), (90.0, 1.5, 100), (2.5, 0, 9)],
)
def test_drawn_lengths_have_the_mean_within_four_standard_errors(mean, sigma, most) -> None:
    lengths = RequestLengths(mean_tokens=mean, sigma_ratio=sigma, most_tokens=most)
    drawn = lengths.drawn(np.random.default_rng(7), 200_000)
    assert drawn.dtype == np.int64 and drawn.min() >= 1 and drawn.max() <= most
    assert abs(drawn.mean() - mean) < 4 * drawn.std() / math.sqrt(drawn.size)


def test_the_bounds_themselves_can_be_the_mean() -> None:
    rng = np.random.default_rng(1)
    one = RequestLengths(mean_tokens=1.0, sigma_ratio=1.0, most_tokens=9).drawn(rng, 1000)
    nine = RequestLengths(mean_tokens=9.0, sigma_ratio=1.0, most_tokens=9).drawn(rng, 1000)
    assert (one == 1).all() and (nine == 9).all()


def test_every_figure_out_of_range_is_named() -> None:
    with pytest.raises(InputError, match=r"mean_tokens is 0.5.*sigma_ratio is -1") as caught:
        RequestLengths(mean_tokens=0.5, sigma_ratio=-1.0, most_tokens=10)
    assert "tokens" in str(caught.value)
    with pytest.raises(InputError, match="most_tokens is 0"):
        RequestLengths(mean_tokens=1.0, sigma_ratio=1.0, most_tokens=0)


def test_the_stated_sigmas_are_those_of_the_azure_trace(shared_data) -> None:
    """sigma^2 = ln(1 + (sd / mean)^2), of the 19,366 rows themselves."""
    import polars as pl

    frame = pl.read_csv(shared_data / "azure_llm_2023_conv.csv.gz")
    for name, sigma in (
        ("ContextTokens", AZURE_INPUT_SIGMA_RATIO),
        ("GeneratedTokens", AZURE_OUTPUT_SIGMA_RATIO),
    ):
        column = frame[name].to_numpy()
        ratio = column.std() / column.mean()
        assert math.sqrt(math.log(1 + ratio**2)) == pytest.approx(sigma, abs=0.005)


# ---- users ---------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("count", [10, 1000])
def test_the_top_tenth_holds_what_is_stated(share, count) -> None:
    shares = user_shares(count, top_tenth_share=share)
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert (np.diff(shares) <= 1e-12).all()
    assert shares[: count // 10].sum() == pytest.approx(share, abs=1e-9)


def test_one_user_asks_for_all_and_none_for_nothing() -> None:
    assert user_shares(1, top_tenth_share=0.6).tolist() == [1.0]
    with pytest.raises(InputError, match="users_count is 0"):
        user_shares(0, top_tenth_share=0.1)
    with pytest.raises(InputError, match="top_tenth_share is 1"):
        user_shares(10, top_tenth_share=1.0)
