"""Tariffs as arrays: rates by the clock, months booked whole, limits by date, who supplies."""

from datetime import UTC, datetime

import numpy as np
import pytest
from worlds import company_of, inputs_of, site_dict

from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.window import as_known, true_window
from tokenergy.dispatch.world import World
from tokenergy.errors import InputError
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
SPOT = {"id": "spot-texas", "kind": "spot", "site": "texas"}


def built(tariffs, *, start="2026-03-02T00:00:00Z", days=2.0, history=0, series=None, **changes):
    horizon = {"start": start, "days": days, "step_h": changes.pop("step_h", 1.0)}
    company = company_of(horizon=horizon, tariffs=tariffs, **changes)
    inputs = inputs_of(company, history=history, series=series or {})
    return build_world(company, inputs, CATALOGUE)


def grid(**changes) -> dict:
    return {"id": "grid", "site": "texas", **changes}


def at(made: World, utc: str) -> int:
    return made.index_at(datetime.fromisoformat(utc).replace(tzinfo=UTC))


# ---- energy ------------------------------------------------------------------------------


def table(hour: int) -> list[list[int]]:
    return [[int(each == hour) for each in range(24)] for _ in range(12)]


PERIODS = [{"name": "base", "usd_per_mwh": 50.0}, {"name": "dear", "usd_per_mwh": 120.0}]


def test_a_rate_follows_the_local_clock_through_its_changes():
    """17:00 in Chicago: 23 UTC on 7 March 2026, 22 UTC from the 8th on."""
    energy = {"periods": PERIODS, "weekday": table(17)}
    made = built([grid(energy=energy)], start="2026-03-07T00:00:00Z", days=3.0)
    (rate,) = made.rates
    dear = (rate.import_usd_per_mwh == 120.0).nonzero()[0].tolist()
    assert dear == [23, 24 + 22, 48 + 22]
    assert set(rate.import_usd_per_mwh) == {50.0, 120.0}


def test_weekends_have_their_own_table_and_exports_their_rate():
    """7 and 8 March 2026 are a weekend."""
    energy = {
        "periods": PERIODS, "weekday": table(17), "weekend": table(3), "export_usd_per_mwh": 9.0,
    }  # fmt: skip
    made = built([grid(energy=energy, time_zone="UTC")], start="2026-03-06T00:00:00Z", days=2.0)
    (rate,) = made.rates
    assert (rate.import_usd_per_mwh == 120.0).nonzero()[0].tolist() == [17, 24 + 3]
    assert set(rate.export_usd_per_mwh) == {-9.0}


def test_a_supply_stands_for_the_spot_contract():
    energy = {"settles": "supply", "periods": PERIODS, "export_usd_per_mwh": 12.0}
    made = built([grid(energy=energy)], contracts=[{**SPOT, "kind": "block", "contract_mw": 1.0,
        "strike_usd_per_mwh": 1.0, "delivery": "behind_the_meter"}], history=24)  # fmt: skip
    assert not made.rates
    assert set(made.buy_usd_per_mwh(made.spot_usd_per_mwh).flat) == {50.0}
    assert set(made.sell_usd_per_mwh(made.spot_usd_per_mwh).flat) == {12.0}
    window = true_window(made, begin=30, count=6)
    assert set(window.buy_usd_per_mwh.flat) == {50.0}
    assert set(made.spot_usd_per_mwh.flat) == {30.0}


def test_a_supply_that_ends_leaves_nobody_in_the_dark_silently():
    energy = {"settles": "supply", "periods": PERIODS}
    tariff = grid(energy=energy, end="2026-03-03")
    other = {"id": "b", "kind": "block", "site": "texas", "contract_mw": 1.0,
             "strike_usd_per_mwh": 1.0}  # fmt: skip
    with pytest.raises(InputError, match="texas"):
        built([tariff], contracts=[other])


# ---- by the month ------------------------------------------------------------------------


def test_months_are_booked_whole_where_the_horizon_first_touches_them():
    """30 March to 2 April in Chicago: two months, each 900 + 3 x 2,000, and 8 % of 1.2 M / 12."""
    tariff = grid(
        fixed_usd_per_month=900.0, standby_mw=3.0, standby_usd_per_kw_month=2.0,
        large_load={"contract_mw": 50.0, "collateral_usd": 1.2e6},
    )  # fmt: skip
    made = built([tariff], start="2026-03-30T00:00:00Z", days=4.0, history=48,
                 money={"wacc_share": 0.08})  # fmt: skip
    by_name = {each.component: each.usd for each in made.sunk}
    first, april = made.first, at(made, "2026-04-01T05:00")
    for name, usd in (("fixed", 900.0), ("standby", 6000.0), ("collateral", 8000.0)):
        assert by_name[name].nonzero()[0].tolist() == [first, april]
        assert by_name[name][[first, april]].tolist() == pytest.approx([usd, usd])


# ---- megawatts by date -------------------------------------------------------------------


def test_a_large_load_may_draw_what_is_contracted_by_date():
    """Power from 3 March (6 UTC), 10 MW, and 25 MW from the 4th; the connection has 50."""
    load = {
        "contract_mw": 40.0, "energised_on": "2026-03-03",
        "ramp": [{"start": "2026-03-01", "mw": 10.0}, {"start": "2026-03-04", "mw": 25.0}],
    }  # fmt: skip
    made = built([grid(large_load=load)], days=4.0)
    limit = made.import_limit_mw[0]
    assert set(limit[:30]) == {0.0}
    assert set(limit[30:54]) == {10.0}
    assert set(limit[54:]) == {25.0}
    assert not made.cuts


def test_the_floor_of_a_month_is_the_most_that_was_contracted_in_it():
    """Ramp from 10 to 25 MW within March, 0.8 of it: 20 MW; April the same 20."""
    load = {
        "contract_mw": 40.0, "min_take_share": 0.8,
        "ramp": [{"start": "2026-03-01", "mw": 10.0}, {"start": "2026-03-31", "mw": 25.0}],
    }  # fmt: skip
    demand = [{"name": "d", "usd_per_kw_month": 1.0, "months": [3]}]
    made = built([grid(large_load=load, demand=demand)], start="2026-03-30T12:00:00Z", days=4.0)
    (peak,) = made.terms
    assert peak.months.names == ("2026-03", "2026-04")
    assert peak.floor_mw.tolist() == [20.0, 0.0]  # in April the charge bills nothing


NON_FIRM = {"firm_mw": 30.0, "nonfirm_mw": 20.0, "notice_h": 3.0}


def event(start: str, end: str) -> dict:
    return {"start": f"2026-03-02T{start}:00Z", "end": f"2026-03-02T{end}:00Z"}


def test_an_event_takes_the_non_firm_part_and_is_known_before():
    """10:30 to 12:00 touches two hours; half of 20 MW is left: 40. Known after 7:30: from 8."""
    firm = {**NON_FIRM, "available_share": 0.5, "events": [event("10:30", "12:00")]}
    made = built([], sites=[site_dict(non_firm=firm)])
    assert made.import_limit_mw[0, 9:13].tolist() == [50.0, 40.0, 40.0, 50.0]
    (cut,) = made.cuts
    assert (cut.begin, cut.end, cut.announced, cut.lost_mw.tolist()) == (10, 12, 8, [10.0, 10.0])
    window = true_window(made, begin=0, count=24)
    assert set(as_known(made, window, at=7).import_limit_mw.flat) == {50.0}
    assert as_known(made, window, at=8).import_limit_mw[0, 10] == 40.0


def test_hours_beyond_the_cap_bind_nobody():
    """5 h a year: 3 h, then 2 of 4, then none. The hour that two events share counts once."""
    events = [event("01:00", "04:00"), event("03:00", "08:00"), event("12:00", "13:00")]
    firm = {**NON_FIRM, "events": events, "cap_h_per_year": 5.0}
    made = built([], sites=[site_dict(non_firm=firm)])
    assert (made.import_limit_mw[0, :24] == 30.0).nonzero()[0].tolist() == [1, 2, 3, 4, 5]


def test_a_connection_below_the_firm_part_loses_nothing():
    """A large load of 25 MW on 30 firm ones: the event takes what it does not have."""
    firm = {**NON_FIRM, "events": [event("10:00", "12:00")]}
    made = built(
        [grid(large_load={"contract_mw": 25.0})], sites=[site_dict(non_firm=firm)]
    )  # fmt: skip
    assert set(made.import_limit_mw.flat) == {25.0}
    assert not np.any(made.cuts[0].lost_mw)


# ---- what a rolling window starts from ---------------------------------------------------


@pytest.mark.parametrize(
    ("planned_mw", "history", "target_mw"),
    [(12.0, [("2026-01", 20.0)], 12.0), (None, [("2025-12", 9.0), ("2026-01", 20.0)], 20.0),
     (None, None, 0.0)],
)  # fmt: skip
def test_a_target_is_the_plan_else_the_highest_past_month(planned_mw, history, target_mw):
    past = None if history is None else [{"month": m, "peak_mw": mw} for m, mw in history]
    item = {"name": "d", "usd_per_kw_month": 1.0, "planned_mw": planned_mw, "history": past}
    (peak,) = built([grid(demand=[item])]).terms
    assert set(peak.target_mw) == {target_mw}


def test_the_least_bill_comes_after_what_it_looks_at():
    tariff = grid(
        minimum_usd_per_month=5e3, demand=[{"name": "d", "usd_per_kw_month": 1.0}],
        tiers={"thresholds_mwh": [50.0], "usd_per_mwh": [60.0, 80.0]},
    )  # fmt: skip
    made = built([tariff])
    assert [term.component for term in made.terms] == ["d", "tiers", "minimum"]
    assert set(made.before) == {"grid.d", "grid.tiers", "grid.minimum"}
