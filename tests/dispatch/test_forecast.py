"""What a dispatcher believes: nothing that is not public, and as the sheet says."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import battery, block, plain, random_case, random_state, take

from tokenergy.dispatch.forecast import Forecaster
from tokenergy.dispatch.lp_policies import Mpc
from tokenergy.dispatch.world import State, World

DAY, WEEK = 24, 168


def day_ahead(made: World, ahead: int) -> World:
    """Publish every price `ahead` intervals ahead, beyond the end of the series too."""
    total = made.pue.shape[1]
    until = np.arange(total) + ahead
    return replace(made, published_until=np.tile(until, (made.sites_count, 1)))


def real_time(made: World) -> World:
    return day_ahead(made, 1)


def counted(total: int, *, history: int, **changes) -> World:
    """Make a world whose price in interval i is i, so that a belief says where it comes from."""
    return plain([np.arange(float(total))], np.ones((1, total)), history=history, **changes)


def believed_spot(made: World, at: int, count: int) -> np.ndarray:
    return Forecaster(made).window(at, count).buy_usd_per_mwh[0]  # no adder, no loss


# ---- honesty -----------------------------------------------------------------------------


def disturbed(made: World, at: int, seed: int) -> World:
    """Change everything that is not public at `at`: prices, arrivals, output of contracts.

    What stays is documented as known: the weather behind PUE, limits, block volumes, and the
    end valuation in the horizon's last window.
    """
    rng = np.random.default_rng(seed)
    total = made.pue.shape[1]
    later = np.arange(total) > at
    spot = made.spot_usd_per_mwh.copy()
    for site in range(made.sites_count):
        known = max(at + 1, int(made.published_until[site, at]))
        spot[site, known:] = rng.normal(300.0, 500.0, spot[site, known:].size)
    arrivals = np.where(later, rng.uniform(0, 900, made.arrivals_mtok.shape), made.arrivals_mtok)
    scale = np.where(later, rng.uniform(0.1, 9.0, total), 1.0)
    takes = tuple(
        replace(
            each,
            available_mw=each.available_mw * scale,
            floor_mw=each.floor_mw * scale,
            take_usd_per_mwh=np.where(later, rng.normal(0, 99, total), each.take_usd_per_mwh),
            sunk_usd_per_h=each.sunk_usd_per_h * scale,
        )
        for each in made.takes
    )
    until = np.where(later[None, :], made.published_until + 3, made.published_until)
    return replace(
        made, spot_usd_per_mwh=spot, arrivals_mtok=arrivals, takes=takes, published_until=until
    )


def with_history(seed: int, *, hours: int, mixed: bool) -> World:
    made, _ = random_case(seed, hours=hours)
    made = replace(made, first=hours - 60, count=60)
    until = np.tile(np.arange(hours) + 1, (3, 1))
    if mixed:  # one market a day ahead, one an hour and a half, one in real time
        until += np.array([[23], [1], [0]])
    return replace(made, published_until=until)


@given(seed=st.integers(0, 1000), ahead=st.integers(0, 50), mixed=st.booleans())
@settings(max_examples=30)
def test_what_is_not_public_changes_no_belief(seed, ahead, mixed):
    """Bit for bit, with a short history (blend) and a long one (ridge)."""
    made = with_history(seed % 20, hours=60 + (24 * 30 if seed % 2 else 24 * 3), mixed=mixed)
    at = made.first + ahead % 50
    ours = Forecaster(made).window(at, 9)
    theirs = Forecaster(disturbed(made, at, seed)).window(at, 9)
    for field in fields(ours):
        assert np.array_equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name


@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_a_forecaster_that_has_come_a_long_way_is_as_honest(seed):
    """Its daily fits are made of what was known then: going there step by step tells no more."""
    made = with_history(seed % 20, hours=60 + 24 * 25, mixed=True)
    at = made.first + 30
    walked = Forecaster(disturbed(made, at, seed))
    for step in range(made.first, at + 1):
        window = walked.window(step, 5)
    direct = Forecaster(made).window(at, 5)
    for field in fields(direct):
        assert np.array_equal(getattr(window, field.name), getattr(direct, field.name)), field.name


@given(seed=st.integers(0, 1000), ahead=st.integers(0, 40))
@settings(max_examples=15)
def test_what_is_not_public_changes_no_decision(seed, ahead):
    made = with_history(seed % 20, hours=60 + 24 * 8, mixed=True)
    at = made.first + ahead
    state = random_state(made, seed % 20)
    ours = Mpc(made, window_h=8.0).decide(at, state)
    theirs = Mpc(disturbed(made, at, seed), window_h=8.0).decide(at, state)
    for field in fields(ours):
        left, right = getattr(ours, field.name), getattr(theirs, field.name)
        assert np.array_equal(left, right), field.name


def test_the_test_of_honesty_can_fail():
    """One published price less, and the belief follows the disturbance."""
    made = with_history(1, hours=60 + 24 * 8, mixed=True)
    at = made.first + 5
    peeking = replace(made, published_until=made.published_until + 2)
    ours = Forecaster(peeking).window(at, 9).buy_usd_per_mwh
    theirs = Forecaster(
        replace(disturbed(made, at, 3), published_until=peeking.published_until)
    ).window(at, 9)
    assert not np.array_equal(ours, theirs.buy_usd_per_mwh)


def test_what_is_documented_as_known_is_known():
    """PUE, limits and blocks are the true ones; so is the end valuation of the last window."""
    made, _ = random_case(3, hours=90)
    made = replace(made, first=60, count=30)
    window = Forecaster(made).window(65, 8)
    span = slice(65, 73)
    assert np.array_equal(window.pue, made.pue[:, span])
    assert np.array_equal(window.import_limit_mw, made.import_limit_mw[:, span])
    assert np.array_equal(
        window.grid_block_mw, made.block_delivery_mw(behind_the_meter=False)[:, span]
    )
    last = Forecaster(made).window(85, 8)
    assert last.live_count == 5
    assert last.stored_usd_per_mwh == pytest.approx(made.end_value_usd_per_mwh())


# ---- day-ahead prices --------------------------------------------------------------------


def test_published_prices_are_believed_and_the_rest_is_blended():
    """At 400, published to 410.

    410 = 0.6 x 386 + 0.4 x 242 (a day and a week back); likewise 409 is itself; and 434, two days
    after what is known, leans on 386 and 266.
    """
    made = day_ahead(counted(600, history=336), 10)
    spot = believed_spot(made, 400, 40)
    assert spot[:10] == pytest.approx(np.arange(400.0, 410.0))
    assert spot[10] == pytest.approx(0.6 * 386 + 0.4 * 242)
    assert spot[34] == pytest.approx(0.6 * 386 + 0.4 * 266)


def test_the_same_weekday_is_two_weeks_back_beyond_a_week():
    """At 400, known to 410: 578 lies beyond 168 later: 578 - 168 = 410 is not known, 242 is."""
    made = day_ahead(counted(700, history=336), 10)
    spot = believed_spot(made, 400, 179)
    assert spot[177] == pytest.approx(0.6 * 409 + 0.4 * 409)
    assert spot[178] == pytest.approx(0.6 * 386 + 0.4 * 242)


def test_prices_published_beyond_the_horizon_end_with_it():
    """At the last day's noon the market has published more than the horizon holds."""
    made = day_ahead(counted(400, history=336), 35)
    spot = believed_spot(made, 390, 12)
    assert spot == pytest.approx([*np.arange(390.0, 400.0), 399.0, 399.0])


def test_a_series_without_a_week_leans_on_its_oldest_day():
    """30 intervals known: 31 is 0.6 x 7 and, for want of a week, 0.4 x the oldest same hour."""
    made = day_ahead(counted(80, history=29), 1)
    spot = believed_spot(made, 29, 4)
    assert spot[0] == pytest.approx(29.0)
    assert np.all(np.isfinite(spot))
    assert np.all(spot <= 29.0)


def test_adder_loss_and_spread_are_on_top_of_what_is_believed():
    made = day_ahead(counted(400, history=336, spread=3.0), 5)
    made = replace(made, adder_usd_per_mwh=np.array([4.0]), loss_share=np.array([0.1]))
    window = Forecaster(made).window(350, 5)
    assert window.buy_usd_per_mwh[0] == pytest.approx(1.1 * (np.arange(350.0, 355.0) + 4.0))
    assert window.sell_usd_per_mwh[0] == pytest.approx(np.arange(350.0, 355.0) - 3.0)


# ---- prices in real time -----------------------------------------------------------------


def test_without_a_history_the_ridge_is_the_blend():
    """Less than 14 + 7 days before: 0.6 of yesterday, 0.4 of last week, and the present price.

    At 200, 201 leans on 177 and 33. The error of the present (200 against 0.6 x 176 + 0.4 x 32
    = 118.4) is cut at 60 and fades by 0.7 an hour: 0.6 x 177 + 0.4 x 33 + 42 = 161.4.
    """
    spot = believed_spot(real_time(counted(300, history=190)), 200, 8)
    assert spot[0] == pytest.approx(200.0)
    assert spot[1] == pytest.approx(0.6 * 177 + 0.4 * 33 + 60 * 0.7)
    assert spot[5] == pytest.approx(0.6 * 181 + 0.4 * 37 + 60 * 0.7**5)
    assert spot[6] == pytest.approx(0.6 * 182 + 0.4 * 38)


def daily_pattern(seed: int, days: int) -> np.ndarray:
    """Make a price with two peaks a day, a level that remembers yesterday, and noise."""
    rng = np.random.default_rng(seed)
    hour = np.arange(24)
    shape = 15 * np.sin(2 * np.pi * (hour - 8) / 24) + 8 * np.sin(4 * np.pi * (hour - 5) / 24)
    level, rows = 0.0, []
    for _ in range(days):
        level = 0.6 * level + rng.normal(0.0, 8.0)
        rows.append(50.0 + level + shape + rng.normal(0.0, 6.0, 24))
    return np.concatenate(rows)


@pytest.mark.parametrize("seed", range(3))
def test_the_ridge_is_better_than_the_blend_where_it_has_learnt(seed):
    """Mean square error a day ahead over 40 starts.

    Noise of variance 36 and a level that forgets: the blend adds 0.6^2 + 0.4^2 = 0.52 of the
    noise it copies, a regression damps it.
    """
    prices = daily_pattern(seed, 70)
    made = real_time(plain([prices], np.ones((1, prices.size)), history=40 * DAY))
    forecaster = Forecaster(made)
    ridge, blend = [], []
    for at in range(40 * DAY + 5, 68 * DAY, 17):
        span = np.arange(at + 6, at + 30)  # beyond the reach of the present error
        believed = forecaster.window(at, 30).buy_usd_per_mwh[0, 6:]
        day_back = np.where(span - DAY > at, span - 2 * DAY, span - DAY)
        copied = 0.6 * prices[day_back] + 0.4 * prices[span - WEEK]
        ridge.append(np.mean((believed - prices[span]) ** 2))
        blend.append(np.mean((copied - prices[span]) ** 2))
    assert np.mean(ridge) < 0.93 * np.mean(blend)


def test_the_ridge_learns_a_pattern_that_repeats_exactly():
    """A day that always comes back is believed to a dollar, the penalty of the ridge apart."""
    prices = np.tile(50 + 20 * np.sin(2 * np.pi * np.arange(24) / 24), 40)
    made = real_time(plain([prices], np.ones((1, prices.size)), history=30 * DAY))
    spot = believed_spot(made, 31 * DAY + 7, 48)
    assert spot == pytest.approx(prices[31 * DAY + 7 : 33 * DAY + 7], abs=1.0)


def test_spikes_leave_the_ridge_bounded():
    """Three hours of 9,000 USD/MWh in the past do not make a forecast of 9,000."""
    prices = daily_pattern(4, 40)
    prices[[500, 501, 700]] = 9000.0
    made = real_time(plain([prices], np.ones((1, prices.size)), history=35 * DAY))
    assert np.abs(believed_spot(made, 36 * DAY, 48)).max() < 300.0


# ---- demand, wind and sun, contracts -----------------------------------------------------


def test_demand_is_last_week_at_its_recent_level():
    """Last week 10 at this hour and 20 at the next; now 12: level 1.2, fading by 0.9 an hour.

    Next: 20 x (1 + 0.2 x 0.9) = 23.6; the one after, 30 last week: 30 x (1 + 0.2 x 0.81) = 34.86.
    """
    arrivals = np.ones(600)
    arrivals[[332, 333, 334]] = 10.0, 20.0, 30.0  # 500 - 168 = 332
    arrivals[500] = 12.0
    made = plain([np.full(600, 20.0)], [arrivals], history=480)
    believed = Forecaster(made).window(500, 4).arrivals_mtok[0]
    assert believed[:3] == pytest.approx([12.0, 23.6, 34.86])


def test_the_level_is_held_between_half_and_twice():
    """From 1 to 9 counts as twice, 1 + 1 x 0.9 = 1.9; to 0.1 as half, 1 - 0.5 x 0.9 = 0.55."""
    for present, following in ((9.0, 1.9), (0.1, 0.55)):
        arrivals = np.ones(400)
        arrivals[300] = present
        made = plain([np.full(400, 20.0)], [arrivals], history=280)
        believed = Forecaster(made).window(300, 3).arrivals_mtok[0]
        assert believed[:2] == pytest.approx([present, following])


def test_demand_that_slept_last_week_is_taken_as_it_was():
    """0 last week and 5 now: no level can be told; the next hours are last week's."""
    arrivals = np.full(400, 3.0)
    arrivals[300 - WEEK], arrivals[300] = 0.0, 5.0
    made = plain([np.full(400, 20.0)], [arrivals], history=280)
    assert Forecaster(made).window(300, 3).arrivals_mtok[0] == pytest.approx([5.0, 3.0, 3.0])


def test_output_is_the_usual_hour_with_the_present_departure_fading():
    """Usually 4 MW at every hour, now 6: 4 + 2 x 0.9 = 5.8, 4 + 2 x 0.81 = 5.62."""
    output = np.full(400, 4.0)
    output[300] = 6.0
    made = plain([np.full(400, 20.0)], np.ones((1, 400)), history=280, takes=(take(output),))
    believed = Forecaster(made).window(300, 3).available_mw[0]
    assert believed == pytest.approx([6.0, 5.8, 5.62])


def test_the_sun_does_not_shine_at_night_and_no_plant_exceeds_its_best_day():
    """At noon 10 MW instead of the usual 5: at midnight still nothing, tomorrow at most 10."""
    day = np.where((np.arange(24) > 6) & (np.arange(24) < 18), 5.0, 0.0)
    output = np.tile(day, 20)
    output[15 * 24 + 12] = 10.0
    made = plain([np.full(480, 20.0)], np.ones((1, 480)), history=340, takes=(take(output),))
    believed = Forecaster(made).window(15 * 24 + 12, 36).available_mw[0]
    assert believed.max() == 10.0
    assert believed[[7, 10, 12]].tolist() == [0.0, 0.0, 0.0]
    assert believed[24] == pytest.approx(5.0 + 5.0 * 0.9**24)


def test_a_must_take_contract_is_believed_to_be_taken_whole():
    output = np.linspace(1.0, 5.0, 400)
    made = plain(
        [np.full(400, 20.0)],
        np.ones((1, 400)),
        history=280,
        takes=(take(output, curtail=False), take(output, curtail=True)),
    )
    window = Forecaster(made).window(300, 5)
    assert np.array_equal(window.floor_mw[0], window.available_mw[0])
    assert not window.floor_mw[1].any()


def test_the_end_valuation_before_the_end_is_the_mean_of_what_is_believed():
    made = counted(600, history=336, batteries=(battery(efficiency=0.8),), battery_site=(0,))
    window = Forecaster(day_ahead(made, 10)).window(400, 20)
    assert window.stored_usd_per_mwh == pytest.approx([0.8 * window.buy_usd_per_mwh[0].mean()])


def test_intervals_of_a_quarter_hour_have_days_of_96():
    """At 1000 of quarter hours, the price of 1001 leans on 96 and 672 before."""
    made = real_time(counted(1300, history=900, step_h=0.25))
    spot = believed_spot(made, 1000, 40)
    assert spot[39] == pytest.approx(0.6 * (1039 - 96) + 0.4 * (1039 - 672))


def test_a_window_at_the_very_start_has_no_past():
    made = plain([[20.0] * 30], np.ones((1, 30)), takes=(take([2.0] * 30),))
    window = Forecaster(replace(made, blocks=(block([1.0] * 30),))).window(0, 6)
    for field in fields(window):
        assert np.all(np.isfinite(np.asarray(getattr(window, field.name), float))), field.name
    assert window.arrivals_mtok.tolist() == [[1.0] * 6]
    assert window.available_mw.tolist() == [[2.0] * 6]


def test_nobody_believes_that_selling_earns_more_than_buying_costs():
    """A real-time price swings; losses make the lowest just bearable, a forecast goes below it.

    With 10 % of losses and no spread at all a MWh bought and sold at -30 would earn 3 USD.
    """
    hours = 24 * 30
    rng = np.random.default_rng(3)
    prices = np.abs(rng.normal(0.0, 30.0, (1, hours)))
    prices[0, -48:-24] = np.linspace(200.0, 0.0, 24)
    made = plain(prices, np.ones((1, hours)), history=hours - 48, spread=0.0)
    made = replace(
        made,
        loss_share=np.array([0.1]),
        published_until=np.arange(1, hours + 1)[None, :],
    )
    forecaster, policy, below = Forecaster(made), Mpc(made), 0.0
    for at in range(made.first, made.last):
        window = forecaster.window(at, 24)
        below = min(below, float(window.buy_usd_per_mwh.min()))
        assert np.all(window.sell_usd_per_mwh <= window.buy_usd_per_mwh)
        policy.plan(at, State.initial(made))
    assert below < 0.0  # else this test tests nothing
