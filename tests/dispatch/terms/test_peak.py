"""A demand charge in the program: the worked dual, bounds from the past, targets."""

from dataclasses import replace

import numpy as np
import pytest
from worlds import plain, workload

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.duals import PartsOfPrice, PriceBoard
from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.terms.months import Months
from tokenergy.dispatch.terms.peak import Peak
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World


def months(count: int, *, turn: int | None = None) -> Months:
    """Return one month, or two that meet at interval `turn`."""
    month = np.zeros(count, dtype=np.int64)
    if turn is not None:
        month[turn:] = 1
    return Months(month=month, names=("2026-03", "2026-04"), touched=np.ones(count, dtype=bool))


def peak(count: int, *, usd_per_kw=12.0, turn=None, **changes) -> Peak:
    return replace(
        Peak(
            contract_id="grid",
            component="demand",
            site=0,
            months=months(count, turn=turn),
            counts=np.ones(count, dtype=bool),
            begins=np.ones(count, dtype=bool),
            charged=np.ones(2, dtype=bool),
            floor_mw=np.zeros(2),
            season=tuple(range(1, 13)),
            target_mw=np.zeros(2),
            usd_per_kw_month=usd_per_kw,
            demand_interval_h=1.0,
            peak_ratio=1.0,
            ratchet_share=0.0,
            lookback_months=11,
            remembers_billed=False,
        ),
        **changes,
    )


def two_hours(usd_per_kw: float) -> World:
    """Return 30 MWh to place freely on hours at 40 and 60 USD/MWh."""
    made = plain([[40.0, 60.0]], [[300.0, 0.0]], value=1e3)
    return replace(
        made,
        workloads=(workload(value=1e3, defer=1),),
        terms=(peak(2, usd_per_kw=usd_per_kw),),
    )


# ---- the worked dual of the contracts sheet, section 5 -----------------------------------


def test_the_worked_dual():
    """30 USD/MW: 15 MWh each, 1,500 + 450 = 1,950; pi = (25, 5), 40 + 25 = 60 + 5 = 65."""
    optimum = solve_horizon(two_hours(0.03))
    assert optimum.objective_usd == pytest.approx(1950.0, rel=1e-9)
    assert optimum.value("meter_import")[:, 0] == pytest.approx([15.0, 15.0])
    assert optimum.dual("balance")[:, 0] == pytest.approx([65.0, 65.0], rel=1e-9)
    rents = [optimum.rent_usd_per_mwh("demand_peak", at, "meter_import")[0] for at in (0, 1)]
    assert rents == pytest.approx([25.0, 5.0], rel=1e-9)
    assert optimum.value("grid.demand.peak") == pytest.approx([15.0, 0.0])


def test_the_worked_dual_at_a_lower_rate():
    """12 USD/MW: all 30 MWh in the cheap hour, pi = (12, 0): 52 there, and 60 where nothing is."""
    optimum = solve_horizon(two_hours(0.012))
    assert optimum.value("meter_import")[:, 0] == pytest.approx([30.0, 0.0])
    rents = [optimum.rent_usd_per_mwh("demand_peak", at, "meter_import")[0] for at in (0, 1)]
    assert rents == pytest.approx([12.0, 0.0], abs=1e-9)
    assert optimum.dual("balance")[0, 0] == pytest.approx(52.0, rel=1e-9)


def test_a_token_pays_its_part_of_the_peak():
    """0.1 MWh a Mtok: 4.00 energy + 2.50 peak in the first hour, 6.00 + 0.50 in the second."""
    made = two_hours(0.03)
    optimum = solve_horizon(made)
    for at, (energy, rent) in enumerate(((4.0, 2.5), (6.0, 0.5))):
        parts = PartsOfPrice(made).at(optimum, at)
        assert parts.energy[0] == pytest.approx(energy)
        assert parts.demand_peak_rent[0] == pytest.approx(rent)
        assert parts.total()[0] == pytest.approx(6.5)


def test_the_board_shows_the_rent_and_its_parts_sum():
    made = two_hours(0.03)
    board = PriceBoard(made, true_window(made, begin=0, count=2), State.initial(made))
    row = next(board.rows(range(1)))
    assert row.demand_peak_rent_usd_per_mtok > 0.0
    parts = (
        row.energy_usd_per_mtok + row.mw_rent_usd_per_mtok + row.demand_peak_rent_usd_per_mtok
        + row.cfe_rent_usd_per_mtok + row.gpu_rent_usd_per_mtok + row.wake_usd_per_mtok
        + row.network_usd_per_mtok + row.quality_usd_per_mtok + row.other_usd_per_mtok
    )  # fmt: skip
    assert parts == pytest.approx(row.total_usd_per_mtok, rel=1e-9)
    assert row.high_usd_per_mtok == pytest.approx(6.5)


# ---- state -------------------------------------------------------------------------------


def one_hour(load_mtok: float, term: Peak, state: ContractState | None = None):
    """Return the optimum of one hour at 50 USD/MWh with a tenth of a MWh a Mtok."""
    made = replace(plain([[50.0] * 2], [[load_mtok, 0.0]], value=1e9), terms=(term,))
    start = State.initial(made)
    if state is not None:
        start = replace(start, contracts={"grid.demand": state})
    window = true_window(made, begin=0, count=2)
    return WindowModel(made, window, start).solved(window), made


def test_only_what_is_above_the_peak_so_far_costs_money():
    """28 so far, 30 needed: 2 x 12,000 for the difference, and nothing below 28."""
    past = ContractState(period="2026-03", peak_mw=28.0, billed_mw=28.0)
    above, _ = one_hour(300.0, peak(2), past)
    assert above.objective_usd - 30.0 * 50.0 - 28.0 * 12_000.0 == pytest.approx(24_000.0)
    below, _ = one_hour(270.0, peak(2), past)
    assert below.rent_usd_per_mwh("demand_peak", 0, "meter_import")[0] == 0.0


def test_a_past_peak_is_no_peak_of_this_month_but_its_ratchet_is():
    """0.85 of 40 MW is 34: 30 MW cost nothing more, whatever February's running figure was."""
    term = peak(2, ratchet_share=0.85)
    past = ContractState(period="2026-02", peak_mw=40.0, billed_mw=40.0)
    optimum, _ = one_hour(300.0, term, past)
    assert optimum.value("grid.demand.billed").max() == pytest.approx(34.0)
    assert optimum.rent_usd_per_mwh("demand_peak", 0, "meter_import")[0] == 0.0


@pytest.mark.parametrize(
    ("name", "season", "lookback", "billed_mw"),
    [
        ("2025-04", range(1, 13), 11, 34.0),
        ("2025-03", range(1, 13), 11, 30.0),
        ("2025-08", range(6, 10), 11, 34.0),
        ("2025-11", range(6, 10), 11, 30.0),
    ],
)
def test_the_ratchet_looks_back_as_far_as_it_says(name, season, lookback, billed_mw):
    """11 months before March 2026 begin with April 2025; a summer ratchet forgets November."""
    term = peak(2, ratchet_share=0.85, season=tuple(season), lookback_months=lookback)
    optimum, _ = one_hour(300.0, term, ContractState(past_peaks=((name, 40.0),)))
    assert optimum.value("grid.demand.billed").max() == pytest.approx(billed_mw)


def test_a_month_within_the_window_ratchets_the_next():
    """20 MW in March and 5 in April: 0.85 x 20 = 17 is billed in April.

    A MW more in March costs its own 12,000 and 0.85 x 12,000 in April: 22,200.
    """
    made = plain([[50.0, 50.0]], [[200.0, 50.0]], value=1e9)
    made = replace(made, terms=(peak(2, turn=1, ratchet_share=0.85),))
    optimum = solve_horizon(made)
    assert optimum.value("grid.demand.billed") == pytest.approx([20.0, 17.0])
    rent = optimum.rent_usd_per_mwh("demand_peak", 0, "meter_import")[0]
    assert rent == pytest.approx(22_200.0)
    assert optimum.rent_usd_per_mwh("demand_peak", 1, "meter_import")[0] == 0.0


def test_a_minimum_bill_takes_the_rent_away():
    """42.5 MW are billed whatever is drawn below: 510,000 USD, and no rent."""
    optimum, _ = one_hour(300.0, peak(2, floor_mw=np.array([42.5, 0.0])))
    assert optimum.objective_usd == pytest.approx(30.0 * 50.0 + 510_000.0)
    assert optimum.rent_usd_per_mwh("demand_peak", 0, "meter_import")[0] == 0.0


def test_hours_outside_the_charge_are_free():
    term = peak(2, counts=np.array([False, True]))
    optimum, _ = one_hour(300.0, term)
    assert optimum.objective_usd == pytest.approx(30.0 * 50.0)


# ---- targets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen_h", "held"), [(24, 1.0), (24 * 25, 1.0), (24 * 28, 0.4), (720, 0.0)]
)
def test_a_target_holds_until_its_month_is_nearly_seen(seen_h, held):
    """April has 720 h here. What the window does not see of it: 5 days or more, 2 days, none."""
    count = 720
    made = plain([[50.0] * count], [[10.0] * count], value=1e9)
    term = replace(peak(count), target_mw=np.array([20.0, 0.0]))
    made = replace(made, terms=(term,))
    past = ContractState(period="2026-03", peak_mw=10.0, billed_mw=10.0)
    state = replace(State.initial(made), contracts={"grid.demand": past})
    window = true_window(made, begin=0, count=seen_h)
    optimum = WindowModel(made, window, state).solved(window)
    assert optimum.value("grid.demand.peak").max() == pytest.approx(10.0 + held * 10.0)
