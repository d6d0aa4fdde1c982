"""What a serving stack is, and how a catalogue finds one."""

from dataclasses import replace
from datetime import date

import pytest

from tokenergy.company.catalogue import Catalogue
from tokenergy.company.stack import UNKNOWN_STACK_BAND, Stack
from tokenergy.errors import InputError

ANY = Stack(
    engine="vllm",
    version="0.11.1",
    accelerator="",
    scalar_ratio=1.0,
    low_ratio=1.0,
    high_ratio=1.0,
    points_count=0,
    data_version="none",
    source="by hand",
    source_kind="published",
    retrieved_on=date(2026, 11, 30),
    verified=False,
)
OWN = replace(ANY, accelerator="H100", scalar_ratio=1.1, low_ratio=0.9, high_ratio=1.2)
CATALOGUE = Catalogue(
    accelerators=(), models=(), media_models=(), coefficients=(), stacks=(ANY, OWN)
)


def test_a_row_of_the_accelerator_comes_before_one_for_any() -> None:
    assert CATALOGUE.stack("VLLM 0.11.1", accelerator="h100") is OWN
    assert CATALOGUE.stack("vllm 0.11.1", accelerator="L40S") is ANY
    assert CATALOGUE.stack("vllm 0.11.1") is ANY


def test_nothing_known_of_a_stack_is_none_and_a_wide_band() -> None:
    assert CATALOGUE.stack("vllm 0.11.2", accelerator="H100") is None
    assert CATALOGUE.stack("vllm", accelerator="H100") is None
    assert UNKNOWN_STACK_BAND[0] <= 0.5
    assert UNKNOWN_STACK_BAND[1] >= 2.0


def test_it_has_a_name_and_a_band() -> None:
    assert OWN.name == "vllm 0.11.1"
    assert OWN.band == (0.9, 1.2)
    assert replace(OWN, version="").name == "vllm"


@pytest.mark.parametrize(
    "change",
    [
        {"scalar_ratio": 0.0},
        {"scalar_ratio": float("nan")},
        {"scalar_ratio": float("inf")},
        {"low_ratio": 1.01},
        {"high_ratio": 0.99},
        {"low_ratio": 0.0},
        {"high_ratio": float("nan")},
    ],
)
def test_an_impossible_factor_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"vllm 0\.11\.1"):
        replace(ANY, **change)  # type: ignore[arg-type]
