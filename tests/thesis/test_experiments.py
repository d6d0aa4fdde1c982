"""The registry: fourteen in order, unknown ids at once, and results that go by their own id."""

import pytest

from tokenergy.errors import UnexpectedError, UnknownName
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.hourly_prices import synthetic_hourly_prices
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis import experiments, own_energy
from tokenergy.thesis.experiments import EXPERIMENTS, chosen, run_one
from tokenergy.thesis.inputs import ThesisInputs
from tokenergy.thesis.result import Result

QUICK = ("T14", "T12", "T1")


@pytest.fixture(scope="module")
def inputs() -> ThesisInputs:
    return ThesisInputs(
        catalogue=load_catalogue(),
        presets=load_presets(),
        ranges=load_ranges(),
        prices=synthetic_hourly_prices(1),
        seed=1,
    )


def test_fourteen_in_the_order_of_the_essay() -> None:
    assert tuple(EXPERIMENTS) == tuple(f"T{number}" for number in range(1, 15))
    assert chosen() == tuple(EXPERIMENTS)


def test_chosen_ones_come_once_and_in_order() -> None:
    assert chosen(["t14", " T1", "T14"]) == ("T1", "T14")


def test_all_unknown_ids_are_named_at_once() -> None:
    with pytest.raises(UnknownName) as refused:
        chosen(["T15", "T1", "x", "T15"])
    said = str(refused.value)
    assert "'T15', 'x';" in said
    assert "T1, T2" in said


def test_they_run_in_order_and_a_rerun_is_the_same(inputs: ThesisInputs) -> None:
    heard: list[tuple[str, int, int]] = []
    results = [run_one(id, inputs, lambda *what: heard.append(what)) for id in chosen(QUICK)]
    assert [result.id for result in results] == ["T1", "T12", "T14"]
    assert heard[0] == ("T1", 0, 1)
    assert heard[-1] == ("T14", 1, 1)
    assert [run_one(id, inputs) for id in chosen(QUICK)] == results


def test_a_result_under_another_id_is_a_fault_of_ours(
    inputs: ThesisInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"T12": own_energy.run})
    with pytest.raises(UnexpectedError, match="T12 returned a result of T6"):
        run_one("T12", inputs)


@pytest.mark.parametrize("id", QUICK)
def test_what_a_result_holds(id: str, inputs: ThesisInputs) -> None:
    result: Result = run_one(id, inputs)
    assert result.id == id
    assert len(result.inputs_hash) == 8
    assert result.says.endswith(".")
    assert (result.holds_share is None) == (result.draws_count is None)
