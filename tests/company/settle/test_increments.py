"""A bill settled in parts is the bill of the whole, and leaves the same state to the bit."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import pytest
from company.settle.metered import (
    at,
    baseload,
    block,
    cfe,
    colocation,
    cut,
    demand,
    event,
    on_site,
    peaks,
    ppa,
    random_meter,
    rec,
    response,
    spot,
    tariff,
    virtual,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import MeterSeries, settle, settle_tariff, state_keys

COUNT = 36
SEEDS = st.integers(0, 10_000)
CUTS = st.lists(st.integers(1, COUNT - 1), max_size=6, unique=True).map(sorted)
FUEL = {"synthetic": "texas"}  # a series, given by the meter


def contracts(series: MeterSeries):
    """Return one of every kind, with terms and events that cross edges of these intervals."""
    spans = list(series.spans())
    middle = spans[COUNT // 2].start + timedelta(minutes=7)
    events = [event(middle, middle + timedelta(minutes=50))]
    events.append(event(spans[-2].start, spans[-2].end + timedelta(minutes=1)))
    begun = spans[0].local.date()
    grown = {"start": begun - timedelta(days=364), "escalator_share_per_year": 0.1}
    least = {"annual_mwh": 1000.0, "min_take_share": 0.9, "may_curtail": True, **grown}
    colocated = {"project_mw": 20.0, "profile": FUEL, "take_or_pay": True}
    return [
        spot(adder_usd_per_mwh=5.0, loss_share=0.02, resale_spread_usd_per_mwh=3.0),
        block(from_hour=6, to_hour=22, weekdays_only=True, **grown),
        ppa(**least),
        ppa(**least, deemed_generation=True),
        baseload(shape=FUEL, shortfall=FUEL, shortfall_penalty_usd_per_mwh=9.0, **grown),
        virtual(zero_volume_below_usd_per_mwh=0.0, hub_price=FUEL, end=begun + timedelta(days=1)),
        colocation(**colocated),
        on_site(fuel_usd_per_mmbtu=FUEL),
        on_site(fuel_usd_per_mmbtu=FUEL, start_usd=0.0),
        cfe(grid_cfe_share=FUEL, period="month", shortfall_usd_per_mwh=30.0, target_share=0.7),
        cfe(period="year", shortfall_usd_per_mwh=30.0),
        rec(bundled=("wind",), load_share=0.9),
        response(events=events, baseline_mw=FUEL, events_most_count=1),
    ]


def tariffs(series: MeterSeries):
    spans = list(series.spans())
    known = event(spans[7].start + timedelta(minutes=2), spans[9].end)
    every = tuple(range(1, 13))
    items = {
        "energy": {
            "periods": [{"name": "a", "usd_per_mwh": 40.0}, {"name": "b", "usd_per_mwh": 90.0}],
            "weekday": [[0] * 8 + [1] * 16] * 12,
            "weekend": [[0] * 24] * 12,
            "export_usd_per_mwh": 5.0,
        },
        "tiers": {"thresholds_mwh": (20.0, 60.0), "usd_per_mwh": (1.0, 2.0, 9.0)},
        "demand": (
            demand(from_hour=6, to_hour=20, ratchet_share=0.9, ratchet_on="billed"),
            demand(name="base", demand_interval_h=0.5, peak_ratio=1.2, min_bill_share=0.4,
                   contract_mw=30.0, ratchet_share=0.5),
        ),
        "coincident": (
            peaks(months=every, n_count=12),
            peaks(name="5cp", months=every, n_count=2, one_a_month=False, interval_h=1.0),
            peaks(name="known", months=every, n_count=12, events=(known,)),
        ),
        "fixed_usd_per_month": 100.0,
        "large_load": {
            "contract_mw": 60.0, "min_take_share": 0.5, "collateral_usd": 1e6,
            "ramp": [{"start": spans[0].local.date() + timedelta(days=1), "mw": 60.0}],
        },
    }  # fmt: skip
    return [
        tariff(**items),
        tariff(**items, minimum_usd_per_month=4e5),
        tariff(**items, minimum_usd_per_month=1e7, time_zone="Australia/Lord_Howe"),
        tariff(**items, start=spans[0].local.date() + timedelta(days=1)),
    ]


def parts(series: MeterSeries, cuts: Sequence[int]):
    return [cut(series, begin, end) for begin, end in pairwise((0, *cuts, COUNT))]


def through_json(state: ContractState) -> ContractState:
    return ContractState.from_dict(json.loads(json.dumps(state.to_dict())))


@settings(max_examples=25, deadline=None)
@given(SEEDS, CUTS)
def test_contracts(seed: int, cuts: list[int]) -> None:
    series = random_meter(seed, count=COUNT)
    for contract in contracts(series):
        whole = settle(contract, series)
        state, lines = ContractState(), []
        for part in parts(series, cuts):
            settled = settle(contract, part, through_json(state))
            state = settled.state
            lines += settled.lines
        _same(whole.lines, lines)
        assert state == whole.state


@settings(max_examples=25, deadline=None)
@given(SEEDS, CUTS)
def test_tariffs(seed: int, cuts: list[int]) -> None:
    series = random_meter(seed, count=COUNT)
    for words in tariffs(series):
        whole = settle_tariff(words, series, {}, wacc_share=0.09)
        states, lines = {}, []
        for part in parts(series, cuts):
            settled = settle_tariff(words, part, states, wacc_share=0.09)
            states = {key: through_json(state) for key, state in settled.states.items()}
            lines += settled.lines
        _same(whole.lines, lines)
        assert states == whole.states
        assert list(whole.states) == list(state_keys(words))


def test_interval_by_interval_is_the_finest_way() -> None:
    for seed in range(3):
        test_contracts.hypothesis.inner_test(seed, list(range(1, COUNT)))
        test_tariffs.hypothesis.inner_test(seed, list(range(1, COUNT)))


def _same(whole, lines) -> None:
    scale = max(1.0, sum(abs(line.amount_usd) for line in (*whole, *lines)))
    both = [sum(line.amount_usd for line in each) for each in (whole, lines)]
    assert both[0] == pytest.approx(both[1], abs=1e-9 * scale)
    for component in {line.component for line in (*whole, *lines)}:
        each = [
            sum(line.amount_usd for line in some if line.component == component)
            for some in (whole, lines)
        ]
        assert each[0] == pytest.approx(each[1], abs=1e-9 * scale), component


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_lines_are_told_apart_and_lie_within_the_intervals(seed: int) -> None:
    series = random_meter(seed, count=COUNT)
    spans = list(series.spans())
    bills = [settle(each, series).lines for each in contracts(series)]
    bills += [settle_tariff(each, series, {}).lines for each in tariffs(series)]
    for lines in bills:
        assert len({(line.component, line.start) for line in lines}) == len(lines)
        assert all(line.quantity and line.start < line.end for line in lines)
        assert all(spans[0].start <= line.start for line in lines)
        assert all(line.end <= spans[-1].end for line in lines)


def test_the_random_bills_hold_every_component() -> None:
    """What the properties above would prove of nothing, were it never there."""
    found = set()
    for seed in range(12):
        series = random_meter(seed, count=COUNT)
        for each in contracts(series):
            found |= {f"{each.id}.{line.component}" for line in settle(each, series).lines}
        for words in tariffs(series):
            lines = settle_tariff(words, series, {}, wacc_share=0.09).lines
            found |= {f"grid.{line.component.partition('.billed')[0]}" for line in lines}
    assert found == {
        "spot.purchase", "spot.resale", "block.delivery", "wind.delivery",
        "wind.deemed_generation", "wind.minimum_take", "base.delivery", "base.shortfall_penalty",
        "vppa.difference", "next-door.delivery", "next-door.take_or_pay", "next-door.standby",
        "next-door.backup", "gas.fuel", "gas.running", "gas.start", "cfe.premium", "cfe.shortfall",
        "rec.certificates", "dr.availability", "dr.reduced", "dr.short", "grid.energy.a",
        "grid.energy.b", "grid.export", "grid.tier_1", "grid.tier_2", "grid.tier_3", "grid.demand",
        "grid.base", "grid.4cp", "grid.5cp", "grid.known", "grid.fixed", "grid.collateral",
        "grid.minimum",
    }  # fmt: skip


def test_a_system_peak_that_is_passed_takes_back_what_was_booked() -> None:
    """Own 10 MW at 60, then own 2 at 70: 10 / 4, then -8 / 4 of 66,000."""
    words = tariff(coincident=(peaks(),))
    start = at("UTC", 2026, 7, 1)
    amounts, states = [], {}
    for hour, (own, system) in enumerate([(10.0, 60.0), (2.0, 70.0), (9.0, 65.0)]):
        part = MeterSeries(
            start=start + timedelta(hours=hour),
            lengths_h=(1.0,),
            time_zone=start.tzinfo,
            import_mwh=(own,),
            series={"4cp.system_load": (system,)},
        )
        settled = settle_tariff(words, part, states)
        states = settled.states
        amounts.append(settled.amount_usd)
    assert amounts == pytest.approx([165_000.0, -132_000.0, 0.0])


def test_the_year_of_a_leap_day_contract_turns_on_1_march() -> None:
    contract = ppa(start=date(2024, 2, 29), annual_mwh=100.0, min_take_share=1.0, may_curtail=True)
    series = MeterSeries(
        start=at("UTC", 2026, 2, 28, 22),
        lengths_h=(1.0,) * 4,
        time_zone=at("UTC", 2026, 1, 1).tzinfo,
        spot_usd_per_mwh=(50.0,) * 4,
        taken_mwh=(0.0,) * 4,
        profile_share=(0.0,) * 4,
    )
    (line,) = settle(contract, series).lines
    assert (line.component, line.start.hour, line.quantity) == ("minimum_take", 23, 100.0)
