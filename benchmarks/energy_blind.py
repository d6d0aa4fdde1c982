"""How well are joules per token predicted for a family of models that was never measured?

Two figures, never mixed. *Reproduction*: the form of the energy sheet with the shared, recalled
facts, held against the sheet's figures and, row by row, against `blind_predictions.csv`. *Product*:
the package's verified catalogue and the form of `energy_form.PRODUCT`; beside it the form that was
declared first, the sheet's form on the verified facts, and how many forms were tried.

Coverage: the 5th and 95th percentile of measured over predicted, by kind of model, learnt from all
other families. A family is named in which they hold under 60 % of the rows.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from energy_fit import fitted, held_out, predicted
from energy_folds import ACCELERATORS, FAMILIES, errors
from energy_form import FIRST, PRODUCT, REFERENCE, TRIED
from energy_rows import SHARED, Column, Rows, catalogue_models, measured_rows, shared_models

KINDS = ("dense", "moe", "hybrid")
BAND = (0.05, 0.95)
NAMED_BELOW_SHARE = 0.60
BOOTSTRAPS = 2000
SEED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Blind:
    """The product's folds, opened.

    Attributes:
        rows: with the facts of the catalogue.
        held_out_j: each row's joules by a fit that saw nothing of its family.
        logs: the fit on all rows, by accelerator.
        in_sample_j: what that fit says.
    """

    rows: Rows
    held_out_j: Column
    logs: Mapping[str, Column]
    in_sample_j: Column


def opened() -> Blind:
    """Fit the product's form, with every family held out once, and on all rows."""
    rows = measured_rows(catalogue_models())
    logs = fitted(PRODUCT, rows)
    return Blind(
        rows=rows,
        held_out_j=held_out(PRODUCT, rows),
        logs=logs,
        in_sample_j=predicted(PRODUCT, logs, rows),
    )


def reproduction(folder: Path = SHARED) -> dict[str, Any]:
    """Return the sheet's figures from the shared facts, and the distance to its predictions."""
    rows = measured_rows(shared_models(folder=folder), folder=folder)
    said = held_out(REFERENCE, rows)
    with (folder / "blind_predictions.csv").open(encoding="utf-8") as file:
        column = [float(row["blind_physics_leave_family_out"]) for row in csv.DictReader(file)]
    return scores(rows, said) | {
        "furthest_row_percent": round(100.0 * float(errors(said, np.array(column)).max()), 4),
        "in_sample_mape_percent": by_gpu(rows, predicted(REFERENCE, fitted(REFERENCE, rows), rows)),
    }


def product(blind: Blind) -> dict[str, Any]:
    """Return the product's figures, and those of the forms beside it."""
    rows = blind.rows
    wrong = errors(blind.held_out_j, rows.j_per_token)
    first = held_out(FIRST, rows)
    return scores(rows, blind.held_out_j) | {
        "bootstrap_percent": bootstrap(rows, wrong),
        "families_mape_percent": {
            family: _percent(wrong[rows.family == family].mean()) for family in FAMILIES
        },
        "in_sample_mape_percent": by_gpu(rows, blind.in_sample_j),
        "declared_first": scores(rows, first),
        "sheet_form": scores(rows, held_out(REFERENCE, rows)),
        "declared_before_folds": False,
        "forms_tried_count": len(TRIED),
        "forms_tried": [form._asdict() for form in TRIED],
        "coefficients": {
            gpu: {
                name: float(f"{value:.4g}")
                for name, value in zip(PRODUCT.parameters, np.exp(logs), strict=True)
            }
            for gpu, logs in blind.logs.items()
        },
    }


def coverage(blind: Blind) -> dict[str, Any]:
    """Return what share of the rows the band holds, its ends, and the families it fails."""
    rows = blind.rows
    ratio = rows.j_per_token / blind.held_out_j
    inside = np.zeros(rows.count, dtype=bool)
    for family in FAMILIES:
        for kind in KINDS:
            judged = (rows.family == family) & (rows.kind == kind)
            others = (rows.family != family) & (rows.kind == kind)
            if judged.any():
                low, high = np.quantile(ratio[others], BAND)
                inside[judged] = (ratio[judged] >= low) & (ratio[judged] <= high)
    shares = {family: float(inside[rows.family == family].mean()) for family in FAMILIES}
    return {
        "coverage_share": round(float(inside.mean()), 4),
        "coverage_by_kind_share": {
            kind: round(float(inside[rows.kind == kind].mean()), 4) for kind in KINDS
        },
        "families_below_60_percent": {
            family: round(share, 3) for family, share in shares.items() if share < NAMED_BELOW_SHARE
        },
        "bands": {
            kind: [round(float(end), 3) for end in np.quantile(ratio[rows.kind == kind], BAND)]
            for kind in KINDS
        },
    }


def scores(rows: Rows, said: Column) -> dict[str, Any]:
    """Return MAPE and median in %, of all rows, by kind of model and by accelerator."""
    wrong = errors(said, rows.j_per_token)
    told: dict[str, Any] = {
        "mape_percent": _percent(wrong.mean()),
        "median_percent": _percent(np.median(wrong)),
    }
    for kind in KINDS:
        told[f"{kind}_mape_percent"] = _percent(wrong[rows.kind == kind].mean())
    return told | {f"{gpu.lower()}_mape_percent": by_gpu(rows, said)[gpu] for gpu in ACCELERATORS}


def by_gpu(rows: Rows, said: Column) -> dict[str, float]:
    """Return MAPE in % by accelerator."""
    wrong = errors(said, rows.j_per_token)
    return {gpu: _percent(wrong[rows.gpu == gpu].mean()) for gpu in ACCELERATORS}


def bootstrap(rows: Rows, wrong: Column) -> list[float]:
    """Return 5th and 95th percentile of the MAPE, families drawn with replacement, in %."""
    sums = np.array([wrong[rows.family == family].sum() for family in FAMILIES])
    counts = np.array([(rows.family == family).sum() for family in FAMILIES])
    drawn = np.random.default_rng(SEED).integers(len(FAMILIES), size=(BOOTSTRAPS, len(FAMILIES)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return [_percent(end) for end in np.quantile(means, BAND)]


def _percent(share: Any) -> float:
    return round(100.0 * float(share), 2)
