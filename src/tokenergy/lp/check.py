"""Whether what the solver says of a program holds, by arithmetic of our own.

An optimum holds if no bound is missed and the duals bound the cost from below as tightly. That a
program has none is proved by a ray: weights of its rows that no point of the box can satisfy, or
a direction in which every point stays within its bounds while the cost falls. Any ray that passes
is a proof, whoever found it; so a verdict without one is never more than the solver's opinion.
"""

import numpy as np

from tokenergy.lp.program import FloatArray, IntArray, Matrix

CHECK_TOLERANCE = 1e-6
"""Residual and duality gap above which an answer is refused (dispatch sheet, section 6)."""
RAY_TOLERANCE = 1e-9
"""What is smaller than this share of the terms it is the sum of counts as 0 in a ray."""
ROUNDING = 1e-12
"""The least share of its terms by which a ray must prove its case: doubles round at 1e-16."""


def activity_of(matrix: Matrix, columns: FloatArray) -> FloatArray:
    """Return coefficients x columns, summed by row."""
    terms = matrix.values * columns[matrix.columns]
    summed = np.bincount(matrix.rows, weights=terms, minlength=matrix.rows_count)
    return summed.astype(np.float64)


def priced_by(matrix: Matrix, duals: FloatArray) -> FloatArray:
    """Return coefficients x duals of the rows, summed by column."""
    terms = matrix.values * duals[matrix.rows]
    summed = np.bincount(matrix.columns, weights=terms, minlength=matrix.columns_count)
    return summed.astype(np.float64)


def excess(values: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Return the largest violation of bounds, relative to max(1, |bound|)."""
    low, high = np.isfinite(lower), np.isfinite(upper)
    below = (lower[low] - values[low]) / np.maximum(1.0, np.abs(lower[low]))
    above = (values[high] - upper[high]) / np.maximum(1.0, np.abs(upper[high]))
    return float(max(below.max(initial=0.0), above.max(initial=0.0)))


def bound_value(duals: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Return the sum of dual x the bound it belongs to; infinite where there is none."""
    bound = np.where(duals > 0.0, lower, upper)
    tiny = np.abs(duals) <= CHECK_TOLERANCE
    finite = np.isfinite(bound)
    if bool(np.any(~finite & ~tiny)):
        return float("inf")
    return float(duals[finite] @ bound[finite])


def proves_infeasible(
    matrix: Matrix,
    ray: FloatArray,
    *,
    lower: FloatArray,
    upper: FloatArray,
    row_lower: FloatArray,
    row_upper: FloatArray,
) -> bool:
    """Tell whether the rows, weighted by `ray`, ask for more than any point of the box gives.

    For y = ray and d = A'y: if the least of y A x that the rows allow, sum of y x row bound, lies
    above the most that the columns allow, sum of d x column bound, then no x satisfies both
    (Farkas). Weights that are rounding, or on a side that a row does not bound, are left out.
    """
    if not np.all(np.isfinite(ray)):
        return False
    asked = np.where(ray > 0.0, row_lower, row_upper)
    told = np.abs(ray) > ROUNDING * np.abs(ray).max(initial=0.0)
    weights = np.where(told & np.isfinite(asked), ray, 0.0)
    given = priced_by(matrix, weights)
    size = priced_by(_absolute(matrix), np.abs(weights))
    given = np.where(np.abs(given) <= RAY_TOLERANCE * size, 0.0, given)
    most = np.where(given > 0.0, upper, lower)
    if np.any((given != 0.0) & ~np.isfinite(most)):
        return False
    rows, columns = weights != 0.0, given != 0.0
    terms = (weights[rows] * asked[rows], -given[columns] * most[columns])
    return _exceeds_rounding(np.concatenate(terms))


def falls_along(
    matrix: Matrix,
    ray: FloatArray,
    *,
    costs: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    row_lower: FloatArray,
    row_upper: FloatArray,
) -> IntArray:
    """Return the columns that move along `ray` if no bound ends it and the cost falls, else none.

    From a point that satisfies the rows such a ray leads on without end.
    """
    none = np.zeros(0, dtype=np.int64)
    if not np.all(np.isfinite(ray)):
        return none
    step = np.where(np.abs(ray) <= RAY_TOLERANCE * np.abs(ray).max(initial=0.0), 0.0, ray)
    moved = activity_of(matrix, step)
    size = activity_of(_absolute(matrix), np.abs(step))
    moved = np.where(np.abs(moved) <= RAY_TOLERANCE * size, 0.0, moved)
    for change, low, high in ((step, lower, upper), (moved, row_lower, row_upper)):
        if np.any((change < 0.0) & np.isfinite(low)) or np.any((change > 0.0) & np.isfinite(high)):
            return none
    return step.nonzero()[0] if _exceeds_rounding(-costs * step) else none


def _absolute(matrix: Matrix) -> Matrix:
    return Matrix(
        rows=matrix.rows,
        columns=matrix.columns,
        values=np.abs(matrix.values),
        rows_count=matrix.rows_count,
        columns_count=matrix.columns_count,
    )


def _exceeds_rounding(terms: FloatArray) -> bool:
    """Tell whether a sum lies above 0 by more than what rounding could make of its terms."""
    return bool(terms.sum() > ROUNDING * np.abs(terms).sum())
