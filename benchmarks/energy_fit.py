"""Fit a form to rows: residual ln(predicted) - ln(measured), soft-L1 with scale 0.2.

`scipy.optimize.least_squares` with its defaults from the form's own start, each accelerator by
itself (energy sheet, section 3); a form that has parameters in common is fitted to all of them at
once. A form may draw its parameters to a prior: each then adds one plain squared residual.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from energy_folds import ACCELERATORS, folds
from energy_form import Form, Prior
from energy_rows import Column, Rows
from scipy.optimize import least_squares

SOFT_L1_SCALE = 0.2

Logs = Mapping[str, Column]
"""The logs of a form's parameters, by accelerator."""


def fitted(form: Form, rows: Rows) -> dict[str, Column]:
    """Return the logs of the form's parameters for every accelerator in the rows."""
    names = [gpu for gpu in ACCELERATORS if (rows.gpu == gpu).any()]
    if form.common:
        return _fit(form, rows, names)
    return {gpu: _fit(form, rows.where(rows.gpu == gpu), [gpu])[gpu] for gpu in names}


def predicted(form: Form, logs: Logs, rows: Rows) -> Column:
    """Return joules per output token of each row, from the parameters of its accelerator."""
    answer = np.full(rows.count, np.nan)
    for gpu, values in logs.items():
        at = rows.gpu == gpu
        answer[at] = form.j_per_token(values, rows.where(at))
    return answer


def held_out(form: Form, rows: Rows) -> Column:
    """Return every row's prediction by a fit that saw nothing of its family."""
    answer = np.full(rows.count, np.nan)
    for _family, learnt, judged in folds(rows):
        logs = fitted(form, rows.where(learnt))
        answer[judged] = predicted(form, logs, rows.where(judged))
    return answer


def _fit(form: Form, rows: Rows, names: Sequence[str]) -> dict[str, Column]:
    """Fit some accelerators at once: parameters in common come first, once."""
    common = np.array([name in form.common for name in form.parameters])
    start = np.array(form.start_logs)
    parts = [rows.where(rows.gpu == gpu) for gpu in names]
    measured = np.concatenate([np.log(part.j_per_token) for part in parts])

    def logs_of(vector: Column) -> list[Column]:
        shared, own = vector[: common.sum()], vector[common.sum() :].reshape(len(names), -1)
        answer = []
        for values in own:
            logs = np.empty(len(start))
            logs[common], logs[~common] = shared, values
            answer.append(logs)
        return answer

    def residuals(vector: Column) -> Column:
        logs = logs_of(vector)
        told = [form.j_per_token(each, part) for each, part in zip(logs, parts, strict=True)]
        off = np.log(np.concatenate(told)) - measured
        if form.prior is None:
            return off
        return np.concatenate([off, _pull(form, form.prior, logs, names)])

    first = np.concatenate([start[common], *([start[~common]] * len(names))])
    loss = _soft_l1_of_the_first(len(measured)) if form.prior else "soft_l1"
    answer = least_squares(residuals, first, loss=loss, f_scale=SOFT_L1_SCALE)
    return dict(zip(names, logs_of(answer.x), strict=True))


def _pull(form: Form, prior: Prior, logs: Sequence[Column], names: Sequence[str]) -> Column:
    """Return the residuals of the prior: one a drawn parameter and accelerator."""
    weight = SOFT_L1_SCALE * math.sqrt(prior.rows_count) / prior.width_log
    return np.array(
        [
            weight * (each[form.parameters.index(name)] - centre[gpu])
            for each, gpu in zip(logs, names, strict=True)
            for name, centre in prior.centres.items()
        ]
    )


def _soft_l1_of_the_first(count: int) -> Callable[[Column], Column]:
    """Return a loss that is soft-L1 for that many residuals and a plain square for the rest."""

    def loss(squares: Column) -> Column:
        root = np.sqrt(1.0 + squares)
        answer = np.stack([2.0 * (root - 1.0), 1.0 / root, -0.5 / root**3])
        answer[0, count:], answer[1, count:], answer[2, count:] = squares[count:], 1.0, 0.0
        return answer

    return loss
