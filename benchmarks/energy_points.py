"""How much better does a prediction become with one, two or three measured points?

The common set of the energy sheet, section 3: configurations (model, GPU, count of GPUs, task)
with at least five points, sorted by batch. The points of index 0, half and last are set aside; the
same remaining points are tested whether none, one (the middle), two (the ends) or all three of
them are used. The factors are those of `tokenergy.energy.calibrate`, the product's own; the
prediction under them never saw the family of the model. Beside them what points do without any
prediction: a + b/B through two, straight lines in ln B and ln J through three, a + b/B through all
other points of the configuration; and the chat curve of a model carried over to gpqa.

Needs ../shared/data/energy (ML.ENERGY benchmark v3, Apache-2.0).
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from energy_rows import SHARED, Column, Rows, measured_rows, shared_models
from scipy.optimize import nnls

from tokenergy.company.curve_point import CurvePoint
from tokenergy.energy.calibrate import calibrated

FEWEST_COUNT: Final = 5
"""Points of a configuration of the common set."""

FEWEST_ALONE_COUNT: Final = 4
"""Points of a configuration from which a + b/B is left one point out."""

GOALS: Final = {"1": 15.5, "2": 10.0, "3": 7.2, "all_others": 13.8}
CHAT: Final = "lm-arena-chat"
REASONING: Final = "gpqa"


def figures(predicted_j: Sequence[float] | Column | None = None) -> dict[str, Any]:
    """Return the errors by number of points, MAPE and median in %; {} without the data.

    Args:
        predicted_j: joules per token of every row of the file, in its order, each by a fit that
            saw nothing of the row's family; None takes the shared blind predictions.
    """
    if not SHARED.exists():
        return {}
    rows = measured_rows(shared_models())
    predicted = blind_predictions() if predicted_j is None else np.asarray(predicted_j, float)
    sets = common_set(rows)
    ladder = {
        str(count): errors_with_points(rows, predicted, sets, used=used)
        for count, used in enumerate((_none, _middle, _ends, _all_three))
    }
    told: dict[str, Any] = {
        "prediction": "blind_predictions.csv" if predicted_j is None else "given",
        "configurations_count": len(sets),
        "tested_count": len(ladder["0"]),
    }
    told |= {count: _mape(errors) for count, errors in ladder.items()}
    told |= {f"{count}_median": _median(errors) for count, errors in ladder.items()}
    alone = leave_one_out(rows)
    told |= {
        "2_alone": _mape(_tested(rows, sets, _two_alone)),
        "3_alone": _mape(_tested(rows, sets, _three_alone)),
        "all_others": _mape(alone),
        "all_others_median": _median(alone),
        "all_others_count": len(alone),
    }
    return told | chat_to_reasoning(rows, predicted) | {"goals": GOALS}


def tell(told: dict[str, Any]) -> list[str]:
    """Return lines for people."""
    if not told:
        return ["measured points: ../shared/data/energy is not here"]
    lines = [
        f"{count} measured point{'' if count == 1 else 's'}, corrected prediction: "
        f"MAPE {told[str(count)]:.1f} %, median {told[f'{count}_median']:.1f} %"
        f" (n {told['tested_count']})"
        for count in range(4)
    ]
    return [
        *lines,
        f"2 points alone, a + b/B: {told['2_alone']:.1f} %; "
        f"3 points alone, log-log: {told['3_alone']:.1f} %",
        f"all other points, a + b/B: {told['all_others']:.1f} % (n {told['all_others_count']})",
        f"chat curve of the same model to gpqa: corrected {told['chat_to_gpqa']:.1f} %, "
        f"as it is {told['chat_to_gpqa_as_is']:.1f} % (n {told['chat_to_gpqa_count']})",
    ]


def blind_predictions() -> Column:
    """Return the shared held-out prediction of every row, J per output token."""
    with (SHARED / "blind_predictions.csv").open(encoding="utf-8") as file:
        return np.array(
            [float(row["blind_physics_leave_family_out"]) for row in csv.DictReader(file)]
        )


def configurations(rows: Rows) -> list[Column]:
    """Return the rows of each configuration, indices by rising batch, in a steady order."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    keys = zip(rows.hub_id, rows.gpu, rows.gpus_count, rows.task, strict=True)
    for at, key in enumerate(keys):
        found[tuple(str(part) for part in key)].append(at)
    return [
        np.array(sorted(at, key=lambda one: (rows.batch_count[one], rows.j_per_token[one])))
        for _, at in sorted(found.items())
    ]


def common_set(rows: Rows) -> list[Column]:
    """Return the configurations with at least five points."""
    return [at for at in configurations(rows) if len(at) >= FEWEST_COUNT]


def errors_with_points(
    rows: Rows, predicted: Column, sets: Sequence[Column], *, used: Callable[[int], list[int]]
) -> list[float]:
    """Return the relative error of each tested point once the used ones are known."""
    errors: list[float] = []
    for at in sets:
        points = [_point(rows, one) for one in at]
        expected = {point.source: predicted[one] for one, point in zip(at, points, strict=True)}
        known = calibrated(
            [points[one] for one in used(len(at))], lambda point, of=expected: of[point.source]
        )
        for one in _tested_of(len(at)):
            factor = known.factor_ratio(points[one].configuration, points[one].batch_count)
            measured = points[one].j_per_token
            errors.append(abs(factor * expected[points[one].source] / measured - 1.0))
    return errors


def leave_one_out(rows: Rows) -> list[float]:
    """Return the errors of a + b/B, non-negative, weights 1/e, with one point left out."""
    errors: list[float] = []
    for at in configurations(rows):
        if len(at) < FEWEST_ALONE_COUNT:
            continue
        for left in range(len(at)):
            kept = np.delete(at, left)
            measured = rows.j_per_token[kept]
            terms = np.column_stack([np.ones(len(kept)), 1.0 / rows.batch_count[kept]])
            (a, b), _ = nnls(terms / measured[:, None], np.ones(len(kept)))
            one = at[left]
            errors.append(abs((a + b / rows.batch_count[one]) / rows.j_per_token[one] - 1.0))
    return errors


def chat_to_reasoning(rows: Rows, predicted: Column) -> dict[str, Any]:
    """Return what a model's chat curve says of gpqa: corrections carried over, and as it is.

    All points of the chat correct the prediction of gpqa on the same GPUs, interpolated in ln B
    and flat beyond the ends; "as it is" takes the chat's joules at that batch for gpqa's.
    """
    by_key = {_without_task(rows, at): at for at in configurations(rows) if _task(rows, at) == CHAT}
    corrected: list[float] = []
    as_is: list[float] = []
    for at in configurations(rows):
        chat = by_key.get(_without_task(rows, at))
        if _task(rows, at) != REASONING or chat is None:
            continue
        expected = {str(one): float(predicted[one]) for one in (*chat, *at)}
        known = calibrated(
            [_point(rows, one) for one in chat], lambda point, of=expected: of[point.source]
        )
        for one in at:
            point = _point(rows, one)
            factor = known.factor_ratio(point.configuration, point.batch_count)
            carried = np.exp(
                np.interp(
                    np.log(point.batch_count),
                    np.log(rows.batch_count[chat]),
                    np.log(rows.j_per_token[chat]),
                )
            )
            corrected.append(abs(factor * expected[point.source] / point.j_per_token - 1.0))
            as_is.append(abs(carried / point.j_per_token - 1.0))
    return {
        "chat_to_gpqa": _mape(corrected),
        "chat_to_gpqa_as_is": _mape(as_is),
        "chat_to_gpqa_count": len(corrected),
    }


def _point(rows: Rows, one: int) -> CurvePoint:
    return CurvePoint(
        model=str(rows.hub_id[one]),
        accelerator=str(rows.gpu[one]),
        gpus_count=int(rows.gpus_count[one]),
        stack="vllm 0.11.1",
        batch_count=float(rows.batch_count[one]),
        j_per_token=float(rows.j_per_token[one]),
        source=str(one),
    )


def _none(count: int) -> list[int]:
    return []


def _middle(count: int) -> list[int]:
    return [count // 2]


def _ends(count: int) -> list[int]:
    return [0, count - 1]


def _all_three(count: int) -> list[int]:
    return [0, count // 2, count - 1]


def _tested_of(count: int) -> list[int]:
    return sorted(set(range(count)) - set(_all_three(count)))


def _tested(
    rows: Rows, sets: Sequence[Column], alone: Callable[[Column, Column, Column], Column]
) -> list[float]:
    """Return the errors of a rule that knows points and no prediction."""
    errors: list[float] = []
    for at in sets:
        tested = at[_tested_of(len(at))]
        batch, measured = rows.batch_count[at], rows.j_per_token[at]
        said = alone(batch, measured, rows.batch_count[tested])
        errors += [float(error) for error in np.abs(said / rows.j_per_token[tested] - 1.0)]
    return errors


def _two_alone(batch: Column, measured: Column, wanted: Column) -> Column:
    """Return a + b/B through the lowest and the highest batch."""
    ends = np.array([0, len(batch) - 1])
    terms = np.column_stack([np.ones(2), 1.0 / batch[ends]])
    (a, b), _ = nnls(terms / measured[ends][:, None], np.ones(2))
    return np.asarray(a + b / wanted)


def _three_alone(batch: Column, measured: Column, wanted: Column) -> Column:
    """Return straight lines in ln B and ln J through the three points."""
    three = _all_three(len(batch))
    logs = np.interp(np.log(wanted), np.log(batch[three]), np.log(measured[three]))
    return np.asarray(np.exp(logs))


def _task(rows: Rows, at: Column) -> str:
    return str(rows.task[at[0]])


def _without_task(rows: Rows, at: Column) -> tuple[str, str, str]:
    first = at[0]
    return (str(rows.hub_id[first]), str(rows.gpu[first]), str(rows.gpus_count[first]))


def _mape(errors: Sequence[float]) -> float:
    return round(100.0 * float(np.mean(errors)), 2)


def _median(errors: Sequence[float]) -> float:
    return round(100.0 * float(np.median(errors)), 2)
