"""How straight is the line from output rate to the power of an awake replica?

One configuration (model, GPU, count of GPUs, task) with at least four points, sorted by batch, up
to the first point that reaches 90 % of its highest throughput: beyond it more batch brings
waiting, not tokens. Then, of board power against output rate:
- the straight line by least squares of the relative residuals, error in-sample (energy sheet,
  section 5: 3.0 % in the median);
- the line whose mean relative error is least, which is what the error counts;
- the chord through the lowest and the highest point, error of the points between;
- the product's line (`tokenergy.energy.replica_power.power_line`): its slope by least squares,
  held between 0 and the average joules of a token at the highest point, laid exactly through it.

Needs ../shared/data/energy (ML.ENERGY benchmark v3, Apache-2.0).
"""

from itertools import combinations
from typing import Any, Final

import numpy as np
from energy_points import FEWEST_ALONE_COUNT, configurations
from energy_rows import SHARED, Column, Rows, measured_rows, shared_models

from tokenergy.energy.replica_power import power_line

UP_TO_SHARE: Final = 0.9
GOAL_PERCENT: Final = 3.0


def figures() -> dict[str, Any]:
    """Return medians over configurations, errors in %; {} without the data."""
    if not SHARED.exists():
        return {}
    rows = measured_rows(shared_models())
    lines = [_line(rows, at) for at in configurations(rows) if len(at) >= FEWEST_ALONE_COUNT]
    told: dict[str, Any] = {"configurations_count": len(lines), "goal_percent": GOAL_PERCENT}
    for name in ("line", "least_error_line", "chord", "through_operating_point"):
        told[f"{name}_median_percent"] = _median(lines, name)
    errors = [line["line"] for line in lines]
    told["line_p10_p90_percent"] = [
        round(float(bound), 2) for bound in np.percentile(errors, [10, 90])
    ]
    for name, wanted in (("gpu", ("H100", "B200")), ("kind", ("dense", "moe", "hybrid"))):
        for value in wanted:
            own = [line for line in lines if line[name] == value]
            told[f"line_{value.lower()}_median_percent"] = _median(own, "line")
    told["base_over_power_ratio"] = _median(lines, "base_ratio")
    told["slope_over_average_ratio"] = _median(lines, "slope_ratio")
    told["not_positive_slopes_count"] = sum(line["slope_ratio"] <= 0.0 for line in lines)
    return told


def tell(told: dict[str, Any]) -> list[str]:
    """Return lines for people."""
    if not told:
        return ["power line: ../shared/data/energy is not here"]
    low, high = told["line_p10_p90_percent"]
    return [
        f"power line of a replica: median MAPE {told['line_median_percent']:.1f} % "
        f"(p10-p90 {low:.1f}-{high:.1f}; H100 {told['line_h100_median_percent']:.1f}, "
        f"B200 {told['line_b200_median_percent']:.1f}; n {told['configurations_count']})",
        f"  line of least relative error {told['least_error_line_median_percent']:.1f} %, chord "
        f"{told['chord_median_percent']:.1f} %, through the operating point "
        f"{told['through_operating_point_median_percent']:.1f} %",
        f"  base {told['base_over_power_ratio']:.2f} of the power at the high end, slope "
        f"{told['slope_over_average_ratio']:.2f} of the average joules there; "
        f"{told['not_positive_slopes_count']} slopes are not positive",
    ]


def _line(rows: Rows, at: Column) -> dict[str, Any]:
    """Return the errors of every line of one configuration, in %."""
    knee = UP_TO_SHARE * float(rows.tokens_per_s[at].max())
    last = int(np.argmax(rows.tokens_per_s[at] >= knee))
    used = at[: last + 1]
    rate, power = rows.tokens_per_s[used], rows.power_w[used]
    base_w, slope_j = least_squares_line(rate, power)
    average_j = float(power[-1] / rate[-1])
    product = power_line(rate.tolist(), power.tolist(), average_j=average_j)
    through = np.array([product.power_w(float(one)) for one in rate])
    chord_j = float((power[-1] - power[0]) / (rate[-1] - rate[0]))
    chord = power[0] + chord_j * (rate - rate[0])
    return {
        "gpu": str(rows.gpu[used[0]]),
        "kind": str(rows.kind[used[0]]),
        "line": _mape(base_w + slope_j * rate, power),
        "least_error_line": _least_mape(rate, power),
        "chord": _mape(chord[1:-1], power[1:-1]) if len(used) > 2 else None,
        "through_operating_point": _mape(through, power),
        "base_ratio": base_w / float(power[-1]),
        "slope_ratio": slope_j / average_j,
    }


def least_squares_line(rate: Column, power: Column) -> tuple[float, float]:
    """Return base in W and slope in J per token: least squares of the relative residuals."""
    terms = np.column_stack([1.0 / power, rate / power])
    base_w, slope_j = np.linalg.lstsq(terms, np.ones(len(power)), rcond=None)[0]
    return float(base_w), float(slope_j)


def _least_mape(rate: Column, power: Column) -> float:
    """Return the least error that any line has: a line of least sums passes through two points."""
    best = np.inf
    for one, other in combinations(range(len(rate)), 2):
        if rate[one] == rate[other]:
            continue
        slope_j = (power[other] - power[one]) / (rate[other] - rate[one])
        best = min(best, _mape(power[one] + slope_j * (rate - rate[one]), power))
    return float(best)


def _mape(said: Column, measured: Column) -> float:
    return 100.0 * float(np.mean(np.abs(said / measured - 1.0)))


def _median(lines: list[dict[str, Any]], name: str) -> float:
    return round(float(np.median([line[name] for line in lines if line[name] is not None])), 2)
