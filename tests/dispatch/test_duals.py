"""The price of a Mtok: both ends as quotients of optima, and parts that add up to it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    api,
    api_route,
    block,
    deployment,
    fleet,
    plain,
    random_case,
    random_state,
    random_world,
    route,
    take,
    workload,
    world,
)

from tokenergy.company.marginal import MarginalCost
from tokenergy.dispatch import duals
from tokenergy.dispatch.duals import PriceBoard, asked_usd_per_mtok
from tokenergy.dispatch.solve import WindowModel
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import State, World
from tokenergy.errors import SolverFailure
from tokenergy.lp import highs


def board(made: World, state: State | None = None, *, count: int | None = None) -> PriceBoard:
    window = true_window(made, begin=made.first, count=count or made.count)
    return PriceBoard(made, window, State.initial(made) if state is None else state)


def price(made: World, *, at=0, workload=0) -> list[MarginalCost]:
    """Return the rows of one workload in one interval."""
    name = made.workloads[workload].name
    return [row for row in board(made).rows(range(at, at + 1)) if row.workload == name]


def optimum_usd(made: World, window: Window, state: State, *, at, workload, more) -> float:
    arrivals = window.arrivals_mtok.copy()
    arrivals[workload, at] += more
    fresh = replace(window, arrivals_mtok=arrivals)
    return WindowModel(made, fresh, state).solved(fresh).objective_usd


def quotients(made: World, window: Window, state: State, *, at: int, workload: int):
    """Return both one-sided derivatives of the optimum by arrivals, from optima alone.

    The step shrinks until two of them agree to 0.1 %: an answer of its own, with its own eps.
    """
    base = optimum_usd(made, window, state, at=at, workload=workload, more=0.0)
    ends = []
    for sign in (-1.0, 1.0):
        step, last = 2e-3 * max(1.0, float(window.arrivals_mtok[workload, at])), None
        for _ in range(12):
            usd = optimum_usd(made, window, state, at=at, workload=workload, more=sign * step)
            slope = sign * (usd - base) / step
            if last is not None and abs(slope - last) <= 1e-3 * max(abs(slope), 1e-4):
                break
            last, step = slope, step / 3.0
        ends.append(slope)
    return ends


# ---- both ends ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_both_ends_are_quotients_of_optima(seed):
    """Generic states and states at a kink (round numbers, equal prices), every workload."""
    made, state = random_case(seed, hours=8)
    if seed % 2:
        made = replace(
            made,
            spot_usd_per_mwh=np.round(made.spot_usd_per_mwh, -1),
            arrivals_mtok=np.round(made.arrivals_mtok, -1),
        )
        state = State.initial(made)
    window = true_window(made, begin=0, count=8)
    prices = PriceBoard(made, window, state)
    for at in (0, 1, 4, 7):
        for load in range(3):
            ends = prices.ends(workload=load, at=at)
            low, high = quotients(made, window, state, at=at, workload=load)
            if made.arrivals_mtok[load, at] > 0.0:
                assert ends.low_usd_per_mtok == pytest.approx(low, rel=0.01, abs=1e-4)
            else:
                assert ends.low_usd_per_mtok is None
            assert ends.high_usd_per_mtok == pytest.approx(high, rel=0.01, abs=1e-4)


def test_the_ends_part_at_a_kink():
    """0.1 MWh a Mtok; 2 MW at 20 USD/MWh at one site, then 60 at the other.

    At exactly 20 Mtok the last cost 2 USD and the next costs 6; a Mtok before and after they
    agree.
    """
    for asked, low, high in ((19.0, 2.0, 2.0), (20.0, 2.0, 6.0), (21.0, 6.0, 6.0)):
        made = plain([[20.0], [60.0]], [[asked]], import_limit=[[2.0], [100.0]])
        for row in price(made):
            assert (row.low_usd_per_mtok, row.high_usd_per_mtok) == pytest.approx((low, high))


def test_waiting_is_worth_what_it_saves():
    """10 Mtok that may wait an hour, at 90 and 10 USD/MWh and 0.1 MWh.

    All wait, and so does one more: it costs 1 USD, not 9. Nothing is in use in the first hour.
    """
    made = plain([[90.0, 10.0]], [[10.0, 0.0]])
    made = replace(made, workloads=(workload(defer=1),))
    (row,) = price(made)
    assert (row.low_usd_per_mtok, row.high_usd_per_mtok) == pytest.approx((1.0, 1.0))
    assert not row.in_use
    assert row.total_usd_per_mtok == pytest.approx(9.0)
    (later,) = price(made, at=1)
    assert later.in_use
    assert later.high_usd_per_mtok == pytest.approx(1.0)


def test_a_longer_window_never_costs_more():
    """Dispatch sheet, section 3: the price of deferrable work falls as its window widens."""
    made = plain([[90.0, 50.0, 70.0, 10.0]], [[10.0, 5.0, 5.0, 5.0]])
    highs_usd = [
        price(replace(made, workloads=(workload(defer=defer),)))[0].high_usd_per_mtok
        for defer in range(5)
    ]
    assert highs_usd == pytest.approx([9.0, 5.0, 5.0, 1.0, 1.0])


def test_work_that_is_served_because_it_is_due_is_not_where_the_next_mtok_goes():
    """4 Mtok are due now at 90 USD/MWh; what arrives may wait for 10.

    The deployment serves, yet one more Mtok costs 1 and would go there for 9: not in use for it.
    """
    made = plain([[90.0, 10.0]], [[6.0, 0.0]])
    made = replace(made, workloads=(workload(defer=1),))
    state = replace(State.initial(made), backlog_mtok=np.array([[4.0]]))
    row = next(board(made, state).rows())
    assert (row.share, row.in_use) == (1.0, False)
    assert row.high_usd_per_mtok == pytest.approx(1.0)
    assert row.total_usd_per_mtok == pytest.approx(9.0)


def test_a_workload_that_nobody_asks_for_has_no_low_end():
    made = plain([[20.0]], [[0.0]])
    (row,) = price(made)
    assert row.low_usd_per_mtok is None
    assert row.high_usd_per_mtok == pytest.approx(2.0)
    assert row.share == 0.0


def test_a_price_of_nothing_is_zero():
    made = plain([[0.0]], [[5.0]])
    (row,) = price(made)
    assert row.high_usd_per_mtok == row.low_usd_per_mtok == 0.0


def test_a_price_is_never_above_the_value():
    """600 USD/MWh x 0.1 MWh = 60 USD, worth 50: the next Mtok is refused for 50."""
    (row,) = price(plain([[600.0]], [[10.0]], value=50.0))
    assert row.high_usd_per_mtok == pytest.approx(50.0)
    assert not row.in_use
    assert row.total_usd_per_mtok == pytest.approx(60.0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_a_board_does_not_depend_on_what_was_priced_before(seed):
    """Prices in any order, and again: the basis and the right-hand sides are put back."""
    made, state = random_case(seed % 40, hours=6)
    rng = np.random.default_rng(seed)
    window = true_window(made, begin=0, count=6)
    prices = PriceBoard(made, window, state)
    asked = [(int(rng.integers(0, 3)), int(rng.integers(0, 6))) for _ in range(5)]
    first = [prices.ends(workload=w, at=at).high_usd_per_mtok for w, at in asked]
    again = [prices.ends(workload=w, at=at).high_usd_per_mtok for w, at in reversed(asked)]
    assert first == pytest.approx(list(reversed(again)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_dual_and_primal_simplex_give_the_same_ends(seed, monkeypatch):
    made, state = random_case(seed, hours=6)
    if seed % 2:
        made = replace(made, arrivals_mtok=np.round(made.arrivals_mtok, -1))
    window = true_window(made, begin=0, count=6)
    quiet = highs._quiet_highs

    def ends_by(strategy: int) -> list[float]:
        def chosen(solver: str):
            made_highs = quiet(solver)
            made_highs.setOptionValue("simplex_strategy", strategy)
            return made_highs

        monkeypatch.setattr(highs, "_quiet_highs", chosen)
        prices = PriceBoard(made, window, state)
        found = []
        for at in range(6):
            for load in range(3):
                ends = prices.ends(workload=load, at=at)
                found += [ends.low_usd_per_mtok or 0.0, ends.high_usd_per_mtok]
        return found

    assert ends_by(1) == pytest.approx(ends_by(4), rel=1e-6, abs=1e-7)


def test_a_dual_that_disagrees_with_its_quotient_is_not_published(monkeypatch):
    """Both ends are refused, not rounded, when the duals are not those of the optimum."""
    prices = board(plain([[20.0]], [[5.0]]))
    monkeypatch.setattr(duals, "_asked_usd_per_mtok", lambda *_, **__: 3.0)
    with pytest.raises(
        SolverFailure, match=r"dual 3 USD/Mtok and the quotient of optima differ by 33.33%"
    ):
        prices.ends(workload=0, at=0)


# ---- parts -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(16))
def test_parts_sum_to_the_high_end_where_in_use_and_exceed_it_elsewhere(seed):
    made, state = random_case(seed, hours=7, step_h=(1.0, 0.5)[seed % 2])
    rows = list(board(made, state).rows())
    assert len(rows) == 7 * len(made.routes)
    assert any(row.in_use for row in rows)
    for row in rows:
        total = sum(row.parts().values())
        slack = 1e-6 * max(1.0, abs(total))
        assert row.total_usd_per_mtok == pytest.approx(total, abs=1e-9)
        assert row.low_usd_per_mtok is not None
        assert row.low_usd_per_mtok <= row.high_usd_per_mtok + slack
        if row.in_use:
            assert abs(total - row.high_usd_per_mtok) <= slack
            assert abs(row.other_usd_per_mtok) <= slack
        else:
            assert total >= row.high_usd_per_mtok - slack
        split = row.energy_marginal_usd_per_mtok + row.energy_base_usd_per_mtok
        assert split == pytest.approx(row.energy_usd_per_mtok, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_shares_are_where_the_optimum_serves(seed):
    made, state = random_case(seed, hours=4)
    prices = board(made, state)
    served = prices.optimum.value("serve")
    for at in range(4):
        for load, spec in enumerate(made.workloads):
            rows = [r for r in prices.rows(range(at, at + 1)) if r.workload == spec.name]
            mine = [i for i, r in enumerate(made.routes) if r.workload == load]
            if served[at, mine].sum() > 1e-6:
                assert sum(row.share for row in rows) == pytest.approx(1.0)
            for row, i in zip(rows, mine, strict=True):
                assert row.share == pytest.approx(
                    served[at, i] / max(served[at, mine].sum(), 1e-300), abs=1e-8
                )


def test_a_hand_price_in_parts():
    """Rate 10 Mtok/h on 2 GPUs, base 0.5 MW, slope 0.1, sleep 0.05 MW a GPU, PUE 1.2, lease 3 USD.

    E = 1.2 x (0.1 + (0.5 - 2 x 0.05) / 10) = 0.168 MWh a Mtok at 100 USD/MWh: 16.8, of which
    1.2 x 0.1 x 100 = 12 are the tokens' own. GPUs 2 x 3 / 10 = 0.6. Network 0.25. Sum 17.65.
    """
    made = world(
        [[100.0]],
        [[5.0]],
        routes=(route(0, 0, rate=10.0, marginal=0.1, network=0.25),),
        deployments=(deployment(0, gpus=2, base_mw=0.5),),
        fleets=(fleet(0, gpus=8.0, lease=3.0, sleep_mw=0.05),),
        workloads=(workload(),),
        pue=1.2,
    )
    (row,) = price(made)
    assert row.energy_usd_per_mtok == pytest.approx(16.8)
    assert row.energy_marginal_usd_per_mtok == pytest.approx(12.0)
    assert row.energy_base_usd_per_mtok == pytest.approx(4.8)
    assert row.gpu_rent_usd_per_mtok == pytest.approx(0.6)
    assert row.network_usd_per_mtok == pytest.approx(0.25)
    assert row.total_usd_per_mtok == row.high_usd_per_mtok == pytest.approx(17.65)
    assert row.energy_mwh_per_mtok == pytest.approx(0.168)
    assert row.node_usd_per_mwh == pytest.approx(100.0)
    assert row.within_replica_usd_per_mtok == pytest.approx(12.25)
    assert row.mw_rent_usd_per_mtok == row.wake_usd_per_mtok == row.quality_usd_per_mtok == 0.0
    assert row.other_usd_per_mtok == pytest.approx(0.0, abs=1e-9)
    assert (row.workload, row.site, row.accelerator, row.model) == ("chat", "s0", "X", "m")
    assert (row.start, row.in_use, row.share) == (made.start, True, 1.0)


def test_a_scarce_fleet_has_a_rent():
    """10 GPUs x 10 Mtok/h, 150 asked at 50 USD of value and 2 of energy: 48 x 10 a GPU-hour."""
    made = world(
        [[20.0]],
        [[150.0]],
        routes=(route(0, 0),),
        deployments=(deployment(0),),
        fleets=(fleet(0, gpus=10.0),),
        workloads=(workload(value=50.0),),
    )
    (row,) = price(made)
    assert row.energy_usd_per_mtok == pytest.approx(2.0)
    assert row.gpu_rent_usd_per_mtok == pytest.approx(48.0)
    assert row.high_usd_per_mtok == pytest.approx(50.0)


def test_an_api_caps_the_rent_of_a_scarce_fleet():
    """The same fleet beside an API at 12: the rent is 12 - 2 = 10."""
    made = world(
        [[20.0]],
        [[150.0]],
        routes=(route(0, 0), api_route(0, 1, usd_per_mtok=12.0)),
        deployments=(deployment(0), api()),
        fleets=(fleet(0, gpus=10.0),),
        workloads=(workload(value=50.0),),
    )
    own, bought = price(made)
    assert own.gpu_rent_usd_per_mtok == pytest.approx(10.0)
    assert own.high_usd_per_mtok == pytest.approx(12.0)
    assert bought.in_use
    assert (bought.site, bought.accelerator) == ("api", "external")
    assert bought.parts() == pytest.approx({**dict.fromkeys(bought.parts(), 0.0), "gpu_rent": 12.0})
    assert bought.within_replica_usd_per_mtok is None


def test_a_promised_quality_has_a_price():
    """Floor 0.9 from qualities 1 (3 USD) and 0.6 (1 + 1.6 lost).

    A Mtok costs 0.75 x 3 + 0.25 x 2.6 = 2.9. The floor's dual is 1: the good one earns 0.1, the
    cheap one pays 0.3.
    """
    made = world(
        [[0.0]],
        [[10.0]],
        routes=(route(0, 0, network=3.0), route(0, 1, network=1.0, quality=0.6)),
        deployments=(deployment(0), deployment(0)),
        fleets=(fleet(0),),
        workloads=(workload(value=4.0),),
        floors=(0.9,),
    )
    good, cheap = price(made)
    assert good.high_usd_per_mtok == cheap.high_usd_per_mtok == pytest.approx(2.9)
    assert good.quality_usd_per_mtok == pytest.approx(-0.1)
    assert cheap.quality_usd_per_mtok == pytest.approx(1.6 + 0.3)


def test_a_wake_is_in_the_price_of_the_hour_that_asks_for_it():
    """Rate 10, base 0.5, a wake of 0.2 h and 0.1 MWh, 100 USD/MWh.

    From asleep 1 Mtok takes 1 / 8 replica: 0.6 / 8 MWh = 7.5 USD: 5 of energy and 2.5 of wake.
    With replicas to spare that were awake before it takes 1 / 10: 5 USD of energy.
    """
    made = plain([[100.0]], [[8.0]], base_mw=0.5, marginal=0.0, value=1e3)
    made = replace(made, deployments=(replace(made.deployments[0], wake_h=0.2, wake_mwh=0.1),))
    (row,) = price(made)
    assert row.energy_usd_per_mtok == pytest.approx(5.0)
    assert row.wake_usd_per_mtok == pytest.approx(2.5)
    assert row.high_usd_per_mtok == pytest.approx(7.5)
    awake = replace(State.initial(made), awake=np.array([2.0]))
    assert next(board(made, awake).rows()).high_usd_per_mtok == pytest.approx(5.0)


def test_a_wake_part_may_be_negative_and_is_not_clipped():
    """The same replica at 10 and then 100 USD/MWh, 4 and then 10 Mtok.

    One replica is woken in the cheap hour for the dear one, and is half idle: there a Mtok more
    is free, energy 0.5 and wake -0.5. A Mtok in the dear hour wakes 0.1 replica an hour early,
    (0.5 + 0.1) x 10 x 0.1 = 0.6, and keeps it: 0.5 x 100 x 0.1 = 5. Woken on time it would cost
    7.5.
    """
    made = plain([[10.0, 100.0]], [[4.0, 10.0]], base_mw=0.5, marginal=0.0, value=1e3)
    made = replace(made, deployments=(replace(made.deployments[0], wake_h=0.2, wake_mwh=0.1),))
    first, second = board(made).rows()
    assert (first.energy_usd_per_mtok, first.wake_usd_per_mtok) == pytest.approx((0.5, -0.5))
    assert first.high_usd_per_mtok == pytest.approx(0.0, abs=1e-9)
    assert (second.energy_usd_per_mtok, second.wake_usd_per_mtok) == pytest.approx((5.0, 0.6))
    assert second.high_usd_per_mtok == pytest.approx(5.6)


def test_video_is_priced_by_item_and_by_second():
    """2 USD a Mtok, 50,000 latent tokens a clip of 4 s: 0.1 USD a clip, 0.025 a second."""
    made = plain([[20.0]], [[5.0]])
    clip = replace(made.workloads[0], tokens_per_item_count=50_000.0, video_s_per_item=4.0)
    (row,) = price(replace(made, workloads=(clip,)))
    assert row.usd_per_item == pytest.approx(0.1)
    assert row.usd_per_video_s == pytest.approx(0.025)


def test_the_price_within_a_replica_is_shown_below_twenty():
    """10 Mtok/h a replica: 190 Mtok take 19, 200 take 20."""
    for asked, shown in ((190.0, True), (200.0, False)):
        (row,) = price(plain([[20.0]], [[asked]], base_mw=0.5))
        assert (row.within_replica_usd_per_mtok is not None) == shown


# ---- what a price must and must not depend on --------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_without_scarcity_energy_lies_between_slope_and_full_replica(seed):
    """Energy sheet, section 5: [slope, base / rate + slope] x PUE x price, for rows in use."""
    rng = np.random.default_rng(seed)
    made = random_world(seed, hours=6, state=False)
    made = replace(
        made,
        spot_usd_per_mwh=rng.uniform(5.0, 120.0, made.spot_usd_per_mwh.shape),
        import_limit_mw=np.full_like(made.import_limit_mw, 1e3),
        fleets=tuple(replace(f, gpus_count=1e4, sleep_mw_per_gpu=0.0) for f in made.fleets),
    )
    used = [row for row in board(made).rows() if row.in_use]
    assert used
    for row in used:
        site = made.site_names.index(row.site)
        hop = next(
            r
            for r in made.routes
            if made.workloads[r.workload].name == row.workload and r.deployment == site
        )
        base_mw = made.deployments[site].base_mw
        at = made.index_at(row.start)
        per_mwh = made.pue[site, at] * made.spot_usd_per_mwh[site, at]
        least = hop.marginal_mwh_per_mtok * per_mwh
        most = (hop.marginal_mwh_per_mtok + base_mw / hop.rate_mtok_per_h) * per_mwh
        assert least - 1e-6 <= row.energy_usd_per_mtok <= most + 1e-6
        assert row.energy_marginal_usd_per_mtok == pytest.approx(least)
        assert row.mw_rent_usd_per_mtok == pytest.approx(0.0, abs=1e-6)


def limited(**changes) -> MarginalCost:
    """Price 0.1 MWh a Mtok behind a connection of 3 MW, 20 USD/MWh, worth 50, 60 Mtok asked."""
    return price(plain([[20.0]], [[60.0]], import_limit=3.0, **changes))[0]


def test_power_over_the_grid_does_not_lower_the_mw_rent():
    """A Mtok is worth 50 USD on 0.1 MWh: a MWh at the meter is worth 500, 480 above its price.

    A contract of 100 MW over the grid comes through the same 3 MW: the rent stays. Of 10 MW
    behind the meter 3 are needed, and there is no rent: the price of a Mtok is the contract's.
    """
    bare = limited()
    assert bare.mw_rent_usd_per_mtok == pytest.approx(48.0)
    grid = limited(takes=(take([100.0], strike=1.0),), spread=0.0)
    assert grid.mw_rent_usd_per_mtok == pytest.approx(48.0)
    assert grid.total_usd_per_mtok == pytest.approx(bare.total_usd_per_mtok)
    behind = limited(takes=(take([10.0], behind=True, strike=25.0),))
    assert behind.mw_rent_usd_per_mtok == pytest.approx(0.5)
    assert behind.energy_usd_per_mtok == pytest.approx(2.0)
    assert behind.high_usd_per_mtok == pytest.approx(2.5)


def test_a_block_behind_the_meter_lowers_the_mw_rent_and_one_over_the_grid_does_not():
    """4 MW behind the meter and 3 through it carry 70 Mtok of 60: no rent. Over the grid: 48."""

    def rent(behind: bool) -> float:
        made = plain([[20.0]], [[60.0]], import_limit=3.0, spread=0.0)
        return price(replace(made, blocks=(block([4.0], behind=behind),)))[0].mw_rent_usd_per_mtok

    assert rent(False) == pytest.approx(48.0)
    assert rent(True) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_a_mw_rent_needs_a_full_connection(seed):
    made, state = random_case(seed, hours=6)
    prices = board(made, state)
    found = 0
    for at in range(6):
        for load in range(3):
            beyond = prices.ends(workload=load, at=at).beyond
            rent = -beyond.reduced("meter_import")[at]
            free_mwh = made.import_limit_mw[:, at] * made.step_h - beyond.value("meter_import")[at]
            assert np.all((rent <= 1e-7) | (free_mwh <= 1e-7))
            found += int(np.any(rent > 1e-3))
    if seed == 0:
        assert found


def test_what_is_paid_for_anyway_does_not_make_the_next_token_cheap():
    """Contracts sheet, section 2.1.

    A block or a must-take contract that can be resold at the spot price (spread 0) moves the bill
    and leaves the price at 0.1 x 60 = 6 USD a Mtok.
    """
    bare = plain([[60.0]], [[50.0]], spread=0.0)
    for made in (
        bare,
        replace(bare, blocks=(block([2.0], strike=1.0),)),
        replace(bare, blocks=(block([20.0], strike=1.0),)),
        replace(bare, takes=(take([20.0], strike=1.0, curtail=False),)),
    ):
        (row,) = price(made)
        assert (row.low_usd_per_mtok, row.high_usd_per_mtok) == pytest.approx((6.0, 6.0))


@pytest.mark.parametrize(
    ("block_mw", "low", "high"), [(2.0, 6.0, 6.0), (5.0, 5.0, 6.0), (9.0, 5.0, 5.0)]
)
def test_a_resale_spread_puts_the_price_between_resale_and_purchase(block_mw, low, high):
    """Contracts sheet, section 2.2.

    Load 5 MW at 60, resale at 50: short pays 60, long forgoes 50, and exactly balanced the last
    Mtok cost 5 USD and the next costs 6.
    """
    made = replace(plain([[60.0]], [[50.0]], spread=10.0), blocks=(block([block_mw]),))
    (row,) = price(made)
    assert (row.low_usd_per_mtok, row.high_usd_per_mtok) == pytest.approx((low, high))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_without_limits_and_stores_the_node_price_lies_between_resale_and_purchase(seed):
    rng = np.random.default_rng(seed)
    spot = rng.normal(40.0, 40.0, (2, 3))
    made = plain(spot, rng.uniform(1.0, 80.0, (1, 3)), spread=float(rng.uniform(0, 20)), value=1e3)
    made = replace(made, blocks=(block(rng.uniform(0, 8, 3)), block(rng.uniform(0, 8, 3), site=1)))
    window = true_window(made, begin=0, count=3)
    for row in board(made).rows():
        site, at = made.site_names.index(row.site), made.index_at(row.start)
        assert row.node_usd_per_mwh <= window.buy_usd_per_mwh[site, at] + 1e-6
        assert row.node_usd_per_mwh >= window.sell_usd_per_mwh[site, at] - 1e-6


def test_progress_is_told_interval_by_interval():
    made = random_world(0, hours=3)
    told: list[tuple[int, int]] = []
    state = random_state(made, 0)
    rows = list(board(made, state).rows(range(1, 3), lambda done, of: told.append((done, of))))
    assert told == [(1, 2), (2, 2)]
    assert {made.index_at(row.start) for row in rows} == {1, 2}


def test_a_price_in_an_hour_that_asks_for_nothing_is_not_lost_in_rounding():
    """A tenth of a cent beside an optimum of a million: a step of 1e-6 Mtok would drown."""
    arrivals = np.full((1, 24), 1e6)
    arrivals[0, 20:] = 0.0
    prices = np.full((1, 24), 50.0)
    prices[0, 20:] = 0.01
    made = plain(prices, arrivals, import_limit=1e6)
    made = replace(made, fleets=(fleet(0, gpus=1e6),))
    window = true_window(made, begin=0, count=24)
    board = PriceBoard(made, window, State.initial(made))
    for at in range(20, 24):
        ends = board.ends(workload=0, at=at)
        assert ends.low_usd_per_mtok is None
        assert ends.high_usd_per_mtok == pytest.approx(0.001, rel=1e-3)


def test_work_that_only_somebody_elses_api_serves_has_a_price():
    made = plain([[50.0]], [[10.0]])
    made = replace(made, deployments=(api(),), routes=(api_route(0, 0, usd_per_mtok=3.0),))
    (row,) = PriceBoard(made, true_window(made, begin=0, count=1), State.initial(made)).rows()
    assert row.in_use
    assert (row.total_usd_per_mtok, row.wake_usd_per_mtok) == (pytest.approx(3.0), 0.0)


@settings(max_examples=15)
@given(st.integers(0, 200))
def test_the_price_of_asking_lies_between_both_ends(seed: int) -> None:
    """Whatever waits and whatever binds: a little less, the dual, a little more."""
    made = random_world(seed)
    window = true_window(made, begin=made.first, count=made.count)
    board = PriceBoard(made, window, State.initial(made))
    for at in range(0, made.count, 5):
        asked = asked_usd_per_mtok(made, board.optimum, at)
        for load in range(len(made.workloads)):
            ends = board.ends(workload=load, at=at)
            slack = 1e-3 * abs(ends.high_usd_per_mtok) + 1e-6
            assert asked[load] <= ends.high_usd_per_mtok + slack
            if ends.low_usd_per_mtok is not None:
                assert asked[load] >= ends.low_usd_per_mtok - slack
