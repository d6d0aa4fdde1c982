"""T2: the plan against the closed form and another solver, and that the verdict can be no."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tokenergy.economics.negative_scale import TOY_AI, Audience
from tokenergy.files.catalogue import load_catalogue
from tokenergy.thesis import growth_loss
from tokenergy.thesis.growth_loss import Turn, turn_at
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.result import Result
from tokenergy.thesis.toy_plan import Plan

CATALOGUE = load_catalogue()


def inputs() -> ThesisInputs:
    prices = HourlyPrices(
        start=datetime(2026, 1, 1, tzinfo=UTC),
        usd_per_mwh={"Z": np.full(24, 50.0)},
        source="none",
        synthetic=True,
    )
    return ThesisInputs(catalogue=CATALOGUE, presets=(), ranges={}, prices=prices)


@pytest.fixture(scope="module")
def result() -> Result:
    return growth_loss.run(inputs())


@settings(max_examples=15, deadline=None)
@given(users=st.floats(1e3, 1e9))
def test_the_plan_costs_what_the_closed_form_says(users: float) -> None:
    """Two writings of one toy: the product's plan, and blocks filled by hand."""
    planned = Plan(TOY_AI, CATALOGUE).cost_usd_per_year(users)
    assert planned == pytest.approx(TOY_AI.cost_usd_per_year(users), rel=1e-9)


@pytest.mark.parametrize("users", [1e6, 6e7, 1.2e8, 3e8])
def test_the_plan_costs_what_another_solver_finds(users: float) -> None:
    """Written again without our builder: GPUs by the Mtok, power by the MWh, for scipy."""
    mtok = users * 3.6
    blocks = [(20 * 8760, 35), (20 * 8760, 60), (30 * 8760, 95), (None, 160)]
    answer = linprog(
        c=[0.70, *(price for _, price in blocks)],
        A_eq=[[1, 0, 0, 0, 0], [0, 1, 1, 1, 1]],
        b_eq=[mtok, mtok / 1100],
        bounds=[(0, None), *((0, size) for size, _ in blocks)],
    )
    assert Plan(TOY_AI, CATALOGUE).cost_usd_per_year(users) == pytest.approx(
        5e6 + answer.fun, rel=1e-9
    )


def test_what_is_planned_by_hand() -> None:
    """60 M users ask for 216 M Mtok a year: 216e6 / 17,000 = 12,705.9 GPUs.

    Their 216e6 / 1,100 / 8,760 = 22.416 MW take the first block and 2.416 MW of the second.
    """
    sizes = Plan(TOY_AI, CATALOGUE).answer(60e6).sizes
    assert sizes == pytest.approx(
        {"gpus": 12_705.88, "block-1": 20.0, "block-2": 2.41594, "block-3": 0.0}, rel=1e-5
    )


def test_a_plan_is_the_same_in_any_order() -> None:
    """Asked after other numbers of users, it costs what it costs alone."""
    plan, users = Plan(TOY_AI, CATALOGUE), [1e8, 1e6, 6e7, 1e6]
    assert [plan.cost_usd_per_year(n) for n in users] == pytest.approx(
        [Plan(TOY_AI, CATALOGUE).cost_usd_per_year(n) for n in users], rel=1e-12
    )


def test_the_claim_by_hand(result: Result) -> None:
    """phi* = (2.634545 - 0.5) / 239.5 = 0.8913 %; the sweep steps by 0.1 %, half a step off."""
    assert (result.id, result.label, result.verdict) == ("T2", "identity", "PASS")
    assert result.number == pytest.approx(0.0005, abs=1e-9)
    turns = result.figures["turns"]
    assert len(turns) == 10
    assert result.figures["plan_off_closed_form_share"] < 1e-9
    assert turns[0]["left_phi_share"] == pytest.approx(2.134545 / 239.5, abs=1e-8)
    assert turns[-1]["left_phi_share"] == pytest.approx(2.216364 / 239.5, abs=1e-8)


def test_where_a_block_is_full_there_is_no_single_share(result: Result) -> None:
    """The mean of both costs turns it: (2.134545 + 2.216364) / 2 / 239.5 = 0.9083 %."""
    turns = result.figures["turns"]
    (kink,) = (turn for turn in turns if turn["kinked"])
    assert kink["users_count"] == pytest.approx(53.533e6, rel=1e-5)
    assert kink["flip_low_share"] < 2.1754545 / 239.5 < kink["flip_high_share"]
    assert kink["between"]
    assert kink["off_share"] > 0.01  # the threshold itself is missed there, and it is said
    assert "no single phi*" in result.says


def test_growth_amplifies_the_loss_below_and_ends_it_above(result: Result) -> None:
    figures = result.figures
    below = [row["profit_usd_per_year"] for row in figures["profit_at_half_phi"]]
    above = [row["profit_usd_per_year"] for row in figures["profit_at_twice_phi"]]
    assert below == sorted(below, reverse=True)
    assert below[0] < 0
    assert above == sorted(above)
    assert above[-1] > 0


@pytest.mark.parametrize("wrong", [1.02, 0.98, 1.5])
def test_it_fails_where_the_plan_knows_another_cost(
    wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan whose GPUs cost 2 % or 50 % more or less turns somewhere else."""
    other = replace(TOY_AI, other_usd_per_user_year=wrong * TOY_AI.other_usd_per_user_year)
    monkeypatch.setattr(growth_loss, "Plan", lambda toy, catalogue: Plan(other, CATALOGUE))
    result = growth_loss.run(inputs())
    assert result.verdict == "FAIL"
    assert (result.number is None) == (wrong == 1.5)  # beyond the sweep there is no flip


def test_it_fails_where_the_flip_lies_outside_a_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    """All else as it is: only the flip at 53.5 million users lies above both phi*."""

    def moved(toy, plan, users):
        turn = turn_at(toy, plan, users)
        if not turn.kinked:
            return turn
        return replace(turn, flip_low_share=0.0101, flip_high_share=0.0102)

    monkeypatch.setattr(growth_loss, "turn_at", moved)
    result = growth_loss.run(inputs())
    assert (result.verdict, result.number) == ("FAIL", pytest.approx(0.0005, abs=1e-9))
    assert "the sweep turns outside both" in result.says


def test_a_gain_that_turns_into_a_loss_is_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payers who bring less than free users: more of them never help."""
    monkeypatch.setattr(growth_loss, "_audience", lambda share: Audience(
        paid_share=1.0 - share, price_usd_per_user_year=240.0, free_usd_per_user_year=-26_700.0
    ))  # fmt: skip
    assert turn_at(TOY_AI, Plan(TOY_AI, CATALOGUE), 1e6).flip_low_share is None


def test_a_sweep_that_finds_nothing_says_so() -> None:
    dear = replace(TOY_AI, other_usd_per_user_year=10.0)
    turn = turn_at(TOY_AI, Plan(dear, CATALOGUE), 1e6)
    assert turn.off_share == float("inf")
    assert not turn.between
    assert turn.to_dict()["off_share"] is None


def test_between_is_between() -> None:
    kink = Turn(
        users_count=1e6,
        left_phi_share=0.01,
        right_phi_share=0.02,
        flip_low_share=0.014,
        flip_high_share=0.015,
    )
    assert kink.kinked
    assert kink.between
    assert not replace(kink, flip_low_share=0.021, flip_high_share=0.022).between


def test_progress_is_told_and_the_rerun_is_the_same_to_the_bit() -> None:
    heard: list[tuple[int, int]] = []
    first = growth_loss.run(inputs(), lambda done, of: heard.append((done, of)))
    assert heard[-1] == (10, 10)
    assert first.to_dict() == growth_loss.run(inputs()).to_dict()
