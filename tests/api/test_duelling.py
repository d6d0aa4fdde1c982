"""The duel of two files: the examples, a duel against oneself, and companies that cannot fight."""

import json

import pytest
from commands import ROOT, strict

import tokenergy as te
from tokenergy.errors import InputError

OWN, RIVAL = (ROOT / "examples" / "duel" / f"{name}.yaml" for name in ("own-power", "grid-queue"))


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, int, int]]:
    """What the duel below told of its progress."""
    return []


@pytest.fixture(scope="module")
def fought(heard: list[tuple[str, int, int]]) -> te.Fought:
    return te.duel(te.load(OWN), te.load(RIVAL), on_progress=lambda *step: heard.append(step))


def test_a_duel_says_what_decides_and_is_strict_json(fought: te.Fought) -> None:
    told = strict(json.dumps(fought.to_dict(), allow_nan=False))
    assert told["own"]["company"] == "Own power"
    assert told["rival"]["company"] == "Grid queue"
    assert len(told["months"]) == fought.to_polars().height
    parts = told["stated_parts"]
    gap = parts["kwh_usd"] + parts["megawatts_usd"] + parts["interaction_usd"]
    assert gap == pytest.approx(told["path"]["gap_stated_usd"], rel=1e-9)
    assert "megawatts decide" in str(fought)
    assert str(fought).count("\n") == len(list(fought.lines())) - 1
    assert "<table" in fought._repr_html_()


def test_the_gap_of_a_month_is_price_less_cost_by_hand(fought: te.Fought) -> None:
    """At the file's 1.5 USD/Mtok: (1.5 - full) x served, the owner's less the rival's."""
    for month in fought.to_dict()["months"][::12]:
        own = (1.5 - month["own_usd_per_mtok"]) * month["own_mtok"]
        rival = (1.5 - month["rival_usd_per_mtok"]) * month["rival_mtok"]
        assert month["gap_stated_usd"] == pytest.approx(own - rival, rel=1e-9, abs=1e-3)


def test_a_duel_against_oneself_is_even() -> None:
    mirrored = te.duel(te.load(OWN), te.load(OWN)).to_dict()
    assert mirrored["path"]["gap_stated_usd"] == 0.0
    assert mirrored["stated_parts"]["decides"] == "neither"


def test_companies_that_differ_in_more_than_power_are_refused_with_all_of_it() -> None:
    with pytest.raises(InputError, match=r"sites differ; tiers differ; models differ"):
        te.duel(te.load(OWN), te.load(ROOT / "examples" / "sora_like.yaml", days=2))


@pytest.mark.usefixtures("fought")
def test_progress_is_told_path_by_path(heard: list[tuple[str, int, int]]) -> None:
    assert heard[-1][1] == heard[-1][2] == len(heard)
    assert {name for name, _, _ in heard} == {"duel"}
