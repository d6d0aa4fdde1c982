"""The thesis from Python: the verb beside its room, JSON, tables, progress and what is refused."""

import json
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import tokenergy as te
from tokenergy.api.experimenting import rarely
from tokenergy.errors import InputError, UnknownName
from tokenergy.thesis.experiments import EXPERIMENTS

QUICK = ("T1", "T4", "T12", "T14")
KEYS = {"id", "claim", "label", "number", "threshold", "verdict"}
"""The keys of the issue."""


@pytest.fixture(scope="module")
def quick() -> te.Thesis:
    return te.thesis(only=QUICK)


@pytest.mark.parametrize("verb", ["thesis", "simulate"])
def test_a_verb_stays_a_function_where_a_room_has_its_name(verb: str) -> None:
    room = import_module(f"tokenergy.{verb}")
    assert isinstance(room, ModuleType)
    assert isinstance(getattr(te, verb), FunctionType)


def test_json_is_strict_and_a_rerun_is_the_same_to_the_byte(quick: te.Thesis) -> None:
    text = json.dumps(quick.to_dict(), allow_nan=False)
    assert json.dumps(te.thesis(only=QUICK).to_dict(), allow_nan=False) == text
    told = json.loads(text)
    assert told["seed"] == 1
    assert told["prices_source"].startswith("synthetic (seed 1)")
    assert "texas" in told["synthetic"]
    assert [result["id"] for result in told["results"]] == list(QUICK)
    assert all(set(result) >= KEYS for result in told["results"])


def test_another_seed_gives_other_draws(quick: te.Thesis) -> None:
    other = te.thesis(only=["T14"], seed=2)
    assert quick.results[-1].number != other.results[-1].number


def test_the_price_of_power_comes_first_in_what_it_all_means(quick: te.Thesis) -> None:
    """The base of section 1: kWh 4.6 % of full cost, powered capacity 17 %."""
    synthetic, energy, tally = quick.lines()
    assert synthetic.startswith("Prices are SYNTHETIC (seed 1)")
    assert "a small part of a token's full cost: kWh 4.6%" in energy
    assert "unless megawatts bind" in energy
    assert tally.startswith("3 of 4 hold; 1 do not: T14.")
    assert (quick.holds_count, quick.fails_count) == (3, 1)
    assert str(quick).endswith(tally)


def test_a_claim_that_rarely_holds_is_told_so(quick: te.Thesis) -> None:
    from dataclasses import replace

    held = [replace(quick.results[1], holds_share=share) for share in (0.2, 0.5, None)]
    assert [rarely(result) for result in held] == [True, False, False]
    assert not rarely(replace(held[0], verdict="FAIL"))
    told = replace(quick, results=(held[0],))
    assert str(told).endswith("1 of 1 hold. In fewer than half of the draws: T4.")


def test_as_tables(quick: te.Thesis) -> None:
    frame = quick.to_polars()
    assert frame["id"].to_list() == list(QUICK)
    assert frame["verdict"].to_list()[-1] == "FAIL"
    page = quick._repr_html_()
    assert "SYNTHETIC prices: 3 of 4 hold" in page
    assert page.count("<tr>") == 1 + len(QUICK)


def test_ranges_that_nobody_checked_are_told(quick: te.Thesis) -> None:
    assert [warning.code for warning in quick.warnings] == ["PRESET_UNVERIFIED"]
    assert "usd_per_gpu" in quick.warnings[0].value


def test_every_experiment_is_told_to_be_done() -> None:
    heard: dict[str, tuple[int, int]] = {}
    te.thesis(only=QUICK, on_progress=lambda what, done, of: heard.update({what: (done, of)}))
    assert heard == dict.fromkeys(QUICK, (1, 1))


def test_what_stops_one_experiment_stops_the_call() -> None:
    def stop(what: str, done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        te.thesis(only=QUICK, on_progress=stop)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"only": ["T15", "T0"]}, UnknownName, "'T15', 'T0'"),
        ({"seed": -1}, InputError, "seed"),
        ({"zones": ["US-A"]}, InputError, "name it"),
        ({"usd_per_unit": {"FR": 1.08}}, InputError, "name it"),
        ({"prices": "nowhere.csv"}, te.FindingsError, "PRICES_FILE_MISSING"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        te.thesis(**arguments)


def test_real_prices_are_evidence(shared_data: Path) -> None:
    found = te.thesis(
        prices=shared_data / "prices_2023.csv.gz", usd_per_unit={"AU-VIC": 0.66}, only=["T14"]
    )
    assert found.synthetic == ()
    assert found.results[0].label == "evidence"
    assert "SYNTHETIC" not in str(found)
    assert found.to_dict()["zones"] == ["AU-VIC", "US-CAL-CISO", "US-NY-NYIS", "US-TEX-ERCO"]
    assert "AU-VIC x 0.66 USD" in found.to_dict()["prices_source"]


@pytest.mark.slow  # eleven experiments twice; T5, T7, T9, the longest, have a rerun of their own
def test_a_rerun_is_the_same_to_the_bit() -> None:
    ids = [name for name in EXPERIMENTS if name not in ("T5", "T7", "T9")]
    first, again = (json.dumps(te.thesis(only=ids).to_dict(), allow_nan=False) for _ in range(2))
    assert first == again
    results = json.loads(first)["results"]
    assert [result["id"] for result in results] == ids
    assert all(result["verdict"] in ("PASS", "FAIL", "NOT_APPLICABLE") for result in results)
    assert list(EXPERIMENTS) == [f"T{number}" for number in range(1, 15)]
