"""The joules of an iteration with the company's own points: they are those of the curve."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenergy.energy.predict import coefficients_for, language_curve
from tokenergy.files.catalogue import load_catalogue
from tokenergy.simulate.replica import StepEnergy
from tokenergy.simulate.replica_energy import step_energy

CATALOGUE = load_catalogue()
MODEL = CATALOGUE.language_model("llama-3.1-8b")
H100 = CATALOGUE.accelerator("H100")
FIT = coefficients_for(CATALOGUE, "H100")


def energy(**change: object) -> StepEnergy:
    return step_energy(
        MODEL, H100, FIT, gpus_count=1, batch_limit_count=64, input_tokens=250.0,
        output_tokens=641.0, **change,  # type: ignore[arg-type]
    )  # fmt: skip


@given(st.floats(0.2, 3.0), st.floats(0.2, 3.0), st.integers(1, 64))
def test_a_step_of_decodes_costs_the_factor_times_the_curve(
    low: float, high: float, batch: int
) -> None:
    """`base_j[B] + decode_j B` is f(B) (b(B) + a B), and no part of it is below 0."""

    def factor(count: float) -> float:
        return low + (high - low) * count / 64

    curve = language_curve(MODEL, FIT, gpus_count=1, context_tokens_count=250 + 641 / 2)
    found = energy(factor_ratio=factor)
    step_j = found.base_j[batch] + found.decode_j * batch
    assert step_j == pytest.approx(factor(batch) * batch * curve.average_j_per_token(batch))
    assert found.base_j.min() >= 0.0
    assert found.decode_j > 0.0


def test_no_points_change_nothing() -> None:
    plain, same = energy(), energy(factor_ratio=lambda _: 1.0)
    assert (plain.base_j == same.base_j).all()
    assert plain.decode_j == same.decode_j
