"""A MWh that is bought and sold in one interval is no purchase: by hand, and hour by hour."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from contract_cases import company_with, plant, with_plants
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, block, plain, take

from tokenergy.dispatch.solve import Optimum, WindowModel, solve_horizon
from tokenergy.dispatch.terms.matching import Matching
from tokenergy.dispatch.terms.periods import Periods
from tokenergy.dispatch.window import as_known, true_window
from tokenergy.dispatch.world import Action, State, World
from tokenergy.simulate.account import account, constant_usd
from tokenergy.simulate.replay import replay

PROHIBITIVE_USD_PER_MWH = 1e5


class Follows:
    """Does what an optimum of the whole horizon does."""

    name = "optimum"

    def __init__(self, world: World, optimum: Optimum) -> None:
        self.first, self.optimum = world.first, optimum

    def decide(self, at: int, state: State) -> Action:
        return self.optimum.action(at - self.first, self.name)


def settled_usd(made: World, optimum: Optimum) -> float:
    """Return what an optimum is charged, as the account counts it, less what nothing moves."""
    run = replay(made, Follows(made, optimum))
    return account(made, run).cost_usd - constant_usd(made)


def target(made: World, *, clean, share, takes=(), labels=None) -> Matching:
    """Return a target of 90 %: 12 USD for each MWh matched, 40 for each that is short."""
    total = made.pue.shape[1]
    return Matching(
        contract_id="cfe",
        site=0,
        target_share=0.9,
        premium_usd_per_mwh=12.0,
        shortfall_usd_per_mwh=40.0,
        planned_usd_per_mwh=None,
        periods=Periods.of_labels(["2026"] * total if labels is None else labels),
        takes=takes,
        clean_mw=np.asarray(clean, float),
        grid_share=np.asarray(share, float),
    )


def one_hour(*, price: float) -> World:
    """10 MWh of load; a clean block of 4 over the grid, and half of what is bought is clean."""
    made = plain([[price]], [[10.0]], marginal=1.0, value=5000.0, spread=5.0, export_limit=20.0)
    made = replace(made, blocks=(block([4.0]),))
    return replace(made, terms=(target(made, clean=[4.0], share=[0.5]),))


def test_buying_and_selling_a_mwh_does_not_match_half_of_one() -> None:
    """6 MWh are bought, 3 of them clean: 4 + 3 = 7 of the 9 MWh of the target, 2 short.

    6 x 50 + 7 x 12 + 2 x 40 = 464 USD. Buying 4 more and selling them again would lose 4 x 5 and
    seem to match the 2 MWh: 300 + 20 + 9 x 12 = 428 USD, of which no meter shows a thing.
    """
    made = one_hour(price=50.0)
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(464.0)
    assert optimum.value("sell")[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert settled_usd(made, optimum) == pytest.approx(464.0)
    assert not optimum.solution.integer


def test_a_mwh_of_load_is_bought_in_part_clean() -> None:
    """50 for it, 0.9 x 40 for the target, less 0.5 x (40 - 12) for what is matched of it: 72."""
    optimum = solve_horizon(one_hour(price=50.0))
    assert optimum.dual("racks")[0, 0] == pytest.approx(72.0)
    assert optimum.rent_usd_per_mwh("cfe", 0, "buy")[0] == pytest.approx(-14.0)
    assert optimum.rent_usd_per_mwh("cfe", 0, "it")[0] == pytest.approx(36.0)
    assert optimum.dual("commercial")[0, 0] == pytest.approx(36.0)


def test_power_of_ones_own_that_is_sold_takes_no_clean_power_away() -> None:
    """A plant makes 14 MWh at 20: 4 + 14 - 10 = 8 are sold at 95, and the block's 4 are matched.

    280 - 760 + 4 x 12 + 5 x 40 = -232 USD.
    """
    made = with_plants(one_hour(price=100.0), plant(one_hour(price=100.0), capacity=14.0, usd=20.0))
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(-232.0)
    assert optimum.value("cfe.matched.matched")[0, 0] == pytest.approx(4.0)
    assert settled_usd(made, optimum) == pytest.approx(-232.0)


def test_a_plant_of_ones_own_opens_no_circle() -> None:
    """At 48 a plant saves 2 a MWh and costs half a matched one, 14: nothing is changed, 464 USD.

    Run at 6 MWh, it would be 288 + 48 + 200 = 536.
    """
    made = with_plants(one_hour(price=50.0), plant(one_hour(price=50.0), capacity=14.0, usd=48.0))
    optimum = solve_horizon(made)
    assert optimum.objective_usd == pytest.approx(464.0)
    assert optimum.value("generate")[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert settled_usd(made, optimum) == pytest.approx(464.0)


def test_a_block_that_history_does_not_tell_of_is_clean_all_the_same() -> None:
    """A day without, then 3 MW against a load of 1: 2 are sold, and nothing is short.

    From the day before none is believed: 2 MWh sold would leave half of -2 MWh clean.
    """
    delivery = [0.0] * 24 + [3.0, 3.0]
    made = plain(
        [[50.0] * 26], [[1.0] * 26], history=24, marginal=1.0, value=5000.0, export_limit=9.0
    )
    made = replace(made, blocks=(block(delivery),))
    made = replace(made, terms=(target(made, clean=delivery, share=[0.5] * 26),))
    seen = as_known(made, true_window(made, begin=24, count=2), at=23)
    optimum = WindowModel(made, seen, State.initial(made)).solved(seen)
    assert optimum.value("cfe.matched.short")[0] == pytest.approx(0.0, abs=1e-9)
    assert optimum.value("sell")[:, 0] == pytest.approx([2.0, 2.0])


def mixed(seed: int) -> World:
    """Make three hours with clean and other blocks and takes, a plant and a battery, or not."""
    rng = np.random.default_rng(seed)
    hours = 3
    made = plain(
        [rng.uniform(10.0, 90.0, hours)],
        [rng.uniform(0.0, 12.0, hours)],
        marginal=1.0,
        value=500.0,
        spread=float(rng.uniform(0.5, 6.0)),
        export_limit=float(rng.choice([0.0, 20.0])),
        import_limit=30.0,
    )
    clean, other = rng.uniform(0.0, 6.0, (2, hours)) * rng.integers(0, 2, (2, 1))
    behind = [bool(rng.integers(2)) and made.export_limit_mw[0, 0] > 0.0 for _ in range(4)]
    made = replace(
        made,
        blocks=(block(clean, behind=behind[0]), block(other, behind=behind[1])),
        takes=(
            take(rng.uniform(0.0, 6.0, hours), behind=behind[2]),
            take(rng.uniform(0.0, 6.0, hours), behind=behind[3], strike=20.0),
        )[: int(rng.integers(3))],
    )
    if rng.integers(2):
        made = with_plants(made, plant(made, capacity=6.0, usd=float(rng.uniform(10.0, 80.0))))
    if rng.integers(2):
        made = replace(made, batteries=(battery(power=3.0, capacity=6.0),), battery_site=(0,))
    virtual = rng.uniform(0.0, 2.0, hours) * rng.integers(2)
    term = target(
        made,
        clean=clean + virtual,
        share=rng.uniform(0.0, 1.0, hours),
        takes=(0,) if made.takes else (),
        labels=[None, "2026", "2026"] if rng.integers(2) else None,
    )
    return replace(made, terms=(*made.terms, term))


def one_way_usd(made: World, ways: tuple[bool, ...]) -> float:
    """Return the least cost where each hour may only buy, or only sell."""
    (term,) = (each for each in made.terms if isinstance(each, Matching))
    sells = np.array(ways)
    share = np.where(sells, 0.0, term.grid_share)
    held = replace(made, terms=(*(t for t in made.terms if t is not term),))
    held = replace(held, terms=(*held.terms, replace(term, grid_share=share)))
    window = true_window(held, begin=0, count=len(ways))
    buy = np.where(sells, PROHIBITIVE_USD_PER_MWH, window.buy_usd_per_mwh)
    sell = np.where(sells, window.sell_usd_per_mwh, -PROHIBITIVE_USD_PER_MWH)
    window = replace(window, buy_usd_per_mwh=buy, sell_usd_per_mwh=sell)
    return WindowModel(held, window, State.initial(held)).solved(window).objective_usd


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_optimum_is_the_best_of_all_ways_to_trade(seed: int) -> None:
    """Eight ways to buy or sell in three hours, each a program without a circle; and it settles."""
    made = mixed(seed)
    optimum = solve_horizon(made)
    best_usd = min(one_way_usd(made, ways) for ways in product((False, True), repeat=3))
    assert optimum.objective_usd == pytest.approx(best_usd, rel=1e-6, abs=1e-5)
    assert settled_usd(made, optimum) == pytest.approx(best_usd, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize(("kinds", "seed"), [(("cfe",), 212), (("cfe", "on_site"), 35)])
def test_four_days_settle_at_what_the_program_says(kinds: tuple[str, ...], seed: int) -> None:
    _, _, made = company_with(kinds, seed, prices=(9.0, 120.0))
    optimum = solve_horizon(made)
    assert settled_usd(made, optimum) == pytest.approx(optimum.objective_usd, rel=1e-6, abs=1e-3)
