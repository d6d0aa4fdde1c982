"""Points correct their own configuration, by hand and by property, and nothing else."""

import csv
import math
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.calibrate import (
    Calibration,
    Configuration,
    CurvePoint,
    calibrated,
    calibrated_band,
)
from tokenergy.errors import FindingsError, InputError

OWN = Configuration(model="m", accelerator="H100", gpus_count=2, stack="vllm 0.11.1")
OTHER = Configuration(model="m", accelerator="H100", gpus_count=2, stack="vllm 0.5.4")
FIGURES = st.floats(min_value=1e-3, max_value=1e3)
BATCHES = st.floats(min_value=1.0, max_value=4096.0)


def point(batch: float, joules: float, **change: object) -> CurvePoint:
    facts: dict[str, object] = {
        "model": "m", "accelerator": "H100", "gpus_count": 2, "stack": "vllm 0.11.1",
    }  # fmt: skip
    return CurvePoint(**(facts | change), batch_count=batch, j_per_token=joules)  # type: ignore[arg-type]


def halved(point: CurvePoint) -> float:
    return 0.5


def test_one_point_is_a_constant() -> None:
    """Measured .6 where .5 was predicted: 1.2 at every batch."""
    made = calibrated([point(32, 0.6)], halved)
    assert [made.factor_ratio(OWN, batch) for batch in (1, 32, 999)] == pytest.approx([1.2] * 3)
    assert made.points_count(OWN) == 1
    assert made.band(OWN, 32) == (0.66, 1.20)


def test_two_points_are_a_line_in_logarithms_flat_beyond_the_ends() -> None:
    """Factors 1 at 8 and 4 at 32: 2 half way in ln B, at 16; 4 ^ (ln 2.5 / ln 4) at 20."""
    made = calibrated([point(32, 2.0), point(8, 0.5)], halved)
    assert made.factor_ratio(OWN, 16) == pytest.approx(2.0)
    assert made.factor_ratio(OWN, 20) == pytest.approx(4 ** (math.log(2.5) / math.log(4)))
    assert made.factor_ratio(OWN, 1) == pytest.approx(1.0)
    assert made.factor_ratio(OWN, 4096) == pytest.approx(4.0)


def test_a_repeated_batch_counts_once_at_the_geometric_mean() -> None:
    """Factors 1 and 4 at one batch: 2, and one point."""
    made = calibrated([point(8, 0.5), point(8, 2.0)], halved)
    assert made.factor_ratio(OWN, 8) == pytest.approx(2.0)
    assert made.points_count(OWN) == 1


def test_the_band_narrows_with_points_and_only_between_them() -> None:
    made = calibrated([point(8, 0.5), point(32, 0.6), point(64, 0.5)], halved)
    assert made.band(OWN, 20) == (0.85, 1.16)
    assert made.band(OWN, 65) == (0.66, 1.20)  # a constant beyond the last point
    assert [calibrated_band(count) for count in (2, 3, 9)] == [
        (0.84, 1.34), (0.85, 1.16), (0.85, 1.16),
    ]  # fmt: skip
    with pytest.raises(InputError, match="at least 1"):
        calibrated_band(0)


def test_nothing_measured_is_the_identity() -> None:
    assert Calibration().factor_ratio(OWN, 8) == 1.0
    assert Calibration().points_count(OWN) == 0
    assert Calibration().band(OWN, 8) is None


def test_a_point_holds_for_one_replica_not_for_the_deployment() -> None:
    """Eight GPUs of four replicas are replicas of two."""
    made = calibrated([point(8, 1.0, gpus_count=8, replicas_count=4)], halved)
    assert made.configurations == (OWN,)


@given(st.lists(st.tuples(BATCHES, FIGURES), min_size=1, max_size=6, unique_by=lambda t: t[0]))
def test_points_are_reproduced_and_other_configurations_never_change(
    pairs: list[tuple[float, float]],
) -> None:
    def predict(point: CurvePoint) -> float:
        return 0.1 + 3.0 / point.batch_count

    points = [point(batch, joules) for batch, joules in pairs]
    made = calibrated(points, predict)
    for own in points:
        corrected = predict(own) * made.factor_ratio(OWN, own.batch_count)
        assert corrected == pytest.approx(own.j_per_token, rel=1e-9)
    for foreign in (OTHER, Configuration(model="m", accelerator="H100", gpus_count=4)):
        assert made.factor_ratio(foreign, pairs[0][0]) == 1.0


@given(st.lists(BATCHES, min_size=1, max_size=6, unique=True), BATCHES)
def test_exact_predictions_make_the_identity(batches: list[float], at: float) -> None:
    def predict(point: CurvePoint) -> float:
        return 0.1 + 3.0 / point.batch_count

    points = [point(batch, 0.1 + 3.0 / batch) for batch in batches]
    assert calibrated(points, predict).factor_ratio(OWN, at) == pytest.approx(1.0, abs=1e-12)


@given(st.lists(st.tuples(BATCHES, FIGURES), min_size=2, max_size=6, unique_by=lambda t: t[0]))
def test_a_factor_lies_between_those_of_the_points_and_order_does_not_matter(
    pairs: list[tuple[float, float]],
) -> None:
    points = [point(batch, joules) for batch, joules in pairs]
    made, turned = calibrated(points, halved), calibrated(points[::-1], halved)
    middle = math.sqrt(pairs[0][0] * pairs[1][0])
    factors = [joules / 0.5 for _, joules in pairs]
    assert min(factors) * (1 - 1e-9) <= made.factor_ratio(OWN, middle) <= max(factors) * (1 + 1e-9)
    assert made.factor_ratio(OWN, middle) == turned.factor_ratio(OWN, middle)


def test_every_bad_point_is_told_at_once() -> None:
    bad = [
        point(8, 1.0, boundary="facility", source="a:2"),
        point(0, 1.0, source="a:3"),
        point(8, math.nan, source="a:4"),
        point(8, 1.0, gpus_count=3, replicas_count=2, source="a:5"),
        point(8, 1.0),
    ]
    with pytest.raises(FindingsError) as caught:
        calibrated(bad, halved)
    told = [(finding.code, finding.path) for finding in caught.value.findings]
    assert told == [
        ("POINT_BOUNDARY", "a:2"), ("POINT_FIGURE", "a:3"), ("POINT_FIGURE", "a:4"),
        ("POINT_GPUS", "a:5"),
    ]  # fmt: skip


def test_a_prediction_that_is_none_is_refused() -> None:
    with pytest.raises(FindingsError, match="prediction"):
        calibrated([point(8, 1.0)], lambda _: 0.0)


@pytest.mark.parametrize("batch", [0.0, -1.0, math.nan, math.inf])
def test_a_batch_that_is_none_is_refused(batch: float) -> None:
    with pytest.raises(InputError, match="batch"):
        calibrated([point(8, 1.0)], halved).factor_ratio(OWN, batch)


@pytest.mark.parametrize(("count", "mape_percent"), [(1, 15.4), (2, 9.6), (3, 7.1)])
def test_the_ladder_of_points_over_published_blind_predictions(
    shared_data: Path, count: int, mape_percent: float
) -> None:
    """Energy sheet, section 3: 94 configurations, points at index 0, len//2, last.

    The same 489 remaining points are tested for every count.
    """
    groups: dict[tuple[str, ...], list[tuple[float, float, float]]] = defaultdict(list)
    path = shared_data / "energy" / "blind_predictions.csv"
    with path.open(encoding="utf-8", newline="") as held:
        for row in csv.DictReader(held):
            key = (row["model_id"], row["gpu"], row["n_gpus"], row["task"])
            groups[key].append(
                (
                    float(row["batch"]),
                    float(row["measured_J_per_tok"]),
                    float(row["blind_physics_leave_family_out"]),
                )
            )
    chosen = {key: sorted(rows) for key, rows in groups.items() if len(rows) >= 5}
    assert len(chosen) == 94
    errors = []
    for rows in chosen.values():
        places = (0, len(rows) // 2, len(rows) - 1)
        taken = {1: places[1:2], 2: (places[0], places[2]), 3: places}[count]
        blind = {batch: predicted for batch, _, predicted in rows}
        made = calibrated(
            [point(rows[at][0], rows[at][1]) for at in taken],
            lambda own, blind=blind: blind[own.batch_count],  # type: ignore[misc]
        )
        errors += [
            abs(predicted * made.factor_ratio(OWN, batch) / measured - 1.0)
            for at, (batch, measured, predicted) in enumerate(rows)
            if at not in places
        ]
    assert len(errors) == 489
    assert 100 * math.fsum(errors) / len(errors) == pytest.approx(mape_percent, abs=0.06)
