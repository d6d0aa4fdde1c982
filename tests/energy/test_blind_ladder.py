"""The blind ladder of `benchmarks/`: its protocol, the sheet's figures, and the product's form.

`blind_predictions.csv` was computed by somebody else's code: it is the oracle of folds, form and
fit at once.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the benchmark's fits need it")

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from bench_energy import furthest_from_product
from energy_blind import Blind, bootstrap, coverage, opened, product, reproduction
from energy_fit import fitted, predicted
from energy_folds import ACCELERATORS, FAMILIES, errors, family_of, folds
from energy_form import PREFILL_J_PER_TFLOP, PRODUCT, REFERENCE, TRIED
from energy_rows import Rows, catalogue_models, measured_rows, shared_models

from tokenergy.energy.predict import BANDS, coefficients_for
from tokenergy.files.catalogue import load_catalogue


@pytest.fixture(scope="module")
def shared(shared_data: Path) -> Rows:
    """Return the rows with the recalled facts of the shared file."""
    folder = shared_data / "energy"
    return measured_rows(shared_models(folder=folder), folder=folder)


@pytest.fixture(scope="module")
def verified(shared_data: Path) -> Rows:
    """Return the rows with the facts of the catalogue."""
    return measured_rows(catalogue_models(), folder=shared_data / "energy")


@pytest.mark.parametrize(
    ("hub_id", "family"),
    [
        ("Qwen/Qwen3-VL-235B-A22B-Instruct-FP8", "235B-A22B"),
        ("Qwen/Qwen3-Omni-30B-A3B-Instruct", "30B-A3B"),
        ("Qwen/Qwen3-VL-8B-Instruct", "8B"),
        ("meta-llama/Llama-3.1-8B-Instruct", "3.1-8B"),
        ("meta-llama/Llama-3.3-70B-Instruct", "70B"),
        ("nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16", "Nemotron-Nano-12B"),
    ],
)
def test_the_first_hit_names_the_family(hub_id: str, family: str) -> None:
    assert family_of(hub_id) == family


def test_a_model_of_no_family_is_refused() -> None:
    with pytest.raises(ValueError, match="some/model"):
        family_of("some/model")


def test_every_row_is_judged_once_and_never_by_its_family(shared: Rows) -> None:
    """838 rows, 18 families, 16 of them on each accelerator."""
    assert shared.count == 838
    judged_count = np.zeros(shared.count, dtype=int)
    for family, learnt, judged in folds(shared):
        judged_count += judged
        assert not (shared.family[learnt] == family).any()
        assert not (learnt & judged).any()
    assert (judged_count == 1).all()
    assert set(shared.family) == set(FAMILIES)
    for gpu in ACCELERATORS:
        assert len(set(shared.family[shared.gpu == gpu])) == 16


@pytest.mark.parametrize("family", ["70B", "Maverick"])
def test_a_fold_is_the_one_that_somebody_else_computed(
    family: str, shared: Rows, shared_data: Path
) -> None:
    with (shared_data / "energy" / "blind_predictions.csv").open(encoding="utf-8") as file:
        told = np.array(
            [float(row["blind_physics_leave_family_out"]) for row in csv.DictReader(file)]
        )
    judged = shared.family == family
    said = predicted(REFERENCE, fitted(REFERENCE, shared.where(~judged)), shared.where(judged))
    assert errors(said, told[judged]).max() < 0.002


def test_the_form_of_the_sheet_makes_its_in_sample_errors(shared: Rows) -> None:
    said = predicted(REFERENCE, fitted(REFERENCE, shared), shared)
    wrong = errors(said, shared.j_per_token)
    assert 100 * wrong[shared.gpu == "H100"].mean() == pytest.approx(15.4, abs=0.1)
    assert 100 * wrong[shared.gpu == "B200"].mean() == pytest.approx(21.8, abs=0.1)


def test_the_product_is_its_vectorised_form(verified: Rows) -> None:
    nothing = np.zeros(0)
    blind = Blind(rows=verified, held_out_j=nothing, logs={}, in_sample_j=nothing)
    assert furthest_from_product(blind) < 1e-12


def test_the_shipped_coefficients_are_the_fit(verified: Rows) -> None:
    """Whoever corrects a row of models.csv refits: `bench_energy.py --write`."""
    names = {
        "c_layer": "c_layer_j", "c_w": "c_w_j_per_gb", "c_e": "c_e_j_per_gb",
        "c_f": "c_f_j_per_tflop", "c_kv": "c_kv_j_per_gb",
    }  # fmt: skip
    for gpu, logs in fitted(PRODUCT, verified).items():
        fit = coefficients_for(load_catalogue(), gpu)
        assert fit.c_pre_j_per_tflop == PREFILL_J_PER_TFLOP[gpu]
        for name, value in zip(PRODUCT.parameters, np.exp(logs), strict=True):
            if not name.startswith("s_"):
                shipped = getattr(fit.language, names.get(name, f"{name}_ratio"))
                assert shipped == pytest.approx(value, rel=2e-3), (gpu, name)


def test_a_bootstrap_of_equal_errors_has_no_width(shared: Rows) -> None:
    assert bootstrap(shared, np.full(shared.count, 0.25)) == [25.0, 25.0]


@pytest.mark.slow  # 36 fits of ten parameters: 6 s on a busy machine
def test_the_reproduction(shared_data: Path) -> None:
    told = reproduction(shared_data / "energy")
    assert told["mape_percent"] == pytest.approx(25.1, abs=0.1)
    assert told["median_percent"] == pytest.approx(19.6, abs=0.1)
    assert told["moe_mape_percent"] == pytest.approx(30.2, abs=0.1)
    assert told["furthest_row_percent"] < 0.2


@pytest.mark.slow  # opens the folds of three forms: half a minute of processor time
def test_the_product_keeps_its_goals(shared_data: Path) -> None:
    """And what the catalogue ships beside it: the bands, the errors, the number of tries."""
    blind = opened()
    told, held = product(blind), coverage(blind)
    assert told["mape_percent"] <= 25.0
    assert told["median_percent"] <= 19.0
    assert told["dense_mape_percent"] <= 15.0
    assert told["moe_mape_percent"] <= 30.0
    assert told["forms_tried_count"] == len(TRIED) == 16
    assert TRIED[-1].mape_percent == pytest.approx(told["mape_percent"], abs=0.2)
    assert 0.85 <= held["coverage_share"] <= 0.95
    assert set(held["families_below_60_percent"]) == {"480B-A35B"}
    for kind in ("dense", "moe"):
        assert held["bands"][kind] == pytest.approx(BANDS[kind], abs=0.02)
    low, high = held["bands"]["hybrid"]
    assert BANDS["hybrid"][0] <= low <= high <= BANDS["hybrid"][1]
    for gpu in ACCELERATORS:
        fit = coefficients_for(load_catalogue(), gpu)
        assert fit.blind_mape_share == pytest.approx(
            told[f"{gpu.lower()}_mape_percent"] / 100, abs=2e-3
        )
