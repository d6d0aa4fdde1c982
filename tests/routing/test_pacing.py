"""One update of lambda by hand, and what must hold of every stream of requests."""

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.errors import InputError
from tokenergy.routing.pacing import Lease, Pacer, Pacing, PacingRule, opened

SHEET = PacingRule(step_ratio=10.0, reserve_share=0.10, prior_share=0.02, floor_share=0.02)
"""The parameters of the gateway sheet, section 3.5."""


def pacing(**other: Any) -> Pacing:
    stated: dict[str, Any] = {
        "budget": "free",
        "unit": "j",
        "start_s": 1000.0,
        "end_s": 1100.0,
        "budget_quantity": 400.0,
        "requests_count": 100.0,
        "mean_use_quantity": 8.0,
        "dual_usd_per_unit": 2.0,
        "worth_usd_per_unit": 5.0,
        "rule": SHEET,
    } | other
    return Pacing(**stated)


def test_one_update_by_hand() -> None:
    """Budget 400 over 100 s for 100 requests of 8; dual 2. At tau = 0.64, 50 seen, 250 left.

    reserve = 0.1 x 400 x sqrt(1 - 0.64) = 24; free = 250 - 24 = 226.
    F = 0.64; k = 2; posterior = (50 + 2) / (0.64 + 0.02) = 78.79, of which 28.36 are to come.
    to come = max(100 - 50, 28.36, 2) = 50; rho = 226 / 50 = 4.52.
    step = 10 x 2 / sqrt(100) / 8 = 0.25; lambda = 3 + 0.25 x (6 - 4.52) = 3.37.
    """
    before = Pacer(pacing(), 3.0, 250.0, 50.0)
    after = before.admitted(6.0, 1064.0)
    assert before.target_quantity(1064.0) == pytest.approx(4.52, rel=1e-12)
    assert after.lambda_usd_per_unit == pytest.approx(3.37, rel=1e-12)
    assert (after.left_quantity, after.seen_count) == (244.0, 51.0)


def test_the_larger_of_three_counts_is_to_come() -> None:
    """At tau = 0.5 of the same day, without a reserve; 100 left.

    10 seen: forecast less seen, 90, rules (posterior 12 / 0.52 x 0.5 = 11.5).
    150 seen: the posterior, 152 / 0.52 x 0.5 = 146.2, rules.
    At the end 2 % of the forecast, 2, are reckoned with, whatever was seen.
    """
    held = pacing(rule=replace(SHEET, reserve_share=0.0))
    assert Pacer(held, 0.0, 100.0, 10.0).target_quantity(1050.0) == pytest.approx(100.0 / 90.0)
    assert Pacer(held, 0.0, 100.0, 150.0).target_quantity(1050.0) == pytest.approx(
        100.0 / (152.0 / 0.52 * 0.5)
    )
    for now_s in (1100.0, 1200.0):
        assert Pacer(held, 0.0, 100.0, 150.0).target_quantity(now_s) == pytest.approx(50.0)


def test_the_curve_of_arrivals_is_read_between_its_points() -> None:
    """F = 0, 0.8, 1 at 0, 50, 100 s. At 25 s F = 0.4: 62 seen make a posterior of 64 / 0.42."""
    held = pacing(arrived_share=(0.0, 0.8, 1.0), rule=replace(SHEET, reserve_share=0.0))
    found = Pacer(held, 0.0, 100.0, 62.0).target_quantity(1025.0)
    assert found == pytest.approx(100.0 / (64.0 / 0.42 * 0.6))


def test_before_its_window_nothing_has_arrived_and_all_of_the_reserve_is_held() -> None:
    """rho = (400 - 40) / 100."""
    assert opened(pacing()).target_quantity(900.0) == pytest.approx(3.6)


def test_what_is_held_back_is_no_target() -> None:
    """At the start 40 of the budget are reserve: with 39 left nothing may be used."""
    assert Pacer(pacing(), 0.0, 39.0, 5.0).target_quantity(1000.0) == 0.0
    after = Pacer(pacing(), 1.0, 39.0, 5.0).admitted(2.0, 1000.0)
    assert after.lambda_usd_per_unit == pytest.approx(1.0 + 0.25 * 2.0)


def test_a_slack_budget_starts_at_zero_and_still_moves() -> None:
    """Dual 0: the step takes the worth, 5, for its scale: 10 x 5 / 10 / 8 = 0.625."""
    start = opened(pacing(dual_usd_per_unit=0.0))
    assert start.lambda_usd_per_unit == 0.0
    assert start.pacing.step_usd_per_unit == pytest.approx(0.625)
    assert start.admitted(30.0, 1000.0).lambda_usd_per_unit == pytest.approx(0.625 * (30.0 - 3.6))


def test_it_opens_warm_and_whole() -> None:
    start = opened(pacing())
    assert (start.lambda_usd_per_unit, start.left_quantity, start.seen_count) == (2.0, 400.0, 0.0)


def test_settling_books_what_was_left_over() -> None:
    """250 left after an expected 6; it used 4.5."""
    done = Pacer(pacing(), 3.0, 250.0, 50.0).settled(expected_quantity=6.0, actual_quantity=4.5)
    assert done == Pacer(pacing(), 3.0, 251.5, 50.0)


def test_requests_told_together_move_lambda_as_if_each_saw_the_same_target() -> None:
    """Three requests that use 20 in all, at rho = 4.52: 3 + 0.25 x (20 - 13.56) = 4.61."""
    after = Pacer(pacing(), 3.0, 250.0, 50.0).admitted(20.0, 1064.0, requests_count=3.0)
    assert after.lambda_usd_per_unit == pytest.approx(4.61, rel=1e-12)
    assert (after.left_quantity, after.seen_count) == (230.0, 53.0)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        pacing(
            end_s=1000.0, budget_quantity=0.0, requests_count=-1.0, mean_use_quantity=float("nan"),
            worth_usd_per_unit=0.0, dual_usd_per_unit=-1.0, arrived_share=(0.0, 0.5),
        )  # fmt: skip
    for word in (
        "'free'", "does not last", "budget_quantity is 0", "requests_count is -1",
        "mean_use_quantity is nan", "worth_usd_per_unit is 0", "dual_usd_per_unit is -1",
        "arrived_share must rise from 0 to 1",
    ):  # fmt: skip
        assert word in str(error.value)


# ---- every stream ------------------------------------------------------------------------

uses = st.lists(st.floats(0.0, 60.0), min_size=1, max_size=60)


def play(start: Pacer, wanted: list[float], values: list[float]) -> tuple[list[Pacer], float]:
    """Serve what is worth its price and what the lease holds; return the states, and the value."""
    lease = Lease(budget="free", limit_quantity=start.pacing.budget_quantity)
    states, gained = [start], 0.0
    for at, (use, value) in enumerate(zip(wanted, values, strict=True)):
        now_s = 1000.0 + 100.0 * at / len(wanted)
        pays = value > states[-1].lambda_usd_per_unit * use and lease.holds(use)
        if pays:
            lease = lease.reserved(use).settled(worst_quantity=use, actual_quantity=use)
            gained += value
        states.append(states[-1].admitted(use if pays else 0.0, now_s))
        assert lease.spent_quantity <= lease.limit_quantity
    return states, gained


@given(uses, st.integers(0, 2**32 - 1))
def test_lambda_is_never_below_zero_and_the_budget_never_exceeded(
    wanted: list[float], seed: int
) -> None:
    values = list(np.random.default_rng(seed).lognormal(2.0, 1.5, len(wanted)))
    states, _ = play(opened(pacing()), wanted, values)
    for state in states:
        assert state.lambda_usd_per_unit >= 0.0
        assert 0.0 <= state.left_quantity <= 400.0 + 1e-9


@given(uses, st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_no_unit_of_money_or_energy_changes_a_choice(
    wanted: list[float], seed: int, money: float, energy: float
) -> None:
    """With values x money and uses x energy, lambda is x money / energy and left x energy."""
    values = list(np.random.default_rng(seed).lognormal(2.0, 1.5, len(wanted)))
    plain = opened(pacing())
    scaled = opened(
        pacing(
            budget_quantity=400.0 * energy,
            mean_use_quantity=8.0 * energy,
            dual_usd_per_unit=2.0 * money / energy,
            worth_usd_per_unit=5.0 * money / energy,
        )
    )
    for at, (use, value) in enumerate(zip(wanted, values, strict=True)):
        now_s = 1000.0 + 100.0 * at / len(wanted)
        used = use if value > plain.lambda_usd_per_unit * use else 0.0
        plain = plain.admitted(used, now_s)
        scaled = scaled.admitted(used * energy, now_s)
        assert scaled.lambda_usd_per_unit * energy / money == pytest.approx(
            plain.lambda_usd_per_unit, rel=1e-9, abs=1e-9
        )
        assert scaled.left_quantity / energy == pytest.approx(
            plain.left_quantity, rel=1e-9, abs=1e-7
        )


@given(
    st.floats(0.0, 400.0), st.floats(0.0, 200.0), st.floats(1000.0, 1100.0), st.floats(0.0, 50.0)
)
def test_more_left_never_raises_the_price(
    left: float, seen: float, now_s: float, more: float
) -> None:
    poor, rich = (Pacer(pacing(), 3.0, each, seen) for each in (left, left + more))
    assert rich.target_quantity(now_s) >= poor.target_quantity(now_s)
    assert (
        rich.admitted(5.0, now_s).lambda_usd_per_unit
        <= poor.admitted(5.0, now_s).lambda_usd_per_unit
    )


@given(st.floats(0.0, 400.0), st.floats(0.0, 200.0), st.floats(900.0, 1200.0))
def test_the_target_is_the_formula_of_the_sheet(left: float, seen: float, now_s: float) -> None:
    """Written out again as it stands in section 3.5, with F even."""
    tau = min(1.0, max(0.0, (now_s - 1000.0) / 100.0))
    n_hat = 100.0
    k = 0.02 * n_hat
    n_post = (seen + k) / (tau + k / n_hat)
    requests_left = max(n_hat - seen, n_post * (1.0 - tau), 0.02 * n_hat)
    rho = max(0.0, left - 0.10 * 400.0 * sqrt(1.0 - tau)) / requests_left
    found = Pacer(pacing(), 0.0, left, seen).target_quantity(now_s)
    assert found == pytest.approx(rho, rel=1e-9, abs=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.6))
def test_twice_the_budget_keeps_more_value(seed: int, share: float) -> None:
    """Of 400 even requests, under a budget of that part of what they would use, and of twice it.

    A factor of two, for a price that is learnt may lose a request where there is a little more.
    """
    random = np.random.default_rng(seed)
    values, wanted = list(random.lognormal(2.0, 1.0, 400)), [8.0] * 400
    kept = []
    for part in (share / 2.0, share):
        start = opened(pacing(budget_quantity=part * 3200.0, requests_count=400.0))
        kept.append(play(start, wanted, values)[1])
    assert kept[1] > kept[0]


# ---- the lease ---------------------------------------------------------------------------


def test_a_lease_reserves_the_worst_and_charges_the_actual() -> None:
    """Of 10: 6 reserved, so 5 do not fit; it used 4, so 6 do."""
    lease = Lease(budget="b", limit_quantity=10.0).reserved(6.0)
    assert not lease.holds(5.0)
    with pytest.raises(InputError, match="a reservation of 5 exceeds the 4 that are free"):
        lease.reserved(5.0)
    lease = lease.settled(worst_quantity=6.0, actual_quantity=4.0)
    assert lease.free_quantity == 6.0
    assert lease.holds(6.0)


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 1.0)), max_size=40))
def test_spent_and_reserved_never_exceed_the_limit(steps: list[tuple[float, float]]) -> None:
    lease = Lease(budget="b", limit_quantity=20.0)
    under_way: list[tuple[float, float]] = []
    for worst, part in steps:
        if lease.holds(worst):
            lease = lease.reserved(worst)
            under_way.append((worst, worst * part))
        if len(under_way) > 2:
            done = under_way.pop(0)
            lease = lease.settled(worst_quantity=done[0], actual_quantity=done[1])
        assert lease.spent_quantity + lease.reserved_quantity <= 20.0 + 1e-9
