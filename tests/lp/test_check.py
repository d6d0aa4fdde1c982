"""Our own arithmetic: residuals, the value of duals, and rays that prove or prove nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lp.tables import INF, matrix_of

from tokenergy.lp.check import bound_value, excess, falls_along, proves_infeasible


def infeasible(ray, *, upper=(4.0, INF), row_upper=(INF, 5.0)) -> bool:
    """Tell it of x0 + x1 >= 6 and x1 <= 1 + (4 - x0), that is x0 + x1 <= 5."""
    return proves_infeasible(
        matrix_of([[1.0, 1.0], [1.0, 1.0]]),
        np.array(ray, float),
        lower=np.zeros(2),
        upper=np.array(upper),
        row_lower=np.array([6.0, -INF]),
        row_upper=np.array(row_upper),
    )


def test_a_ray_proves_what_its_rows_say_together():
    """(1, -1): at least 6 less at most 5 is 1, and no column gives anything: 0."""
    assert infeasible([1.0, -1.0])
    assert infeasible([3.0, -3.0])
    assert infeasible([1.0, -1.0 + 1e-13])


@pytest.mark.parametrize(
    "ray",
    [
        [-1.0, 1.0],  # the sides that no row bounds
        [1.0, 0.0],  # x1 has no upper bound: any demand can be met
        [1.0, -0.9],  # leaves 0.1 x1, which has none
        [0.0, 0.0],
        [np.nan, -1.0],
        [INF, -1.0],
    ],
)
def test_other_rays_prove_nothing(ray):
    assert not infeasible(ray)


def test_a_box_can_be_what_is_too_small():
    """x0 <= 4 and x1 <= 1 give 5 of 6; with x1 <= 2 they give 6, and all is well."""
    assert infeasible([1.0, 0.0], upper=(4.0, 1.0), row_upper=(INF, INF))
    assert not infeasible([1.0, 0.0], upper=(4.0, 2.0), row_upper=(INF, INF))


@given(seed=st.integers(0, 10_000))
def test_no_ray_proves_a_sound_program_infeasible(seed):
    """Whatever the ray, and to the last digit: rows are drawn tight around a point."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(4, 6)) * 10 ** rng.uniform(-3, 3, (4, 1))
    point = rng.uniform(0.0, 4.0, 6) * 10 ** rng.uniform(-2, 6, 6)
    activity = table @ point
    ray = rng.normal(size=4) * (rng.random(4) < 0.7)
    free = rng.random(6) < 0.2
    assert not proves_infeasible(
        matrix_of(table),
        ray,
        lower=np.where(free, -INF, point),
        upper=np.where(free, INF, point),
        row_lower=activity,
        row_upper=activity,
    )


def falling(ray, *, costs=(-3.0, 2.0), upper=(INF, INF), row_upper=7.0) -> list[int]:
    """Follow a ray of x0 - x1 <= 7, at -3 + 2 USD a unit of both."""
    columns = falls_along(
        matrix_of([[1.0, -1.0]]),
        np.array(ray, float),
        costs=np.array(costs),
        lower=np.zeros(2),
        upper=np.array(upper),
        row_lower=np.array([-INF]),
        row_upper=np.array([row_upper]),
    )
    return columns.tolist()


def test_a_ray_falls_where_nothing_ends_it():
    assert falling([1.0, 1.0]) == [0, 1]
    assert falling([1.0, 2.0], costs=(-5.0, 2.0)) == [0, 1]
    assert falling([1.0, 1e-12], row_upper=INF) == [0]


@pytest.mark.parametrize(
    ("ray", "changes"),
    [
        ([1.0, 0.0], {}),  # the row ends it
        ([-1.0, -1.0], {"costs": (3.0, -2.0)}),  # the lower bounds do
        ([1.0, 1.0], {"upper": (INF, 9.0)}),  # an upper bound does
        ([1.0, 1.0], {"costs": (-3.0, 3.0)}),  # for nothing
        ([1.0, 1.0], {"costs": (-3.0, 3.0 - 1e-14)}),  # for rounding
        ([0.0, 0.0], {}),
        ([np.nan, 1.0], {}),
    ],
)
def test_other_rays_lead_nowhere(ray, changes):
    assert falling(ray, **changes) == []


def test_excess_is_relative_to_large_bounds_only():
    bounds = np.array([0.0, -INF]), np.array([0.5, 1e6])
    assert excess(np.array([0.75, 0.0]), *bounds) == pytest.approx(0.25)
    assert excess(np.array([0.0, 1e6 + 1.0]), *bounds) == pytest.approx(1e-6)
    assert excess(np.array([0.1, -1e9]), *bounds) == 0.0


def test_a_dual_of_no_bound_is_worth_without_end():
    lower, upper = np.array([1.0, -INF]), np.array([2.0, 3.0])
    assert bound_value(np.array([5.0, -1.0]), lower, upper) == pytest.approx(2.0)
    assert bound_value(np.array([5.0, 1e-7]), lower, upper) == pytest.approx(5.0)
    assert bound_value(np.array([5.0, 1.0]), lower, upper) == INF
