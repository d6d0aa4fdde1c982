"""The error before and after: by hand, left out one by one, and against other points."""

import pytest

from tokenergy.company.curve_point import CurvePoint
from tokenergy.energy.calibrated_curve import predicted_j_per_token
from tokenergy.energy.calibration_error import configuration_errors
from tokenergy.errors import FindingsError
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def off(batch: float, ratio: float, *, model: str = "llama-3.1-8b", **change: object) -> CurvePoint:
    """Return a point that was measured at `ratio` times what is predicted."""
    bare = CurvePoint(
        model=model, accelerator="H100", gpus_count=1, batch_count=batch, j_per_token=1.0,
        **change,  # type: ignore[arg-type]
    )  # fmt: skip
    predicted = predicted_j_per_token(CATALOGUE, bare)
    return CurvePoint(
        model=model, accelerator="H100", gpus_count=1, batch_count=batch,
        j_per_token=ratio * predicted, **change,  # type: ignore[arg-type]
    )  # fmt: skip


def test_three_points_off_by_the_same_factor_have_no_error_left() -> None:
    """Measured 1.25 times the prediction: 1 / 1.25 is off by 20 %, and corrected by none."""
    (found,) = configuration_errors(CATALOGUE, [off(batch, 1.25) for batch in (8, 16, 32)])
    assert found.before_mape_share == pytest.approx(0.20)
    assert found.after_mape_share == pytest.approx(0.0, abs=1e-12)
    assert found.points_count == 3


def test_the_middle_point_is_predicted_from_its_neighbours() -> None:
    """Factors 1, 1, 4 at 8, 16, 32.

    At 16 the line between 8 and 32 is at 2: off by 100 %. At 32 the other two say 1: off by 75 %;
    at 8 the line from 16 on is flat at 1: right. Mean 58.3 %; before 0, 0 and 75 %: 25 %.
    """
    (found,) = configuration_errors(CATALOGUE, [off(8, 1.0), off(16, 1.0), off(32, 4.0)])
    assert found.after_mape_share == pytest.approx((1.0 + 0.75) / 3)
    assert found.before_mape_share == pytest.approx(0.25)


def test_two_points_leave_no_error_to_be_told() -> None:
    (found,) = configuration_errors(CATALOGUE, [off(8, 2.0), off(32, 2.0)])
    assert found.after_mape_share is None
    assert found.before_mape_share == pytest.approx(0.5)


def test_a_point_is_no_witness_for_its_own_batch() -> None:
    """Two points at batch 8 and one at 32: one batch is left at most, which is no line."""
    (found,) = configuration_errors(CATALOGUE, [off(8, 2.0), off(8, 2.1), off(32, 2.0)])
    assert found.after_mape_share is None


def test_against_other_points_the_rest_is_left_unchanged() -> None:
    """Off by 2 everywhere: a point repairs its own model; the other stays off by 50 %."""
    held = [off(16, 2.0), off(64, 2.0), off(16, 2.0, model="qwen3-8b")]
    mine, other = configuration_errors(CATALOGUE, [off(16, 2.0)], against=held)
    assert [each.batch_count for each in mine.errors] == [64]  # the point itself is no test
    assert mine.after_mape_share == pytest.approx(0.0, abs=1e-12)
    assert other.after_mape_share == other.before_mape_share == pytest.approx(0.5)


def test_faults_of_both_files_are_told_at_once() -> None:
    bad = off(8, 1.0, boundary="it", source="a:2")
    with pytest.raises(FindingsError) as caught:
        configuration_errors(CATALOGUE, [bad], against=[off(8, 1.0, boundary="it", source="b:2")])
    assert [finding.path for finding in caught.value.findings] == ["a:2", "b:2"]
