"""How well are joules known once throughput is, and nothing else is measured?

Joules per token are board power over output rate, so what is predicted is power, as a share of TDP.
Two forms were declared before their folds were opened, both of them here and both printed; the
second is the one that counts. Each is linear in logarithms, fitted with soft-L1 at 0.2, one family
of models held out with all its tasks, precisions and both GPUs:

    ln share = c_0 + c_B ln B + c_m ln u_m + c_f ln u_f + c_n log2 n
               + c_moe [MoE] + c_hybrid [hybrid]

with the used share of bandwidth u_m = (weights, experts and cache of a step) x (rate / B) / (n
bandwidth) and of arithmetic u_f = 2 P_act rate / (n dense BF16 rate): roofline figures that the
catalogue and the observed rate give. The answer is held between 0.25 and 1 of TDP.
- first form: all seven numbers for each GPU by itself;
- second form: common slopes for both GPUs and a constant for each.

Beside them the sheet's figure that holds nothing out: the median share of TDP of each GPU.

Needs ../shared/data/energy (ML.ENERGY benchmark v3, Apache-2.0).
"""

from typing import Any, Final

import numpy as np
from energy_folds import ACCELERATORS, errors, folds
from energy_rows import SHARED, Column, Rows, catalogue_models, measured_rows, shared_models
from scipy.optimize import least_squares

from tokenergy.files.catalogue import load_catalogue

LEAST_SHARE: Final = 0.25
MOST_SHARE: Final = 1.0
SOFT_L1_SCALE: Final = 0.2
GOAL_PERCENT: Final = 18.0
FORMS: Final = ("each GPU by itself", "common slopes")
CHOSEN: Final = FORMS[1]


def figures() -> dict[str, Any]:
    """Return MAPE and median in % of every form; {} without the data."""
    if not SHARED.exists():
        return {}
    rows, facts = _rows()
    measured = rows.j_per_token
    tdp_w = rows.gpus_count * _of_gpu(rows, "tdp_w")
    told: dict[str, Any] = {
        "facts": facts,
        "rows_count": rows.count,
        "forms_tried_count": len(FORMS),
        "goal_percent": GOAL_PERCENT,
        "forms": {},
    }
    for form in FORMS:
        share = held_out_share(rows, common_slopes=form == CHOSEN)
        wrong = errors(share * tdp_w / rows.tokens_per_s, measured)
        told["forms"][form] = {"mape_percent": _mean(wrong), "median_percent": _median(wrong)}
        if form == CHOSEN:
            told["throughput_known_mape_percent"] = _mean(wrong)
            told["throughput_known_median_percent"] = _median(wrong)
            told["worst_families"] = _worst(rows, wrong)
    seen = rows.power_w / tdp_w
    constant = np.array([np.median(seen[rows.gpu == gpu]) for gpu in rows.gpu])
    wrong = errors(constant, seen)
    return told | {
        "median_share_mape_percent": _mean(wrong),
        "median_share_median_percent": _median(wrong),
    }


def tell(told: dict[str, Any]) -> list[str]:
    """Return lines for people."""
    if not told:
        return ["throughput known: ../shared/data/energy is not here"]
    forms = "; ".join(f"{name} {form['mape_percent']:.1f}" for name, form in told["forms"].items())
    return [
        f"throughput known, family held out: MAPE {told['throughput_known_mape_percent']:.1f} %, "
        f"median {told['throughput_known_median_percent']:.1f} % "
        f"({told['forms_tried_count']} forms tried: {forms})",
        f"  median share of TDP, nothing held out: {told['median_share_mape_percent']:.1f} %, "
        f"median {told['median_share_median_percent']:.1f} %; worst families "
        + ", ".join(f"{name} {value:.0f} %" for name, value in told["worst_families"].items()),
    ]


def held_out_share(rows: Rows, *, common_slopes: bool) -> Column:
    """Return board power over TDP of each row, by a fit that saw nothing of its family."""
    terms = _terms(rows)
    seen_log = np.log(rows.power_w / (rows.gpus_count * _of_gpu(rows, "tdp_w")))
    answer = np.full(rows.count, np.nan)
    for _family, learnt, judged in folds(rows):
        if common_slopes:
            both = np.column_stack([terms, rows.gpu == ACCELERATORS[1]])
            answer[judged] = both[judged] @ _fit(both[learnt], seen_log[learnt])
            continue
        for gpu in ACCELERATORS:
            own, wanted = learnt & (rows.gpu == gpu), judged & (rows.gpu == gpu)
            answer[wanted] = terms[wanted] @ _fit(terms[own], seen_log[own])
    return np.clip(np.exp(answer), LEAST_SHARE, MOST_SHARE)


def _terms(rows: Rows) -> Column:
    steps_per_s = rows.tokens_per_s / rows.batch_count
    step_gb = (
        rows.shared_b + rows.touched_count * rows.expert_b
    ) * rows.bytes_per_weight + rows.batch_count * rows.kv_gb
    read = step_gb * steps_per_s / rows.gpus_count / _of_gpu(rows, "bandwidth_gb_per_s")
    tflop_per_s = 2.0 * rows.active_b / 1000.0 * rows.tokens_per_s / rows.gpus_count
    return np.column_stack(
        [
            np.ones(rows.count),
            np.log(rows.batch_count),
            np.log(read),
            np.log(tflop_per_s / _of_gpu(rows, "bf16_tflop_per_s")),
            np.log2(rows.gpus_count),
            rows.moe,
            rows.kind == "hybrid",
        ]
    ).astype(float)


def _fit(terms: Column, seen_log: Column) -> Column:
    start = np.linalg.lstsq(terms, seen_log, rcond=None)[0]
    answer = least_squares(
        lambda numbers: terms @ numbers - seen_log, start, loss="soft_l1", f_scale=SOFT_L1_SCALE
    )
    return np.asarray(answer.x)


def _rows() -> tuple[Rows, str]:
    """Return the rows with this package's facts; the shared ones while a model is missing."""
    try:
        return measured_rows(catalogue_models()), "catalogue"
    except KeyError as missing:
        return measured_rows(shared_models()), f"shared models.csv: {missing.args[0]}"


def _of_gpu(rows: Rows, name: str) -> Column:
    catalogue = load_catalogue()
    figure = {gpu: float(getattr(catalogue.accelerator(gpu), name)) for gpu in ACCELERATORS}
    return np.array([figure[str(gpu)] for gpu in rows.gpu])


def _worst(rows: Rows, wrong: Column) -> dict[str, float]:
    by_family = {
        str(family): _mean(wrong[rows.family == family]) for family in np.unique(rows.family)
    }
    return dict(sorted(by_family.items(), key=lambda item: -item[1])[:3])


def _mean(wrong: Column) -> float:
    return round(100.0 * float(np.mean(wrong)), 2)


def _median(wrong: Column) -> float:
    return round(100.0 * float(np.median(wrong)), 2)
