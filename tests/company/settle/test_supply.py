"""Worked series A of the contracts sheet, section 3, and what the clauses do to it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from company.settle.metered import (
    HUB,
    LOAD,
    NODE,
    OURS,
    PROFILE,
    START,
    at,
    baseload,
    billed,
    block,
    by_component,
    meter,
    ppa,
    random_meter,
    residual,
    spot,
    taken,
    virtual,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.company.connection import ImportSteps
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import delivered_mwh, settle
from tokenergy.errors import InfeasiblePower


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
    series = taken(spot_usd_per_mwh=(40.0, 60.0, 100.0, 0.0))
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
    ],
)
def test_a_meter_that_contradicts_the_contract_is_refused(terms, mwh, words) -> None:
    with pytest.raises(InfeasiblePower, match=words):
        settle(ppa(**terms), taken(mwh))


def test_every_line_is_quantity_times_rate() -> None:
    series = meter(spot_usd_per_mwh=NODE, bought_mwh=LOAD, sold_mwh=1, step_h=0.5)
    lines = settle(spot(adder_usd_per_mwh=5.0, loss_share=0.02), series).lines
    assert all(x.amount_usd == x.quantity * x.rate_usd and x.unit == "MWh" for x in lines)
    assert all(x.end - x.start == timedelta(minutes=30) for x in lines)


def test_block_hours_are_those_of_the_market() -> None:
    """8 to 20 h in Berlin is 7 to 19 h UTC in winter: 12 h x 15 MW x 55 = 9,900."""
    contract = block(from_hour=8, to_hour=20)
    lines = settle(contract, meter(count=24, zone="Europe/Berlin")).lines
    assert [line.start.hour for line in lines] == list(range(7, 19))
    assert sum(line.amount_usd for line in lines) == pytest.approx(9900.0)


def test_days_of_23_and_25_hours() -> None:
    """Night hours 0 to 6 in Berlin: 5 on 29 March 2026, 7 on 25 October 2026."""
    contract = block(from_hour=0, to_hour=6)
    for day, count in ((date(2026, 3, 29), 5), (date(2026, 10, 25), 7)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin"))
        series = meter(count=23, start=midnight.astimezone(UTC), zone="Europe/Berlin")
        assert len(settle(contract, series).lines) == count


def test_weekdays_are_those_of_the_market() -> None:
    """Friday 6 March 2026, 20 h UTC, is Saturday in Sydney."""
    series = meter(start=datetime(2026, 3, 6, 20, tzinfo=UTC), zone="Australia/Sydney")
    assert not settle(block(weekdays_only=True), series).lines
    assert len(settle(block(), series).lines) == 4


def test_a_term_begins_and_ends_within_the_series() -> None:
    contract = block(start=date(2026, 3, 3), end=date(2026, 3, 5))
    lines = settle(contract, meter(count=120)).lines
    assert (lines[0].start, lines[-1].end) == (START + timedelta(days=1), START + timedelta(days=3))
    mwh = (0.0,) * 24 + (20.0,) * 48
    series = meter(count=72, spot_usd_per_mwh=50, taken_mwh=mwh, profile_share=1)
    assert billed(ppa(start=date(2026, 3, 3)), series) == pytest.approx(20 * 48 * 45.0)
    with pytest.raises(InfeasiblePower, match="delivers 0 MWh"):
        settle(ppa(start=date(2026, 3, 4)), series)


def test_the_escalator_counts_full_contract_years() -> None:
    """From 3 March 2024: two full years on 3 March 2026, one the day before."""
    contract = block(start=date(2024, 3, 3), escalator_share_per_year=0.1)
    lines = settle(contract, meter(count=48)).lines
    assert lines[0].rate_usd == pytest.approx(55.0 * 1.1)
    assert lines[23].rate_usd == pytest.approx(55.0 * 1.1)
    assert lines[24].rate_usd == pytest.approx(55.0 * 1.21)


def test_a_contract_of_29_february_turns_a_year_older_on_1_march() -> None:
    contract = block(start=date(2024, 2, 29), escalator_share_per_year=0.1)
    series = meter(count=48, start=datetime(2026, 2, 28, tzinfo=UTC))
    rates = [line.rate_usd for line in settle(contract, series).lines]
    assert rates[23] == pytest.approx(55.0 * 1.1)
    assert rates[24] == pytest.approx(55.0 * 1.21)


# ---- virtual, baseload, steps ---------------------------------------------------------------


def hub(prices=HUB):
    return meter(profile_share=PROFILE, series={"hub_price": prices})


@pytest.mark.parametrize(
    ("terms", "usd"),
    [
        ({}, 1425.0),
        ({"zero_volume_below_usd_per_mwh": 0.0}, 125.0),
        ({"floor_usd_per_mwh": 0.0}, 1025.0),
        ({"cap_usd_per_mwh": 40.0}, 1475.0),
    ],
)
def test_virtual_alone_and_its_clauses(terms, usd) -> None:
    """15 x 10 + 5 x (-5) + 0 + 20 x 65 = 1,425.

    Without the last hour 125; with it at 0 USD/MWh
    125 + 20 x 45 = 1,025. A cap of 40: hour 2 costs 5 x (45 - 40) in place of 5 x (45 - 50).
    """
    assert billed(virtual(**terms), hub()) == pytest.approx(usd)


def test_spot_and_virtual_are_as_produced_and_basis() -> None:
    """4,400 + 1,425 = 5,825 = 5,500 + 325; basis 15 x 5 + 5 x 10 + 0 + 20 x 10 = 325."""
    basis = sum(mwh * (n - p) for mwh, n, p in zip(OURS, NODE, HUB, strict=True))
    assert basis == 325.0
    hedged = billed(spot(), residual()) + billed(virtual(), hub())
    assert hedged == pytest.approx(5825.0)
    assert hedged == pytest.approx(billed(spot(), residual(OURS)) + billed(ppa(), taken()) + basis)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.1, 0.1))
def test_virtual_is_physical_and_basis_on_any_series(seed: int, growth: float) -> None:
    """Spot on the load + virtual = spot on the residual + as-produced + sum h sG (N - P)."""
    series = random_meter(seed)
    term = {"start": date(2025, 2, 28), "escalator_share_per_year": growth}
    physical, financial = ppa(**term), virtual(**term)
    made = delivered_mwh(financial, series)
    node, price = series.spot_usd_per_mwh, series.series["hub_price"]
    basis = sum(mwh * (n - p) for mwh, n, p in zip(made, node, price, strict=True))
    pairs = list(zip(series.load_mwh, made, strict=True))
    none = (0.0,) * len(pairs)
    alone = replace(series, bought_mwh=series.load_mwh, sold_mwh=none)
    with_power = replace(
        series,
        bought_mwh=[max(0.0, load - mwh) for load, mwh in pairs],
        sold_mwh=[max(0.0, mwh - load) for load, mwh in pairs],
        taken_mwh=made,
    )
    hedged = settle(spot(), alone), settle(financial, series)
    real = settle(spot(), with_power), settle(physical, with_power)
    left = sum(each.amount_usd for each in hedged)
    scale = sum(abs(line.amount_usd) for each in (*hedged, *real) for line in each.lines)
    assert left == pytest.approx(sum(x.amount_usd for x in real) + basis, abs=1e-9 * scale)


def test_baseload_bills_what_came_and_fines_what_did_not() -> None:
    """10 MW x (1, 1, 0.5, 0) = 10 10 5 0; half of hour 2 missing: 20 x 50 - 5 x 30 = 850."""
    series = meter(series={"shape": (1.0, 1.0, 0.5, 0.0), "shortfall": (0.0, 0.5, 0.0, 1.0)})
    contract = baseload(shortfall_penalty_usd_per_mwh=30.0)
    settled = settle(contract, series)
    assert by_component(settled.lines) == {"delivery": 1000.0, "shortfall_penalty": -150.0}
    assert delivered_mwh(contract, series) == [10.0, 5.0, 5.0, 0.0]
    assert billed(baseload(), meter(lengths_h=(0.5, 2.0))) == pytest.approx(10 * 2.5 * 50.0)


def test_bought_power_climbs_the_steps_of_its_site() -> None:
    """Steps at 10 and 25 MW: 0, 4, 9 USD/MWh. Half-hours of 20, 40, 60, 40 MW on average.

    (10 x 4) + (15 x 4 + 15 x 9) + (15 x 4 + 35 x 9) + (15 x 4 + 15 x 9) = 805, halved: 402.50.
    """
    steps = ImportSteps.model_validate(
        {
            "steps": [
                {"up_to_mw": 10.0, "adder_usd_per_mwh": 0.0},
                {"up_to_mw": 25.0, "adder_usd_per_mwh": 4.0},
                {"adder_usd_per_mwh": 9.0},
            ]
        }
    )
    series = replace(residual(import_price=steps), lengths_h=(0.5,) * 4)
    sums = by_component(settle(spot(), series).lines)
    assert sums["import_step_2"] + sums["import_step_3"] == pytest.approx(402.5)
    assert sums["purchase"] == pytest.approx(4400.0)
    assert "import_step_1" not in sums


# ---- minimum take, by contract year ---------------------------------------------------------

MINIMUM = {
    "may_curtail": True, "annual_mwh": 1000.0, "min_take_share": 0.5, "start": date(2024, 3, 3),
    "escalator_share_per_year": 0.1,
}  # fmt: skip


def test_a_contract_year_that_took_too_little_is_topped_up_when_it_ends() -> None:
    """The second year ends with 2 March 2026: 300 before and 24 h x 5 = 420 of 500 MWh.

    80 MWh x 45 x 1.1 = 3,960 in the last hour of that day, and 24 x 5 x 49.5 before.
    """
    series = meter(count=48, spot_usd_per_mwh=50, taken_mwh=5, profile_share=1)
    before = ContractState(period="2025-03-03", taken_mwh=300.0)
    settled = settle(ppa(**MINIMUM), series, before)
    (top_up,) = [line for line in settled.lines if line.component == "minimum_take"]
    assert top_up.start == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert (top_up.quantity, top_up.rate_usd) == pytest.approx((80.0, 49.5))
    assert top_up.amount_usd == pytest.approx(3960.0)
    assert (settled.state.period, settled.state.taken_mwh) == ("2026-03-03", 120.0)


def test_what_is_paid_without_being_taken_counts_for_the_minimum() -> None:
    """Deemed: 24 h x 20 MWh are paid, 5 of each taken: 300 + 480 > 500, no top-up."""
    series = meter(count=24, spot_usd_per_mwh=50, taken_mwh=5, profile_share=1)
    before = ContractState(period="2025-03-03", taken_mwh=300.0)
    settled = settle(ppa(**MINIMUM, deemed_generation=True), series, before)
    assert by_component(settled.lines).keys() == {"delivery", "deemed_generation"}
    assert settled.state.taken_mwh == pytest.approx(780.0)


def test_a_year_that_does_not_end_is_not_topped_up_and_a_term_ends_its_last_one() -> None:
    series = meter(count=20, spot_usd_per_mwh=50, taken_mwh=5, profile_share=1)
    assert by_component(settle(ppa(**MINIMUM), series).lines).keys() == {"delivery"}
    ended = ppa(**MINIMUM, end=date(2026, 2, 2))
    series = meter(
        count=6, start=datetime(2026, 2, 1, 20, tzinfo=UTC), spot_usd_per_mwh=50,
        taken_mwh=(5.0,) * 4 + (0.0,) * 2, profile_share=1,
    )  # fmt: skip
    top_ups = [x for x in settle(ended, series).lines if x.component == "minimum_take"]
    assert [line.quantity for line in top_ups] == pytest.approx([500.0 - 20.0])


def test_terms_begin_at_midnight_of_the_market() -> None:
    """3 March begins in Chicago at 06:00 UTC, in Berlin on the 2nd at 23:00."""
    contract = block(start=date(2026, 3, 3))
    for zone, first in (("America/Chicago", (2026, 3, 3, 6)), ("Europe/Berlin", (2026, 3, 2, 23))):
        lines = settle(contract, meter(count=48, zone=zone)).lines
        assert lines[0].start == datetime(*first, tzinfo=UTC)
    contract = block(start=date(2025, 3, 3), escalator_share_per_year=0.1)
    rates = [x.rate_usd for x in settle(contract, meter(count=48, zone="America/Chicago")).lines]
    assert rates[29:31] == pytest.approx([55.0, 60.5])


def test_unequal_intervals_are_billed_by_their_length() -> None:
    """15 MW x (0.25 + 2 + 0.5 h) x 55 = 2,268.75; nothing of it lies outside 4 to 6 h."""
    series = meter(lengths_h=(0.25, 2.0, 0.5), start=at("UTC", 2026, 3, 2, 4))
    assert billed(block(), series) == pytest.approx(2268.75)
    assert billed(block(from_hour=4, to_hour=5), series) == pytest.approx(15 * 2.25 * 55)
