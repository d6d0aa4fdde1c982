"""T13: two months by hand, what can never be otherwise, and the experiment itself."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thesis.duelling import MONTH_H, grid, plant

from tokenergy.company.company import Company
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue
from tokenergy.files.hourly_prices import synthetic_hourly_prices
from tokenergy.files.presets import load_presets, load_ranges
from tokenergy.thesis import duel as t13
from tokenergy.thesis.duel import DELAYS_MONTHS, duel, duel_path, run
from tokenergy.thesis.duel_books import book_world, grid_queue, own_power
from tokenergy.thesis.duel_gap import RULES
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.result import Result

DELAYS = (0.0, 1.0, 2.0, 3.0)
SHORT_MONTHS = 8


def inputs_of(prices: Mapping[str, np.ndarray] | None = None) -> ThesisInputs:
    series = synthetic_hourly_prices(1)
    if prices is not None:
        series = HourlyPrices(
            start=datetime(2025, 1, 1, tzinfo=UTC),
            usd_per_mwh=dict(prices),
            source="by hand",
            synthetic=True,
        )
    return ThesisInputs(
        catalogue=load_catalogue(),
        presets=load_presets(),
        ranges=load_ranges(),
        prices=series,
        seed=1,
    )


def shortened(company: Company) -> Company:
    """Return the company with a few of its sixty months."""
    assert company.growth is not None
    growth = company.growth.model_copy(update={"months": SHORT_MONTHS})
    return company.model_copy(update={"growth": growth})


# ---- by hand -----------------------------------------------------------------------------


def test_two_months_by_hand() -> None:
    """Users 1 and 2: 100 and 200 Mtok/h are asked for. The owner pays 30 USD/MWh, its rival 50.

    Costs are 0.1 x 30 + 1.1 = 4.1 and 6.1 USD/Mtok; the rival stays at 100 Mtok/h. At the higher
    cost, 6.1: the owner earns 2 x 100 and 2 x 200 USD/h, the rival 0. At the stated 20: 15.9 x
    100 - 13.9 x 100 = 200, and 15.9 x 200 - 13.9 x 100 = 1,790 USD/h. A month has 730 h.
    """
    fought = duel(plant(), grid(lead=2.0), delays_months=DELAYS)
    first, second = fought.path.months
    assert (first.own.full_usd_per_mtok, first.rival.full_usd_per_mtok) == pytest.approx((4.1, 6.1))
    assert second.price_usd_per_mtok == pytest.approx(6.1)
    assert second.margin_usd(second.rival, "cost") == 0.0
    gaps = {rule: [month.gap_usd(rule) / MONTH_H for month in (first, second)] for rule in RULES}
    assert gaps["cost"] == pytest.approx([200, 400])
    assert gaps["stated"] == pytest.approx([200, 1790])
    assert (first.is_short, second.is_short) == (False, True)


def test_the_split_by_hand() -> None:
    """The owner on the rival's megawatts is 2 x 100 ahead in both months: 400 USD/h from kWh.

    At the rival's prices with its own megawatts: 0 and 13.9 x 100 = 1,390 from megawatts; 2 x
    100 = 200 is left. At the higher full cost megawatts alone earn nothing: 400, 0 and 200.
    """
    fought = duel(plant(), grid(lead=2.0), delays_months=())
    stated, cost = fought.stated_parts, fought.cost_parts
    assert stated.kwh_usd == pytest.approx(400 * MONTH_H)
    assert stated.megawatts_usd == pytest.approx(1390 * MONTH_H)
    assert stated.interaction_usd == pytest.approx(200 * MONTH_H)
    assert stated.gap_usd == pytest.approx(fought.path.total_usd("stated"))
    assert stated.decides == "megawatts"
    assert cost.kwh_usd == pytest.approx(400 * MONTH_H)
    assert cost.megawatts_usd == pytest.approx(0.0, abs=1e-6)
    assert cost.interaction_usd == pytest.approx(200 * MONTH_H)
    assert cost.decides == "kwh"


def test_the_sweep_by_hand() -> None:
    """At once: only kWh, 2 x 100 and 2 x 200; from month 1 on: the same, for nobody was short."""
    fought = duel(plant(), grid(lead=2.0), delays_months=(0.0, 1.0, 2.0))
    totals = [path.total_usd("stated") / MONTH_H for path in fought.sweep]
    assert totals == pytest.approx([600, 600, 1990])
    assert [path.short_count for path in fought.sweep] == [0, 0, 1]
    assert [path.closes_month("stated") for path in fought.sweep] == [0, 1, None]
    assert fought.sweep[2].months == fought.path.months


def test_halls_that_stand_empty_by_hand() -> None:
    """10 and 20 MW are used, at 10 USD per MW and hour: 100 USD/h stood empty in the first."""
    fought = duel(plant(), grid(lead=2.0), delays_months=())
    assert fought.empty_halls_usd == pytest.approx(100 * MONTH_H)


def test_asking_only_when_users_come_waits_longer() -> None:
    """Users 1, 2, 3, 3 and a queue of 2: at once 30 MW in month 2; as needed 10, 10, 10, 20."""
    rising = {"points": ((0, 1.0), (1, 2.0), (2, 3.0)), "months": 4}
    fought = duel(plant(**rising), grid(lead=2.0, **rising), delays_months=())
    served = [month.rival.served_mtok / MONTH_H for month in fought.as_needed.months]
    assert served == pytest.approx([100, 100, 100, 200])
    assert [month.rival.served_mtok / MONTH_H for month in fought.path.months] == pytest.approx(
        [100, 100, 300, 300]
    )


# ---- what can never be otherwise ---------------------------------------------------------


def test_identical_books_have_no_gap_to_the_bit() -> None:
    world = book_world(shortened(own_power()), load_catalogue(), synthetic_hourly_prices(1))
    fought = duel(world, world, delays_months=(0.0,))
    for path in (fought.path, fought.as_needed, *fought.sweep):
        for rule in RULES:
            assert [month.gap_usd(rule) for month in path.months] == [0.0] * SHORT_MONTHS
    assert fought.stated_parts.decides == fought.cost_parts.decides == "neither"


@settings(max_examples=12)  # each fights four duels
@given(st.floats(5.0, 80.0), st.floats(5.0, 80.0), st.floats(15.0, 40.0), st.floats(1.0, 4.0))
def test_the_gap_at_a_paying_price_grows_with_the_queue(
    strike: float, price: float, token: float, growth: float
) -> None:
    """Whatever power costs, as long as a token sells for more than it costs (9.1 at most)."""
    path = {"points": ((0, 1.0), (3, growth)), "months": 4}
    own, rival = plant(strike=strike, token=token, **path), grid(price=price, token=token, **path)
    totals = [each.total_usd("stated") for each in duel(own, rival, delays_months=DELAYS).sweep]
    assert all(later >= sooner - 1e-6 * abs(sooner) for sooner, later in pairwise(totals))


def test_below_cost_more_megawatts_lose_more() -> None:
    """At 5.5 a Mtok the rival loses 0.6 on each: waiting spares it that, and narrows the gap."""
    fought = duel(plant(token=5.5), grid(token=5.5, lead=2.0), delays_months=(1.0, 2.0))
    sooner, later = (path.total_usd("stated") / MONTH_H for path in fought.sweep)
    assert (sooner, later) == pytest.approx((600, 540))
    assert fought.stated_parts.megawatts_usd == pytest.approx(-60 * MONTH_H)


def test_a_dearer_plant_loses_at_equal_megawatts() -> None:
    """70 against 50 USD/MWh: the rival earns 2 x 100 USD/h in the first month."""
    fought = duel(plant(strike=70.0), grid(lead=2.0), delays_months=())
    assert fought.path.least_usd("cost") == pytest.approx(-200 * MONTH_H)
    assert fought.cost_parts.kwh_usd < 0.0 < fought.stated_parts.megawatts_usd
    assert fought.path.closes_month("cost") == 0


def test_swings_make_the_one_who_is_short_the_cheaper() -> None:
    """50 and 150 Mtok/h by turns on 10 MW: the rival serves 75 on 10 GPUs, the owner 100 on 15."""
    turns = np.tile([50.0, 150.0], 24)
    path = duel_path(
        plant(strike=50.0, arrivals=turns, points=((0, 1.0),)),
        grid(lead=2.0, arrivals=turns, points=((0, 1.0),)),
    )
    month = path.months[0]
    assert month.rival.full_usd_per_mtok == pytest.approx(5.0 + (10 + 100) / 75)
    assert month.own.full_usd_per_mtok == pytest.approx(5.0 + (15 + 150) / 100)
    assert month.gap_usd("cost") < 0.0 < month.gap_usd("stated")


def test_companies_that_differ_in_more_than_power_are_refused_at_once() -> None:
    own, rival = plant(), grid(arrivals=90.0, lead=2.0)
    with pytest.raises(InputError, match="demand differs"):
        duel(own, rival)
    other = grid(points=((0, 1.0), (1, 3.0)), growth={"price_elasticity_ratio": 0.5})
    model = other.company.models[0].model_copy(update={"quality_share": 0.5})
    other = replace(other, company=other.company.model_copy(update={"models": (model,)}))
    with pytest.raises(InputError) as raised:
        duel(own, other)
    for words in ("models differ", "growth.users differ", "growth.price_elasticity_ratio"):
        assert words in str(raised.value)


def test_a_hall_without_a_price_is_named() -> None:
    site = grid().company.sites[0].model_dump() | {"facility_usd_per_kw": None}
    fought = duel(plant(sites=[site]), grid(sites=[site], lead=2.0), delays_months=())
    assert fought.missing == ("sites.s0.facility_usd_per_kw",)


# ---- the experiment ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> dict:
    return run(inputs_of()).to_dict()


@pytest.fixture(scope="module")
def short() -> Mapping[float | None, Result]:
    """Return its first months by the price of power in every hour; None: at the feed's prices."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(t13, "own_power", lambda: shortened(own_power()))
        patch.setattr(t13, "grid_queue", lambda: shortened(grid_queue()))
        found = {None: run(inputs_of())} | {
            price: run(inputs_of({"texas": np.full(336, price)})) for price in (60.0, 5.0)
        }
        again = run(inputs_of())
    assert again.to_dict() == found[None].to_dict()  # to the bit
    return found


def test_a_rerun_is_the_same_to_the_bit(short: Mapping[float | None, Result]) -> None:
    """The fixture runs it twice; other prices are other inputs."""
    assert len({each.inputs_hash for each in short.values()}) == len(short) == 3


def test_the_result_says_which_lever_decides(told: dict) -> None:
    assert (told["id"], told["label"], told["draws_count"]) == ("T13", "sensitivity", 1000)
    figures = told["figures"]
    assert figures["stated_parts"]["decides"] == "megawatts"
    assert figures["cost_parts"]["decides"] == "kwh"
    assert told["number"] == min(month["gap_cost_usd"] for month in figures["months"][:36])
    assert told["verdict"] == ("PASS" if told["number"] > 0.0 else "FAIL")
    assert told["holds_share"] == figures["draws"]["cost_every_month_share"]
    assert [path["delay_months"] for path in figures["sweep"]] == list(DELAYS_MONTHS)
    stated = [path["gap_stated_usd"] for path in figures["sweep"]]
    assert stated == sorted(stated)
    assert stated[-1] > stated[0] > 0.0
    assert told["says"].startswith("The power book decides by its megawatts")
    assert figures["cheapest_grid_usd_per_mwh"] < 40.0 or told["verdict"] == "PASS"
    # 80 MW against 11 to 39 MW over three years at 40 USD/MWh: 41 to 69 MW unused on the whole
    assert 41 * 730 * 36 * 40 < figures["unused_plant_before_usd"] < 69 * 730 * 36 * 40
    assert told["findings"][0]["code"] == "PRESET_UNVERIFIED"


def test_the_closed_form_of_the_draws_is_the_solved_duel_at_its_own_terms(told: dict) -> None:
    """Two ways to one figure: 60 months of programs, and a formula on their unit costs."""
    figures = told["figures"]
    for rule in RULES:
        solved = figures["path"][f"gap_{rule}_usd"]
        assert figures["draws"][f"closed_gap_{rule}_usd"] == pytest.approx(solved, rel=1e-9)


@pytest.mark.parametrize(("price", "verdict"), [(60.0, "PASS"), (5.0, "FAIL")])
def test_the_verdict_is_that_of_the_prices(
    price: float, verdict: str, short: Mapping[float | None, Result]
) -> None:
    """60 + 14 against a strike of 40 in every hour, or 5 + 14: the gap of month 0 by hand.

    38,880 Mtok/h x 730 h x 0.000271 MWh/Mtok = 7,691 MWh.
    """
    result = short[price]
    assert result.verdict == verdict
    month = result.figures["months"][0]
    apart = price + 14.0 - 40.0
    assert month["gap_cost_usd"] == pytest.approx(7691 * apart, rel=1e-3)
