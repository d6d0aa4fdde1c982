"""From a company and its series to arrays: clauses, hours of markets, limits, demand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from worlds import company_of, inputs_of, site_dict, tier_dict, workload_dict

from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.world import World
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
SPOT = {"id": "spot-texas", "kind": "spot", "site": "texas"}


def built(*, history=0, series=None, **changes) -> World:
    company = company_of(**changes)
    return build_world(company, inputs_of(company, history=history, **(series or {})), CATALOGUE)


def horizon(start: str, *, days=1.0, step_h=1.0) -> dict:
    return {"start": start, "days": days, "step_h": step_h}


def index(made: World, utc: str) -> int:
    return made.index_at(datetime.fromisoformat(utc).replace(tzinfo=UTC))


# ---- shapes and scalars ------------------------------------------------------------------


def test_every_array_spans_history_and_horizon():
    made = built(history=24)
    assert (made.first, made.count, made.last) == (24, 48, 72)
    assert made.start == datetime(2026, 3, 1, tzinfo=UTC)
    for array in (made.spot_usd_per_mwh, made.pue, made.import_limit_mw, made.published_until):
        assert array.shape == (1, 72)
    assert made.arrivals_mtok.shape == (1, 72)
    assert list(made.horizon_indices())[::47] == [24, 71]


def test_moments_and_indices_are_each_others_inverse():
    made = built(history=24, horizon=horizon("2026-03-02T00:00:00Z", step_h=0.5))
    for at in (0, 24, 47):
        assert made.index_at(made.moment(at)) == at
    assert made.moment(24) == datetime(2026, 3, 2, tzinfo=UTC)
    assert made.index_at(made.moment(5) + timedelta(minutes=29)) == 5


def test_the_terms_of_spot():
    """(1 + 0.02) x (30 + 5) = 35.7 to buy, 30 - 3 = 27 to sell."""
    terms = {"adder_usd_per_mwh": 5.0, "loss_share": 0.02, "resale_spread_usd_per_mwh": 3.0}
    made = built(contracts=[{**SPOT, **terms}])
    assert made.buy_usd_per_mwh(made.spot_usd_per_mwh)[0, 0] == pytest.approx(35.7)
    assert made.sell_usd_per_mwh(made.spot_usd_per_mwh)[0, 0] == pytest.approx(27.0)


def test_each_site_has_its_own_spot_contract_in_whatever_order():
    made = built(
        sites=[site_dict("texas"), site_dict("ohio")],
        contracts=[
            {"id": "b", "kind": "spot", "site": "ohio", "adder_usd_per_mwh": 9.0},
            {**SPOT, "adder_usd_per_mwh": 1.0},
        ],
    )
    assert made.site_names == ("texas", "ohio")
    assert made.adder_usd_per_mwh.tolist() == [1.0, 9.0]


def test_limits_and_fixed_load_are_the_files():
    made = built(sites=[site_dict(export_limit_mw=7.0, fixed_load_mw=1.5)])
    assert set(made.import_limit_mw.flat) == {50.0}
    assert set(made.export_limit_mw.flat) == {7.0}
    assert made.fixed_mw.tolist() == [1.5]


def test_a_connection_delivers_from_its_first_day():
    """Energised on 3 March: nothing on the 2nd, 50 MW from midnight in Chicago, 6 UTC."""
    made = built(sites=[site_dict(energised_on="2026-03-03")])
    assert not made.import_limit_mw[0, :30].any()
    assert set(made.import_limit_mw[0, 30:]) == {50.0}


@pytest.mark.parametrize(
    ("outdoor_c", "pue"), [(-20.0, 1.1), (10.0, 1.1), (20.0, 1.2), (30.0, 1.3), (45.0, 1.3)]
)
def test_pue_is_linear_between_points_and_flat_outside(outdoor_c, pue):
    """Points (10, 1.1) and (30, 1.3): half way 1.2."""
    points = [{"outdoor_c": 10.0, "pue": 1.1}, {"outdoor_c": 30.0, "pue": 1.3}]
    made = built(
        sites=[site_dict(pue=points, outdoor_c=20.0)],
        series={"outdoor_c": {"texas": np.full(48, outdoor_c)}},
    )
    assert made.pue == pytest.approx(np.full((1, 48), pue))


def test_one_pue_point_needs_no_weather():
    made = built(
        sites=[site_dict(pue=[{"outdoor_c": 10.0, "pue": 1.15}])], series={"outdoor_c": {}}
    )
    assert set(made.pue.flat) == {1.15}


# ---- as-produced contracts ---------------------------------------------------------------

CLAUSES = {
    # clause, deemed: available, cost of what is taken, sunk per hour at +50 and at -10 USD/MWh
    ("none", False): ([5.0, 5.0], [30.0, 30.0], [0.0, 0.0]),
    ("pay", False): ([5.0, 0.0], [30.0, 0.0], [0.0, 150.0]),
    ("no_pay", False): ([5.0, 0.0], [30.0, 30.0], [0.0, 0.0]),
    ("none", True): ([5.0, 5.0], [0.0, 0.0], [150.0, 150.0]),
    ("pay", True): ([5.0, 0.0], [0.0, 0.0], [150.0, 150.0]),
    ("no_pay", True): ([5.0, 0.0], [0.0, 30.0], [150.0, 0.0]),
}


def ppa(**changes) -> dict:
    return {
        "id": "wind",
        "kind": "ppa_as_produced",
        "site": "texas",
        "project_mw": 20.0,
        "share": 0.5,
        "profile": 0.5,
        "strike_usd_per_mwh": 30.0,
        **changes,
    }


@pytest.mark.parametrize(("clause", "deemed"), CLAUSES)
def test_the_clauses_of_an_as_produced_contract(clause, deemed):
    """20 MW x share 0.5 x output 0.5 = 5 MW at 30 USD/MWh, hours at 50 and at -10 USD/MWh.

    `pay` stops below 0 and pays 5 x 30 = 150 all the same; deemed generation pays 150 whatever
    is taken, so that taking costs nothing more.
    """
    contract = ppa(negative_price_clause=clause, deemed_generation=deemed)
    spot = np.full(48, 50.0)
    spot[1] = -10.0
    made = built(contracts=[SPOT, contract], series={"price_usd_per_mwh": {"texas": spot}})
    (taken,) = made.takes
    available, usd, sunk = CLAUSES[clause, deemed]
    assert taken.available_mw[:2].tolist() == available
    assert taken.take_usd_per_mwh[:2].tolist() == usd
    assert taken.sunk_usd_per_h[:2].tolist() == sunk
    assert (taken.contract_id, taken.site) == ("wind", 0)


def test_a_price_of_zero_stops_nobody():
    made = built(
        contracts=[SPOT, ppa(negative_price_clause="no_pay")],
        series={"price_usd_per_mwh": {"texas": np.zeros(48)}},
    )
    assert set(made.takes[0].available_mw) == {5.0}


@pytest.mark.parametrize(("curtail", "floor_mw"), [(True, 0.0), (False, 5.0)])
def test_only_a_buyer_who_may_curtail_may_leave_power(curtail, floor_mw):
    made = built(contracts=[SPOT, ppa(may_curtail=curtail)])
    assert set(made.takes[0].floor_mw) == {floor_mw}


def test_delivery_says_which_balance():
    for delivery, behind in (("grid", False), ("behind_the_meter", True)):
        made = built(contracts=[SPOT, ppa(delivery=delivery)])
        assert made.takes[0].behind_the_meter == behind
    assert built(contracts=[SPOT, ppa()]).takes[0].behind_the_meter is False


def test_nothing_is_delivered_or_owed_outside_the_term():
    """From 2 March, until (not including) 3 March in Chicago, deemed: 24 h from 6 UTC on."""
    contract = ppa(start="2026-03-02", end="2026-03-03", deemed_generation=True)
    made = built(history=24, contracts=[SPOT, contract])
    inside = np.zeros(72, dtype=bool)
    inside[30:54] = True
    assert np.array_equal(made.takes[0].available_mw > 0, inside)
    assert np.array_equal(made.takes[0].sunk_usd_per_h > 0, inside)


def test_the_escalator_raises_the_strike_once_a_full_contract_year():
    """2 % a year from 1 June 2024: 1.02 x 30 on 31 May 2026, 1.02^2 x 30 from 1 June, 5 UTC."""
    contract = ppa(start="2024-06-01", escalator_share_per_year=0.02)
    made = built(horizon=horizon("2026-05-31T00:00:00Z", days=2.0), contracts=[SPOT, contract])
    strike = made.takes[0].take_usd_per_mwh
    assert strike[:29] == pytest.approx(np.full(29, 30.0 * 1.02))
    assert strike[29:] == pytest.approx(np.full(19, 30.0 * 1.02**2))


# ---- blocks ------------------------------------------------------------------------------


def block_dict(**changes) -> dict:
    return {
        "id": "blk",
        "kind": "block",
        "site": "texas",
        "contract_mw": 4.0,
        "strike_usd_per_mwh": 45.0,
        **changes,
    }


def delivered(made: World) -> list[str]:
    """Return the hours of delivery in UTC, as `day hour`."""
    hours = made.blocks[0].delivery_mw.nonzero()[0]
    return [made.moment(int(at)).strftime("%d %H") for at in hours]


def test_a_block_around_the_clock():
    made = built(contracts=[SPOT, block_dict()])
    assert set(made.blocks[0].delivery_mw) == {4.0}
    assert set(made.block_delivery_mw(behind_the_meter=False).flat) == {4.0}
    assert not made.block_delivery_mw(behind_the_meter=True).any()
    behind = built(contracts=[SPOT, block_dict(delivery="behind_the_meter")])
    assert set(behind.block_delivery_mw(behind_the_meter=True).flat) == {4.0}


def test_two_blocks_add_up():
    made = built(contracts=[SPOT, block_dict(), block_dict(id="two", contract_mw=1.5)])
    assert set(made.block_delivery_mw(behind_the_meter=False).flat) == {5.5}


def test_hours_of_a_block_are_local_and_move_with_the_clocks():
    """8 to 10 in Chicago: 14 and 15 UTC in winter; from 8 March 2026 (clocks forward) 13, 14."""
    contract = block_dict(from_hour=8, to_hour=10)
    made = built(horizon=horizon("2026-03-07T00:00:00Z", days=2.0), contracts=[SPOT, contract])
    assert delivered(made) == ["07 14", "07 15", "08 13", "08 14"]


def test_an_hour_that_does_not_exist_delivers_nothing():
    """On 8 March 2026 Chicago has no hour from 2 to 3; on the 9th it is 7 UTC."""
    contract = block_dict(from_hour=2, to_hour=3)
    made = built(horizon=horizon("2026-03-08T00:00:00Z", days=2.0), contracts=[SPOT, contract])
    assert delivered(made) == ["09 07"]


def test_an_hour_that_comes_twice_delivers_twice():
    """On 1 November 2026 the hour from 1 to 2 is 6 UTC and again 7 UTC."""
    contract = block_dict(from_hour=1, to_hour=2)
    made = built(horizon=horizon("2026-11-01T00:00:00Z", days=1.0), contracts=[SPOT, contract])
    assert delivered(made) == ["01 06", "01 07"]


def test_weekdays_are_those_of_the_market():
    """Friday 6 March 2026 in Chicago ends at 6 UTC of Saturday; Monday begins at 5 UTC (CDT)."""
    contract = block_dict(weekdays_only=True)
    made = built(horizon=horizon("2026-03-07T00:00:00Z", days=3.0), contracts=[SPOT, contract])
    found = delivered(made)
    assert found[:6] == [f"07 {hour:02}" for hour in range(6)]
    assert found[6] == "09 05"
    assert len(found) == 6 + 19


def test_a_block_has_a_term_and_an_escalator():
    """Until 4 March, 6 UTC; 10 % more from 3 March, 6 UTC."""
    contract = block_dict(start="2025-03-03", end="2026-03-04", escalator_share_per_year=0.1)
    made = built(horizon=horizon("2026-03-02T00:00:00Z", days=3.0), contracts=[SPOT, contract])
    assert made.blocks[0].delivery_mw.tolist() == [4.0] * 54 + [0.0] * 18
    assert made.blocks[0].strike_usd_per_mwh == pytest.approx([45.0] * 30 + [49.5] * 42)


# ---- what is public ----------------------------------------------------------------------


def published(made: World, utc: str) -> str:
    """Return the first moment whose price is not public at `utc`."""
    return made.moment(int(made.published_until[0, index(made, utc)])).strftime("%m-%d %H")


def test_prices_of_tomorrow_come_out_at_thirteen_local():
    """Chicago in winter: 13:00 is 19 UTC, midnight 6 UTC.

    At 18 UTC until tonight, at 19 until tomorrow night; after local midnight nothing new; and an
    hour before it, yesterday's hour.
    """
    made = built(horizon=horizon("2026-03-02T00:00:00Z", days=3.0))
    assert published(made, "2026-03-02T00:00") == "03-03 06"  # 18:00 on 1 March
    assert published(made, "2026-03-02T05:00") == "03-03 06"
    assert published(made, "2026-03-02T06:00") == "03-03 06"
    assert published(made, "2026-03-02T18:00") == "03-03 06"
    assert published(made, "2026-03-02T19:00") == "03-04 06"
    assert published(made, "2026-03-03T05:00") == "03-04 06"


def test_a_day_of_23_hours_is_published_whole():
    """8 March 2026: its midnight is 6 UTC, the next 5 UTC. 13:00 is 18 UTC on the day itself."""
    made = built(horizon=horizon("2026-03-07T00:00:00Z", days=3.0))
    assert published(made, "2026-03-07T18:00") == "03-08 06"
    assert published(made, "2026-03-07T19:00") == "03-09 05"
    assert published(made, "2026-03-08T17:00") == "03-09 05"
    assert published(made, "2026-03-08T18:00") == "03-10 05"


def test_a_day_of_25_hours_is_published_whole():
    """1 November 2026: from 5 UTC to 6 UTC of the next day."""
    made = built(horizon=horizon("2026-10-31T00:00:00Z", days=3.0))
    assert published(made, "2026-10-31T17:00") == "11-01 05"
    assert published(made, "2026-10-31T18:00") == "11-02 06"
    assert published(made, "2026-11-01T19:00") == "11-03 06"


def test_a_market_without_day_ahead_knows_the_present():
    market = {"zone": "X", "time_zone": "UTC", "price": 1.0}
    made = built(sites=[site_dict(market=market)])
    assert made.published_until.tolist() == [list(range(1, 49))]


def test_a_late_market_never_knows_less_than_the_present():
    market = {"zone": "X", "time_zone": "UTC", "price": 1.0, "day_ahead_at": "23:30"}
    made = built(sites=[site_dict(market=market)])
    assert np.all(made.published_until[0] > np.arange(48))


def test_what_is_public_only_grows():
    made = built(horizon=horizon("2026-03-06T00:00:00Z", days=5.0, step_h=0.5))
    assert np.all(np.diff(made.published_until[0]) >= 0)


# ---- demand ------------------------------------------------------------------------------


def test_requests_become_mtok_an_interval():
    """2 requests a second of 250 tokens for half an hour: 2 x 1800 x 250 / 1e6 = 0.9 Mtok."""
    made = built(horizon=horizon("2026-03-02T00:00:00Z", step_h=0.5))
    assert made.arrivals_mtok == pytest.approx(np.full((1, 48), 0.9))


def test_floors_are_in_the_order_of_the_tiers():
    made = built(
        tiers=[tier_dict("chat"), tier_dict("gold", quality_floor_share=0.7)],
        workloads=[workload_dict(), workload_dict("vip", tier="gold")],
    )
    assert made.floor_share == (0.0, 0.7)
    assert [load.tier_index for load in made.workloads] == [0, 1]


def test_batteries_stand_at_their_sites():
    made = built(
        sites=[site_dict("texas"), site_dict("ohio")],
        contracts=[SPOT, {**SPOT, "id": "spot-ohio", "site": "ohio"}],
        batteries=[{"name": "b", "site": "ohio", "power_mw": 5.0, "capacity_mwh": 20.0}],
    )
    assert made.battery_site == (1,)
    # mean spot 30 x discharge efficiency 0.95
    assert made.end_value_usd_per_mwh() == pytest.approx([28.5])
