"""The bill of a tariff equals the program's charge for it, on meters that nobody chose.

Contracts sheet, section 7.1: imports and exports are drawn at random and given to the program,
which chooses only the tariff's own columns; `settle_tariff` reads the same meters with loops.
Every draw begins somewhere awkward: a change of clocks, a leap day, the turn of a month or of a
year; the state before it is what a settlement of earlier random meters left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from dispatch.fixed_site import charged_usd
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import company_dict, inputs_of, site_dict

from tokenergy.company.company import Company
from tokenergy.company.contract_state import ContractState
from tokenergy.company.settle import MeterSeries, settle_tariff
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.terms.metered import Metered
from tokenergy.dispatch.window import Window, true_window
from tokenergy.dispatch.world import State, World
from tokenergy.files.catalogue import load_catalogue

CATALOGUE = load_catalogue()
WACC_SHARE = 0.08
STARTS = (
    ("2026-03-07T12:00:00Z", "America/Chicago"),  # clocks go forward on the 8th
    ("2026-10-31T06:00:00Z", "America/Chicago"),  # and back on 1 November, in a new month
    ("2028-02-28T20:00:00Z", "America/New_York"),  # a leap day, and the turn to March
    ("2026-12-30T00:00:00Z", "Europe/Berlin"),  # a year ends
    ("2026-07-30T03:00:00Z", "Asia/Tokyo"),
    ("2026-03-28T12:00:00Z", "Europe/London"),
)
ITEMS = (
    "energy",
    "tiers",
    "demand",
    "ratchet",
    "coincident",
    "events",
    "fixed",
    "minimum",
    "large",
)


def tariff_dict(rng: np.random.Generator, start: datetime, items: tuple[str, ...]) -> dict:
    """Return a random tariff with these items."""
    pick = lambda *options: options[int(rng.integers(len(options)))]  # noqa: E731
    day = lambda days: (start + timedelta(days=days)).date().isoformat()  # noqa: E731
    made: dict[str, Any] = {
        "id": "grid", "site": "texas",
        "start": pick(None, day(0), day(1)), "end": pick(None, None, day(4)),
        "time_zone": pick(None, "America/New_York", "UTC"),
    }  # fmt: skip
    if "energy" in items:
        table = rng.integers(0, 2, (12, 24)).tolist()
        made["energy"] = {
            "periods": [
                {"name": "low", "usd_per_mwh": float(rng.uniform(-20, 40))},
                {"name": "high", "usd_per_mwh": float(rng.uniform(50, 120))},
            ],
            "weekday": pick(None, table), "weekend": pick(None, table[::-1]),
            "export_usd_per_mwh": pick(0.0, 7.0),
        }  # fmt: skip
    if "tiers" in items:
        made["tiers"] = {
            "thresholds_mwh": [60.0, 200.0, 900.0],
            "usd_per_mwh": sorted(rng.uniform(-5, 60, 4).tolist()),
        }
    if "demand" in items:
        made["demand"] = [demand_dict(rng, pick, f"d{at}", "ratchet" in items) for at in range(2)]
    made["coincident"] = coincident_dicts(rng, pick, start, items)
    if "fixed" in items:
        made |= {
            "fixed_usd_per_month": 900.0, "standby_mw": 3.0, "standby_usd_per_kw_month": 2.0,
        }  # fmt: skip
    if "minimum" in items:
        made["minimum_usd_per_month"] = pick(100.0, 2e5, 3e6)
    if "large" in items:
        made["large_load"] = {
            "contract_mw": 40.0, "min_take_share": pick(0.0, 0.3, 0.8), "collateral_usd": 1e5,
            "ramp": pick([], [{"start": day(-9), "mw": 10.0}, {"start": day(2), "mw": 40.0}]),
        }  # fmt: skip
    return made


def demand_dict(rng, pick, name: str, ratchet: bool) -> dict[str, Any]:
    late = int(rng.integers(1, 25))
    return {
        "name": name, "usd_per_kw_month": float(rng.uniform(0, 20)),
        "months": pick(list(range(1, 13)), [3, 7, 11, 12], [1, 2, 4, 8, 10]),
        "from_hour": int(rng.integers(0, late)), "to_hour": late,
        "weekdays_only": pick(True, False), "demand_interval_h": pick(0.25, 0.5, 1.0),
        "peak_ratio": pick(1.0, 1.15), "ratchet_share": pick(0.5, 0.9) if ratchet else 0.0,
        "lookback_months": pick(1, 2, 11), "ratchet_on": pick("peak", "billed"),
        "lookback_season": pick(list(range(1, 13)), [2, 6, 7, 10, 12]),
        "min_bill_share": pick(0.0, 0.4), "contract_mw": pick(None, 30.0), "history": [],
    }  # fmt: skip


def coincident_dicts(rng, pick, start: datetime, items: tuple[str, ...]) -> list[dict]:
    found: list[dict[str, Any]] = []
    if "coincident" in items:
        found.append(
            {
                "name": "cp", "usd_per_kw_year": 60.0, "months": [2, 3, 7, 8, 10, 11, 12],
                "n_count": 7, "interval_h": pick(0.25, 0.5, 1.0), "system_load": 1.0,
            }
        )  # fmt: skip
        found.append(
            {
                "name": "plc", "usd_per_mw_day": 300.0, "scaling_ratio": 1.1, "n_count": 2,
                "months": list(range(1, 13)), "one_a_month": False, "system_load": 1.0,
                "interval_h": pick(0.5, 1.0), "lag_years": pick(0, 1, 2),
            }
        )  # fmt: skip
    if "events" in items:
        begin = start + timedelta(hours=float(rng.integers(1, 60)), minutes=7)
        end = begin + timedelta(minutes=int(rng.integers(10, 130)))
        found.append(
            {
                "name": "known", "usd_per_kw_year": 40.0, "n_count": 4,
                "events": [{"start": begin.isoformat(), "end": end.isoformat()}],
            }
        )  # fmt: skip
    return found


@dataclass(frozen=True, kw_only=True)
class Case:
    """A tariff, meters, and what was before them."""

    world: World
    state: State
    window: Window
    given: Mapping[str, Any]
    series: MeterSeries
    states: Mapping[str, ContractState]

    @property
    def settled_usd(self) -> float:
        (tariff,) = self.world.company.tariffs
        settled = settle_tariff(tariff, self.series, self.states, wacc_share=WACC_SHARE)
        return settled.amount_usd


def case(
    seed: int, items: tuple[str, ...], *, days=6.0, before=True, step_h: float | None = None
) -> Case:
    """Draw a case; `before` it are three days of other meters that left a state."""
    rng = np.random.default_rng(seed)
    moment, zone = STARTS[seed % len(STARTS)]
    start = datetime.fromisoformat(moment).astimezone(UTC)
    step_h = step_h or float(rng.choice([0.25, 0.5, 1.0, 2.0]))
    market = {"zone": "X", "time_zone": zone, "price": 30.0}
    company = Company.model_validate(
        company_dict(
            horizon={"start": start, "days": days, "step_h": step_h}, history_days=3.0,
            sites=[site_dict(market=market, import_limit_mw=60.0, export_limit_mw=20.0)],
            money={"wacc_share": WACC_SHARE},
            tariffs=[tariff_dict(rng, start, items)],
        )
    )  # fmt: skip
    history = round(72 / step_h)
    total = history + company.horizon.intervals_count
    load = np.round(rng.uniform(40e3, 70e3, total), -3)  # with ties
    own = {f"grid.{name}.system_load": load for name in ("cp", "plc")}
    inputs = inputs_of(company, history=history, series=own)
    world = build_world(company, inputs, CATALOGUE)
    net_mw = np.where(rng.random(total) < 0.2, 0.0, rng.uniform(-12, 45, total))
    states: Mapping[str, ContractState] = {
        key: replace(kept, past_peaks=(("2025-11", 38.0), ("2026-02", 22.0), ("2026-07", 31.0)))
        if key.startswith("grid.d") else kept
        for key, kept in world.before.items()
    }  # fmt: skip
    states = {
        key: kept if moment < "2026-03" else _only_past(kept, moment)
        for key, kept in states.items()
    }
    if before:
        earlier = meters(world, net_mw, 0, history)
        states = settle_tariff(company.tariffs[0], earlier, states).states
    span = slice(history, total)
    return Case(
        world=world,
        state=replace(State.initial(world), contracts=states),
        window=true_window(world, begin=history, count=world.count),
        given=flows(net_mw[span] * step_h),
        series=meters(world, net_mw, history, total),
        states=states,
    )


def _only_past(kept: ContractState, moment: str) -> ContractState:
    """Leave out remembered months that are still to come."""
    return replace(kept, past_peaks=tuple(each for each in kept.past_peaks if each[0] < moment[:7]))


def flows(net_mwh: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of a site that draws what it buys."""
    drawn, fed = np.maximum(0.0, net_mwh)[:, None], np.maximum(0.0, -net_mwh)[:, None]
    return {"meter_import": drawn, "meter_export": fed, "buy": drawn, "sell": fed}


def meters(world: World, net_mw: np.ndarray, begin: int, end: int) -> MeterSeries:
    site = world.company.sites[0]
    net_mwh = net_mw[begin:end] * world.step_h
    return MeterSeries(
        start=world.moment(begin),
        lengths_h=[world.step_h] * (end - begin),
        time_zone=ZoneInfo(site.market.time_zone),
        spot_usd_per_mwh=[30.0] * (end - begin),
        import_mwh=np.maximum(0.0, net_mwh).tolist(),
        export_mwh=np.maximum(0.0, -net_mwh).tolist(),
        series={
            name.removeprefix("grid."): values[begin:end].tolist()
            for name, values in world.inputs.series.items()
        },
    )


def programs_usd(case: Case) -> float:
    """Return what the program charges for the tariff beside the site's own purchases."""
    world, window = case.world, case.window
    usd, _, _ = charged_usd(world, window, case.state, case.given)
    market = case.given["buy"][:, 0] @ window.buy_usd_per_mwh[0]
    market -= case.given["sell"][:, 0] @ window.sell_usd_per_mwh[0]
    sunk = sum(each.usd[world.first : world.last].sum() for each in world.sunk)
    begun = replace(world, before=case.states)
    constant = sum(t.constant_usd(begun) for t in world.terms if hasattr(t, "constant_usd"))
    return float(usd - market + sunk + constant)


def ties(made: Case, programs: float) -> None:
    settled = made.settled_usd
    assert programs == pytest.approx(settled, abs=1e-6 * max(1.0, abs(settled)))


@pytest.mark.parametrize("items", [("energy",), ("tiers",), ("demand",), ("demand", "ratchet")])
@settings(max_examples=40)
@given(seed=st.integers(0, 100_000))
def test_each_item_is_billed_as_the_program_charges_it(items: tuple[str, ...], seed: int) -> None:
    made = case(seed, items)
    ties(made, programs_usd(made))


@pytest.mark.parametrize("item", ["coincident", "events", "fixed"])
@settings(max_examples=30)
@given(seed=st.integers(0, 100_000))
def test_what_a_horizon_books_from_its_start_is_billed_likewise(item: str, seed: int) -> None:
    made = case(seed, (item,), before=False)
    ties(made, programs_usd(made))


@settings(max_examples=40)
@given(seed=st.integers(0, 100_000))
def test_a_whole_tariff_with_its_least_bill_ties(seed: int) -> None:
    """Every item at once; the least bill lies below, within and above what they charge."""
    made = case(seed, ITEMS, before=False)
    ties(made, programs_usd(made))


# ---- intervals of unequal length ---------------------------------------------------------


def coarser(made: Case, seed: int) -> Case:
    """Return a case in which some hours are one interval, and others four."""
    rng = np.random.default_rng(seed)
    count = made.window.count
    edges = [0]
    while edges[-1] < count:
        whole = edges[-1] % 4 == 0 and rng.random() < 0.5
        edges.append(edges[-1] + (4 if whole else 1))
    at = np.array(edges)
    begin = made.window.begin

    def mean(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, at[:-1], axis=-1) / np.diff(at)

    arrays = {
        field.name: mean(values)
        for field in fields(made.window)
        if isinstance(values := getattr(made.window, field.name), np.ndarray)
        and values.ndim and values.shape[-1] == count and field.name != "lengths_h"
    }  # fmt: skip
    lengths_h = np.diff(at) * made.world.step_h
    arrays |= {"edges": at + begin, "lengths_h": lengths_h, "live_count": lengths_h.size}

    def summed(values: Any) -> list[float]:
        return np.add.reduceat(np.array(values), at[:-1]).tolist()

    drawn, fed = summed(made.series.import_mwh), summed(made.series.export_mwh)
    return replace(
        made,
        window=replace(made.window, **arrays),
        given={
            "meter_import": np.array(drawn)[:, None], "meter_export": np.array(fed)[:, None],
            "buy": np.array(drawn)[:, None], "sell": np.array(fed)[:, None],
        },
        series=replace(
            made.series, lengths_h=lengths_h.tolist(), spot_usd_per_mwh=None, series={},
            import_mwh=drawn, export_mwh=fed,
        ),
    )  # fmt: skip


@settings(max_examples=30)
@given(seed=st.integers(0, 100_000))
def test_intervals_of_unequal_length_tie_too(seed: int) -> None:
    """Hours and quarters of an hour mixed: longer ones count with the peak's ratio."""
    items = ("energy", "tiers", "demand", "ratchet", "fixed", "minimum")
    made = coarser(case(seed, items, before=False, step_h=0.25), seed)
    ties(made, programs_usd(made))


# ---- the same from the arrays, and in parts ------------------------------------------------


@settings(max_examples=25)
@given(seed=st.integers(0, 100_000))
def test_the_account_charges_what_the_program_does(seed: int) -> None:
    """Rates, fixed charges and every term's own `charged_usd` sum to the settled bill."""
    made = case(seed, ITEMS, before=False)
    world, drawn, fed = made.world, made.given["meter_import"].T, made.given["meter_export"].T
    none = np.zeros((0, drawn.shape[1]))
    metered = Metered(
        import_mwh=drawn, export_mwh=fed, load_mwh=drawn, bought_mwh=drawn, sold_mwh=fed,
        take_mwh=none, generate_mwh=none, before=made.states,
    )  # fmt: skip
    span = slice(world.first, world.last)
    charges = [each.usd[span].sum() for each in world.sunk]
    charges += [each.import_usd_per_mwh[span] @ drawn[0] for each in world.rates]
    charges += [each.export_usd_per_mwh[span] @ fed[0] for each in world.rates]
    charges += [term.charged_usd(world, metered).sum() for term in world.terms]
    ties(made, float(np.sum(charges)))


def test_the_draws_hold_what_they_are_meant_to() -> None:
    """Least bills below and above the charges, ratchets that bind, terms that begin and end."""
    seen: set[str] = set()
    for seed in range(24):
        made = case(seed, ITEMS, before=False)
        (tariff,) = made.world.company.tariffs
        lines = settle_tariff(tariff, made.series, made.states, wacc_share=WACC_SHARE).lines
        seen |= {line.component.partition(".")[0] for line in lines}
        seen |= {"step" + str(made.world.step_h), "ends" if tariff.end else "goes on"}
    assert seen >= {
        "energy", "export", "tier_1", "tier_4", "d0", "d1", "cp", "plc", "known", "fixed",
        "standby", "collateral", "minimum", "step0.25", "step2.0", "ends", "goes on",
    }  # fmt: skip
