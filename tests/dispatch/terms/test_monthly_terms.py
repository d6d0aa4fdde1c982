"""Tiers and the least bill in the program, by hand; prices with peaks as derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import plain, random_world

from tokenergy.company.contract_state import ContractState
from tokenergy.dispatch.solve import WindowModel, solve_horizon
from tokenergy.dispatch.supply import MeterRate
from tokenergy.dispatch.terms.minimum import Minimum
from tokenergy.dispatch.terms.months import Months, month_number
from tokenergy.dispatch.terms.peak import Peak
from tokenergy.dispatch.terms.tier import Tier
from tokenergy.dispatch.window import true_window
from tokenergy.dispatch.world import State, World


def months(count: int, *, turn: int | None = None) -> Months:
    month = np.zeros(count, dtype=np.int64)
    if turn is not None:
        month[turn:] = 1
    return Months(month=month, names=("2026-03", "2026-04"), touched=np.ones(count, dtype=bool))


def tier(count: int, *, turn: int | None = None) -> Tier:
    """60 USD to 50 MWh, 80 above (contracts sheet, section 5)."""
    return Tier(
        contract_id="grid", component="tiers", site=0, months=months(count, turn=turn),
        thresholds_mwh=(50.0,), usd_per_mwh=(60.0, 80.0),
    )  # fmt: skip


def drawing(*mwh: float, term, prices=None) -> World:
    """Return hours that draw these MWh, at 0 USD/MWh of spot."""
    asked = [[10.0 * each for each in mwh]]
    return replace(plain([prices or [0.0] * len(mwh)], asked, value=1e9), terms=(term,))


# ---- tiers -------------------------------------------------------------------------------


def test_tiers_by_hand():
    """10, 20, 30 and 20 MWh: 50 x 60 + 30 x 80 = 5,400; the next MWh costs 80 in every hour."""
    optimum = solve_horizon(drawing(10.0, 20.0, 30.0, 20.0, term=tier(4)))
    assert optimum.objective_usd == pytest.approx(5_400.0)
    assert optimum.dual("balance")[:, 0] == pytest.approx([80.0] * 4)


def test_each_month_begins_with_the_first_tier():
    """60 MWh in March, 20 in April: 50 x 60 + 10 x 80, and 20 x 60."""
    optimum = solve_horizon(drawing(60.0, 20.0, term=tier(2, turn=1)))
    assert optimum.objective_usd == pytest.approx(3_800.0 + 1_200.0)
    assert optimum.dual("balance")[:, 0] == pytest.approx([80.0, 60.0])


def test_what_was_drawn_before_has_filled_the_first_tier():
    """45 MWh so far: 5 of the next 20 at 60, 15 at 80."""
    made = drawing(20.0, 0.0, term=tier(2))
    past = ContractState(period="2026-03", energy_mwh=45.0)
    state = replace(State.initial(made), contracts={"grid.tiers": past})
    window = true_window(made, begin=0, count=2)
    optimum = WindowModel(made, window, state).solved(window)
    assert optimum.objective_usd == pytest.approx(5 * 60.0 + 15 * 80.0)


def test_a_window_prices_a_mwh_by_where_the_month_will_end():
    """1 MWh an hour for 30 h, 50 at 60: at this pace the month of 72 h ends in the second tier."""
    made = drawing(*[1.0] * 72, term=tier(72))
    past = ContractState(period="2026-03", energy_mwh=30.0)
    state = replace(State.initial(made), contracts={"grid.tiers": past})
    window = true_window(made, begin=30, count=4)
    optimum = WindowModel(made, window, state).solved(window)
    assert optimum.dual("balance")[:, 0] == pytest.approx([80.0] * 4)
    early = true_window(made, begin=4, count=4)
    past = ContractState(period="2026-03", energy_mwh=4.0)
    state = replace(State.initial(made), contracts={"grid.tiers": past})
    optimum = WindowModel(made, early, state).solved(early)
    assert optimum.dual("balance")[:, 0] == pytest.approx([60.0] * 4)  # too early for a pace


# ---- the least bill ----------------------------------------------------------------------


def least(count: int, usd: float, *, turn: int | None = None, sunk=0.0) -> Minimum:
    """A least bill of what a rate of 10 USD/MWh and a fixed charge bring."""
    rate = MeterRate(
        contract_id="grid", component="energy", site=0, kind="energy",
        import_usd_per_mwh=np.full(count, 10.0), export_usd_per_mwh=np.zeros(count),
    )  # fmt: skip
    fixed = np.zeros(count)
    fixed[0] = sunk
    return Minimum(
        contract_id="grid", component="minimum", site=0, months=months(count, turn=turn),
        usd_per_month=usd, rates=(rate,), sunk_usd=fixed, supply_usd_per_mwh=np.zeros((2, count)),
        peaks=(), tiers=(),
    )  # fmt: skip


def with_rate(term: Minimum, *mwh: float, prices=None) -> World:
    return replace(drawing(*mwh, term=term, prices=prices), rates=term.rates)


def test_up_to_the_least_bill_a_rate_costs_nothing_more():
    """30 MWh at 10 are 300, of at least 500: 500 are paid, and one MWh more costs its spot of 7."""
    optimum = solve_horizon(with_rate(least(2, 500.0), 10.0, 20.0, prices=[7.0, 7.0]))
    assert optimum.objective_usd == pytest.approx(500.0 + 30 * 7.0)
    assert optimum.dual("balance")[:, 0] == pytest.approx([7.0, 7.0])


def test_above_it_the_rate_is_what_it_says():
    optimum = solve_horizon(with_rate(least(2, 200.0, sunk=50.0), 10.0, 20.0))
    assert optimum.objective_usd == pytest.approx(300.0)
    assert optimum.dual("balance")[:, 0] == pytest.approx([10.0, 10.0])


def test_a_window_is_held_against_its_part_of_the_month():
    """4 h of 8 see half of 500: 20 MWh at 10 lack 50 of 250."""
    made = with_rate(least(8, 500.0), *[5.0] * 8)
    window = true_window(made, begin=0, count=4)
    optimum = WindowModel(made, window, State.initial(made)).solved(window)
    assert optimum.value("grid.minimum.topup").max() == pytest.approx(50.0)


# ---- the ring of months ------------------------------------------------------------------


@pytest.mark.parametrize(("hours", "size"), [(48, 2), (670, 2), (744, 3), (8760, 5)])
def test_a_ring_has_room_for_every_month_a_window_can_touch(hours, size):
    """Of five months, 48 h touch two at most; 744 h may lie around a whole February: three."""
    names = tuple(f"2026-{month:02}" for month in range(1, 6))
    known = Months(month=np.zeros(1, dtype=np.int64), names=names, touched=np.ones(1, dtype=bool))
    made = plain([[1.0] * hours], [[0.0] * hours])
    window = true_window(made, begin=0, count=hours)
    assert known.ring_size(window, 1.0) == size


def test_months_are_numbered_through_the_years():
    assert month_number("2026-01") - month_number("2025-12") == 1
    assert month_number("2026-03") % 12 + 1 == 3


# ---- prices as derivatives ---------------------------------------------------------------


def peaky(seed: int) -> World:
    """Return a random world with peaks at two sites, a coincident rate and tiers."""
    rng = np.random.default_rng(seed)
    made = random_world(seed, hours=18)
    whole = months(18, turn=int(rng.integers(2, 17)))

    def peak(site: int) -> Peak:
        return Peak(
            contract_id=f"grid{site}", component="demand", site=site, months=whole,
            counts=rng.random(18) < 0.7, begins=np.ones(18, dtype=bool),
            charged=np.ones(2, dtype=bool), floor_mw=rng.uniform(0, 2, 2),
            season=tuple(range(1, 13)), target_mw=np.zeros(2),
            usd_per_kw_month=float(rng.uniform(0.01, 0.2)), demand_interval_h=1.0, peak_ratio=1.0,
            ratchet_share=float(rng.choice([0.0, 0.8])), lookback_months=11,
            remembers_billed=bool(rng.random() < 0.5),
        )  # fmt: skip

    hit = np.zeros(18)
    hit[int(rng.integers(0, 18))] = 200.0
    rate = MeterRate(
        contract_id="grid2", component="4cp", site=2, kind="demand_peak",
        import_usd_per_mwh=hit, export_usd_per_mwh=np.zeros(18),
    )  # fmt: skip
    tiers = replace(tier(18), site=1, months=whole, thresholds_mwh=(20.0,), usd_per_mwh=(1.0, 9.0))
    return replace(made, rates=(rate,), terms=(peak(0), peak(1), tiers))


@settings(max_examples=15)
@given(st.integers(0, 2_000))
def test_a_price_lies_between_the_quotients_of_one_kwh(seed: int) -> None:
    """The dual of what is asked lies within the change of the optimum by a little less and more."""
    made = peaky(seed)
    window = true_window(made, begin=0, count=18)
    model = WindowModel(made, window, State.initial(made))
    base = model.solved(window)
    at = int(np.random.default_rng(seed).integers(0, 18))
    dual = float(base.dual("demand")[at, 0])
    quotients = []
    for more_mtok in (-0.02, 0.02):  # about 1 kWh
        model.ask_more(window, at=at, workload=0, more_mtok=more_mtok)
        quotients.append((model.solved(window).objective_usd - base.objective_usd) / more_mtok)
        model.ask_more(window, at=at, workload=0, more_mtok=-more_mtok)
    left, right = quotients
    slack = 1e-5 * max(1.0, abs(dual))
    assert left - slack <= dual <= right + slack


@settings(max_examples=25)
@given(st.integers(0, 2_000))
def test_the_price_at_a_meter_is_what_it_is_made_of(seed: int) -> None:
    """Where a site imports within its limits and buys: market value, rates, and every row's rent.

    lambda = (1 + loss)(N + adder) + rates + peak rents + tier rents (contracts sheet, 2.4).
    """
    made = peaky(seed)
    optimum = solve_horizon(made)
    node, limit = optimum.dual("balance"), made.import_limit_mw.T
    drawn, market = optimum.value("meter_import"), optimum.dual("commercial")
    for at in range(18):
        rents = sum(
            optimum.rent_usd_per_mwh(rent, at, "meter_import")
            for rent in ("energy", "demand_peak", "cfe")
        )
        rates = optimum.window.rate_usd_per_mwh[:, :, at].sum(axis=0)
        for site in range(made.sites_count):
            if 1e-6 < drawn[at, site] < limit[at, site] - 1e-6:
                want = market[at, site] + rates[site] + rents[site]
                assert node[at, site] == pytest.approx(want, rel=1e-6, abs=1e-6)
