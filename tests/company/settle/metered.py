"""Meters and contracts for the tests of this room: worked series A, and random ones."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from tokenergy.company.contract import (
    Block,
    Cfe,
    Colocation,
    DemandResponse,
    OnSite,
    PpaAsProduced,
    PpaBaseload,
    PpaVirtual,
    Rec,
    Spot,
)
from tokenergy.company.settle import MeterSeries, settle, settle_tariff
from tokenergy.company.tariff import CoincidentPeak, DemandCharge, Tariff

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
LOAD = (10.0, 20.0, 30.0, 20.0)
NODE = (40.0, 60.0, 100.0, -10.0)
HUB = (35.0, 50.0, 90.0, -20.0)
PROFILE = (0.75, 0.25, 0.0, 1.0)  # of 40 MW: 30, 10, 0, 40; half of it is 15, 5, 0, 20
OURS = (15.0, 5.0, 0.0, 20.0)


def meter(*, count=4, step_h=1.0, lengths_h=None, start=START, zone="UTC", **series) -> MeterSeries:
    """Make meters of `count` intervals; a number stands for as many of it."""
    lengths = (step_h,) * count if lengths_h is None else tuple(lengths_h)
    flat = {
        name: (float(values),) * len(lengths) if isinstance(values, int | float) else values
        for name, values in series.items()
    }
    return MeterSeries(start=start, lengths_h=lengths, time_zone=ZoneInfo(zone), **flat)


def at(zone: str, *moment: int) -> datetime:
    """Return a local moment in UTC."""
    return datetime(*moment, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def residual(delivered=(0.0,) * 4, **series) -> MeterSeries:
    """Return what is bought and sold of series A when `delivered` comes on top of the grid."""
    pairs = list(zip(LOAD, delivered, strict=True))
    return meter(
        spot_usd_per_mwh=NODE,
        bought_mwh=tuple(max(0.0, load - mwh) for load, mwh in pairs),
        sold_mwh=tuple(max(0.0, mwh - load) for load, mwh in pairs),
        **series,
    )


def taken(mwh=OURS, *, spot_usd_per_mwh=NODE, **series) -> MeterSeries:
    return meter(spot_usd_per_mwh=spot_usd_per_mwh, taken_mwh=mwh, profile_share=PROFILE, **series)


def _made(kind, defaults, terms):
    return kind.model_validate({"site": "s0", **defaults, **terms})


def spot(**terms) -> Spot:
    return _made(Spot, {"kind": "spot", "id": "spot"}, terms)


def block(**terms) -> Block:
    words = {"kind": "block", "id": "block", "contract_mw": 15.0, "strike_usd_per_mwh": 55.0}
    return _made(Block, words, terms)


def ppa(**terms) -> PpaAsProduced:
    words = {
        "kind": "ppa_as_produced", "id": "wind", "project_mw": 40.0, "share": 0.5,
        "profile": 0.5, "strike_usd_per_mwh": 45.0,
    }  # fmt: skip
    return _made(PpaAsProduced, words, terms)


def baseload(**terms) -> PpaBaseload:
    words = {
        "kind": "ppa_baseload", "id": "base", "contract_mw": 10.0, "strike_usd_per_mwh": 50.0,
    }  # fmt: skip
    return _made(PpaBaseload, words, terms)


def virtual(**terms) -> PpaVirtual:
    words = {
        "kind": "ppa_virtual", "id": "vppa", "project_mw": 40.0, "share": 0.5, "profile": 0.5,
        "hub_price": 40.0, "strike_usd_per_mwh": 45.0,
    }  # fmt: skip
    return _made(PpaVirtual, words, terms)


def colocation(**terms) -> Colocation:
    words = {
        "kind": "colocation", "id": "next-door", "project_mw": 25.0, "profile": 1.0,
        "strike_usd_per_mwh": 50.0, "standby_mw": 20.0, "standby_usd_per_kw_month": 8.0,
        "backup_adder_usd_per_mwh": 20.0, "export_limit_mw": 10.0,
    }  # fmt: skip
    return _made(Colocation, words, terms)


def on_site(**terms) -> OnSite:
    words = {
        "kind": "on_site", "id": "gas", "capacity_mw": 20.0, "heat_rate_mmbtu_per_mwh": 9.5,
        "fuel_usd_per_mmbtu": 4.0, "vom_usd_per_mwh": 4.0, "start_usd": 500.0,
    }  # fmt: skip
    return _made(OnSite, words, terms)


def cfe(**terms) -> Cfe:
    words = {
        "kind": "cfe", "id": "cfe", "target_share": 0.5, "premium_usd_per_mwh": 12.0,
        "sources": ("wind",),
    }  # fmt: skip
    return _made(Cfe, words, terms)


def rec(**terms) -> Rec:
    words = {"kind": "rec", "id": "rec", "price_usd_per_mwh": 3.0, "load_share": 0.5}
    return _made(Rec, words, terms)


def response(**terms) -> DemandResponse:
    words = {
        "kind": "demand_response", "id": "dr", "committed_mw": 5.0, "baseline_mw": 30.0,
        "availability_usd_per_kw_month": 5.0, "delivered_usd_per_mwh": 200.0,
        "penalty_usd_per_mwh": 500.0,
    }  # fmt: skip
    return _made(DemandResponse, words, terms)


def demand(**terms) -> DemandCharge:
    return DemandCharge.model_validate({"name": "demand", "usd_per_kw_month": 12.0, **terms})


def peaks(**terms) -> CoincidentPeak:
    return CoincidentPeak.model_validate({"name": "4cp", "usd_per_kw_year": 66.0, **terms})


def tariff(**terms) -> Tariff:
    return Tariff.model_validate({"id": "grid", "site": "s0", **terms})


def event(start: datetime, end: datetime) -> dict[str, datetime]:
    return {"start": start, "end": end}


def billed(contract, series, *state) -> float:
    return settle(contract, series, *state).amount_usd


def charged(words: Tariff, series: MeterSeries, states=None, **terms) -> float:
    return settle_tariff(words, series, states or {}, **terms).amount_usd


def by_component(lines) -> dict[str, float]:
    """Return the sum of each component."""
    sums: dict[str, float] = {}
    for line in lines:
        sums[line.component] = sums.get(line.component, 0.0) + line.amount_usd
    return sums


def cut(series: MeterSeries, begin: int, end: int) -> MeterSeries:
    """Return intervals `[begin, end)` of a meter."""
    names = (
        "spot_usd_per_mwh", "bought_mwh", "sold_mwh", "import_mwh", "export_mwh", "load_mwh",
        "taken_mwh", "generate_mwh", "profile_share",
    )  # fmt: skip
    spans = list(series.spans())
    rows = {name: getattr(series, name) for name in names}
    return MeterSeries(
        start=spans[begin].start,
        lengths_h=series.lengths_h[begin:end],
        time_zone=series.time_zone,
        import_price=series.import_price,
        series={name: row[begin:end] for name, row in series.series.items()},
        delivered_mwh={name: row[begin:end] for name, row in series.delivered_mwh.items()},
        **{name: None if row is None else row[begin:end] for name, row in rows.items()},
    )


MONTH_EDGES = (
    ("UTC", (2026, 2, 28, 18)),
    ("Europe/Berlin", (2026, 3, 28, 20)),  # 23 h on the 29th
    ("Europe/Berlin", (2026, 10, 24, 20)),  # 25 h on the 25th
    ("America/Chicago", (2026, 7, 31, 12)),
    ("Asia/Kolkata", (2027, 12, 31, 15)),  # half-hour zone, year edge
    ("America/New_York", (2028, 2, 28, 20)),  # leap day
)
LENGTHS_H = (0.25, 1.0 / 12.0, 0.5, 1.0, 2.0)


def random_meter(seed: int, *, count=36) -> MeterSeries:
    """Make meters of unequal intervals across an edge of the calendar, prices below 0 in some."""
    rng = np.random.default_rng(seed)
    zone, moment = MONTH_EDGES[int(rng.integers(len(MONTH_EDGES)))]
    if rng.integers(2):
        lengths_h = (float(rng.choice(LENGTHS_H)),) * count
    else:
        lengths_h = tuple(rng.choice(LENGTHS_H, count).tolist())
    hours = np.array(lengths_h)
    draw = lambda low, high: (rng.uniform(low, high, count) * hours).tolist()  # noqa: E731
    net = rng.uniform(-20.0, 40.0, count) * hours
    net[rng.random(count) < 0.1] = 0.0
    profile = rng.uniform(0.0, 1.0, count)
    took = rng.choice([0.0, 0.5, 1.0], count)
    return MeterSeries(
        start=at(zone, *moment),
        lengths_h=lengths_h,
        time_zone=ZoneInfo(zone),
        spot_usd_per_mwh=rng.normal(30.0, 40.0, count).tolist(),
        bought_mwh=np.maximum(0.0, net).tolist(),
        sold_mwh=np.maximum(0.0, -net).tolist(),
        import_mwh=np.maximum(0.0, net).tolist(),
        export_mwh=np.maximum(0.0, -net).tolist(),
        load_mwh=draw(0.0, 50.0),
        taken_mwh=(20.0 * profile * took * hours).tolist(),
        generate_mwh=(rng.choice([0.0, 0.4, 1.0], count) * 20.0 * hours).tolist(),
        profile_share=profile.tolist(),
        series={
            "hub_price": rng.normal(30.0, 40.0, count).tolist(),
            "shape": rng.uniform(0.0, 1.0, count).tolist(),
            "shortfall": rng.choice([0.0, 0.3], count).tolist(),
            "baseline_mw": rng.uniform(10.0, 40.0, count).tolist(),
            "fuel_usd_per_mmbtu": rng.uniform(2.0, 9.0, count).tolist(),
            "grid_cfe_share": rng.uniform(0.0, 0.5, count).tolist(),
            "4cp.system_load": rng.uniform(5e4, 8e4, count).tolist(),
            "5cp.system_load": rng.integers(60, 70, count).astype(float).tolist(),  # with ties
        },
        delivered_mwh={"wind": draw(0.0, 40.0)},
    )
