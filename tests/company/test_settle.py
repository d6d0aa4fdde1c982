"""Worked series A of the contracts sheet, section 3, and what the clauses do to it."""

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tokenergy.company.contract import Block, PpaAsProduced, Spot
from tokenergy.company.settle import MeterSeries, settle
from tokenergy.errors import InfeasiblePower, InputError

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
LOAD = (10.0, 20.0, 30.0, 20.0)
NODE = (40.0, 60.0, 100.0, -10.0)
PROFILE = (0.75, 0.25, 0.0, 1.0)  # of 40 MW: 30, 10, 0, 40; half of it is 15, 5, 0, 20
OURS = (15.0, 5.0, 0.0, 20.0)


def meter(*, prices=NODE, step_h=1.0, start=START, zone="UTC", **series) -> MeterSeries:
    return MeterSeries(
        start=start,
        step_h=step_h,
        time_zone=ZoneInfo(zone),
        spot_usd_per_mwh=prices,
        **series,
    )


def residual(delivered) -> MeterSeries:
    """Return what is bought and sold when `delivered` comes on top of the grid."""
    pairs = list(zip(LOAD, delivered, strict=True))
    return meter(
        bought_mwh=tuple(max(0.0, load - mwh) for load, mwh in pairs),
        sold_mwh=tuple(max(0.0, mwh - load) for load, mwh in pairs),
    )


def spot(**terms) -> Spot:
    return Spot(kind="spot", id="spot", site="s0", **terms)


def block(**terms) -> Block:
    return Block(
        **{
            "kind": "block", "id": "block", "site": "s0", "contract_mw": 15.0,
            "strike_usd_per_mwh": 55.0, **terms,
        }
    )  # fmt: skip


def ppa(**terms) -> PpaAsProduced:
    return PpaAsProduced(
        **{
            "kind": "ppa_as_produced", "id": "wind", "site": "s0", "project_mw": 40.0,
            "share": 0.5, "profile": 0.5, "strike_usd_per_mwh": 45.0, **terms,
        }
    )  # fmt: skip


def billed(contract, series) -> float:
    return settle(contract, series).amount_usd


def taken(mwh=OURS, **series) -> MeterSeries:
    return meter(taken_mwh=mwh, profile_share=PROFILE, **series)


def test_spot_without_adder() -> None:
    """10 x 40 + 20 x 60 + 30 x 100 + 20 x (-10) = 4,400."""
    assert billed(spot(), residual((0.0,) * 4)) == pytest.approx(4400.0)


def test_spot_with_adder_and_losses() -> None:
    """1.02 (10 x 45 + 20 x 65 + 30 x 105 + 20 x (-5)) = 1.02 x 4,800 = 4,896."""
    contract = spot(adder_usd_per_mwh=5.0, loss_share=0.02)
    assert billed(contract, residual((0.0,) * 4)) == pytest.approx(4896.0)


def test_block_and_its_residual() -> None:
    """60 MWh x 55 = 3,300; residual 5 x 60 + 15 x 100 - 5 x 10 = 1,750; 5 sold at 37 = 185."""
    residue = settle(spot(resale_spread_usd_per_mwh=3.0), residual((15.0,) * 4))
    whole = billed(block(), meter()) + residue.amount_usd
    assert billed(block(), meter()) == pytest.approx(3300.0)
    assert whole == pytest.approx(4865.0)
    assert sum(x.amount_usd for x in residue.lines if x.component == "resale") == -185.0


def test_as_produced_and_its_residual() -> None:
    """40 x 45 = 1,800; 15 x 60 + 30 x 100 = 3,900; 5 sold at 40 = 200: 5,500."""
    whole = billed(ppa(), taken()) + billed(spot(), residual(OURS))
    assert whole == pytest.approx(5500.0)


def test_as_produced_the_other_way() -> None:
    """Spot 4,400 + sum sG (K - N) = 75 - 75 + 0 + 1,100 = 5,500."""
    swap = sum(mwh * (45.0 - node) for mwh, node in zip(OURS, NODE, strict=True))
    whole = billed(ppa(), taken()) + billed(spot(), residual(OURS))
    assert whole == pytest.approx(billed(spot(), residual((0.0,) * 4)) + swap)


@pytest.mark.parametrize(
    ("clause", "last_mwh", "usd"),
    [("none", 20.0, 1800.0), ("pay", 0.0, 1800.0), ("no_pay", 0.0, 900.0)],
)
def test_negative_price_clauses(clause, last_mwh, usd) -> None:
    """The last hour's 20 MWh at -10 USD/MWh: taken and paid, stopped and paid, or neither."""
    mwh = (*OURS[:3], last_mwh)
    assert billed(ppa(negative_price_clause=clause), taken(mwh)) == pytest.approx(usd)


def test_a_price_of_zero_is_not_below_zero() -> None:
    series = taken(prices=(40.0, 60.0, 100.0, 0.0))
    assert billed(ppa(negative_price_clause="no_pay"), series) == pytest.approx(1800.0)


def test_curtailed_output_is_free_unless_it_is_deemed() -> None:
    """10 of 40 MWh left: 30 x 45 = 1,350; deemed generation bills the 10 as well."""
    mwh = (15.0, 5.0, 0.0, 10.0)
    assert billed(ppa(may_curtail=True), taken(mwh)) == pytest.approx(1350.0)
    deemed = settle(ppa(may_curtail=True, deemed_generation=True), taken(mwh))
    assert deemed.amount_usd == pytest.approx(1800.0)
    assert [x.quantity for x in deemed.lines if x.component == "deemed_generation"] == [10.0]


def test_deemed_generation_yields_to_a_clause_that_stops_unpaid() -> None:
    contract = ppa(may_curtail=True, deemed_generation=True, negative_price_clause="no_pay")
    assert billed(contract, taken((15.0, 5.0, 0.0, 0.0))) == pytest.approx(900.0)


@pytest.mark.parametrize(
    ("terms", "mwh", "words"),
    [
        ({"may_curtail": True}, (16.0, 5.0, 0.0, 20.0), "16 MWh taken, its project delivers 15"),
        ({}, (15.0, 5.0, 0.0, 10.0), "no right to curtail"),
        ({"negative_price_clause": "pay"}, OURS, "delivers 0 MWh"),
        ({}, (math.nan, 5.0, 0.0, 20.0), "nan MWh taken"),
    ],
)
def test_a_meter_that_contradicts_the_contract_is_refused(terms, mwh, words) -> None:
    with pytest.raises(InfeasiblePower, match=words):
        settle(ppa(**terms), taken(mwh))


def test_missing_and_short_series_are_named() -> None:
    with pytest.raises(InputError, match="without bought_mwh"):
        settle(spot(), meter())
    with pytest.raises(InputError, match="sold_mwh has 1 intervals, the prices have 4"):
        settle(spot(), meter(bought_mwh=LOAD, sold_mwh=(0.0,)))


def test_every_line_is_quantity_times_rate() -> None:
    series = meter(bought_mwh=LOAD, sold_mwh=(1.0,) * 4, step_h=0.5)
    lines = settle(spot(adder_usd_per_mwh=5.0, loss_share=0.02), series).lines
    assert all(x.amount_usd == x.quantity * x.rate_usd and x.unit == "MWh" for x in lines)
    assert all(x.end - x.start == timedelta(minutes=30) for x in lines)


def test_block_hours_are_those_of_the_market() -> None:
    """8 to 20 h in Berlin is 7 to 19 h UTC in winter: 12 h x 15 MW x 55 = 9,900."""
    contract = block(from_hour=8, to_hour=20)
    lines = settle(contract, meter(prices=(50.0,) * 24, zone="Europe/Berlin")).lines
    assert [line.start.hour for line in lines] == list(range(7, 19))
    assert sum(line.amount_usd for line in lines) == pytest.approx(9900.0)


def test_days_of_23_and_25_hours() -> None:
    """Night hours 0 to 6 in Berlin: 5 on 29 March 2026, 7 on 25 October 2026."""
    contract = block(from_hour=0, to_hour=6)
    for day, count in ((date(2026, 3, 29), 5), (date(2026, 10, 25), 7)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin"))
        series = meter(prices=(50.0,) * 23, start=midnight.astimezone(UTC), zone="Europe/Berlin")
        assert len(settle(contract, series).lines) == count


def test_weekdays_are_those_of_the_market() -> None:
    """Friday 6 March 2026, 20 h UTC, is Saturday in Sydney."""
    series = meter(
        prices=(50.0,) * 4, start=datetime(2026, 3, 6, 20, tzinfo=UTC), zone="Australia/Sydney"
    )
    assert not settle(block(weekdays_only=True), series).lines
    assert len(settle(block(), series).lines) == 4


def test_a_term_begins_and_ends_within_the_series() -> None:
    contract = block(start=date(2026, 3, 3), end=date(2026, 3, 5))
    lines = settle(contract, meter(prices=(50.0,) * 120)).lines
    assert (lines[0].start, lines[-1].end) == (START + timedelta(days=1), START + timedelta(days=3))
    series = meter(
        prices=(50.0,) * 72, taken_mwh=(0.0,) * 24 + (20.0,) * 48, profile_share=(1.0,) * 72
    )
    assert billed(ppa(start=date(2026, 3, 3)), series) == pytest.approx(20 * 48 * 45.0)
    with pytest.raises(InfeasiblePower, match="delivers 0 MWh"):
        settle(ppa(start=date(2026, 3, 4)), series)


def test_the_escalator_counts_full_contract_years() -> None:
    """From 3 March 2024: two full years on 3 March 2026, one the day before."""
    contract = block(start=date(2024, 3, 3), escalator_share_per_year=0.1)
    lines = settle(contract, meter(prices=(50.0,) * 48)).lines
    assert lines[0].rate_usd == pytest.approx(55.0 * 1.1)
    assert lines[23].rate_usd == pytest.approx(55.0 * 1.1)
    assert lines[24].rate_usd == pytest.approx(55.0 * 1.21)


def test_a_contract_of_29_february_turns_a_year_older_on_1_march() -> None:
    contract = block(start=date(2024, 2, 29), escalator_share_per_year=0.1)
    series = meter(prices=(50.0,) * 48, start=datetime(2026, 2, 28, tzinfo=UTC))
    rates = [line.rate_usd for line in settle(contract, series).lines]
    assert rates[23] == pytest.approx(55.0 * 1.1)
    assert rates[24] == pytest.approx(55.0 * 1.21)
