"""An outlook made up by arithmetic: so many sites and workloads, as `api.outlook` says it."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from tokenergy.page.rows import PARTS, Row, stamp

START = datetime(2026, 3, 2, 18, tzinfo=UTC)
PLACES = (
    ("texas", 32.8, -97.0),
    ("virginia", 38.9, -77.4),
    ("frankfurt", 50.1, 8.7),
    ("sydney", -33.9, 151.2),
)
WORKLOADS = (("chat-america", 41.9, -87.6), ("batch-anywhere", 48.9, 2.3))


def outlook_of(
    *,
    sites_count: int = 4,
    workloads_count: int = 2,
    hours_count: int = 48,
    dearer_ratio: float = 1.0,
    board: int = 0,
) -> Row:
    """Return an outlook; every figure of `now` times `dearer_ratio`, hours shifted by `board`."""
    start = START + timedelta(hours=board)
    times = [start + timedelta(hours=at) for at in range(hours_count)]
    sites = [_site(at) for at in range(sites_count)]
    names = [_workload(at) for at in range(workloads_count)]
    said: Row = {
        "company": "Example",
        "about": "made up",
        "file": "example.yaml",
        "currency": "USD",
        "synthetic": ["sites[0].market.price"],
        "board_id": f"board-{board}",
        "policy": "daily_lp",
        "made_at": stamp(start),
        "start": stamp(start),
        "valid_until": stamp(start + timedelta(hours=1)),
        "step_h": 1.0,
        "hours_h": float(hours_count),
        "message": "Of a full cost of 0.78 USD/Mtok, kWh are 1.6 %. Megawatts bind in 36 h.",
        "full_cost": {"allocation_usd_per_mtok": 0.78, "kwh_share": 0.016, "hours_h": hours_count},
        "sites": sites,
        "origins": [
            {"workload": name, "tier": name.partition("-")[0], "latitude_deg": north}
            | {"longitude_deg": east}
            for name, north, east in names
        ],
        "findings": [],
    }
    every = range(sites_count)
    said["now"] = [
        _price(at, name, site, start, rank, dearer_ratio)
        for rank, (name, _, _) in enumerate(names)
        for at, site in enumerate(sites)
    ]
    said["ahead"] = [
        _price(0, name, sites[0], time, rank, dearer_ratio * (1.0 + 0.5 * _wave(time)))
        | {"end": _end(time)}
        for rank, (name, _, _) in enumerate(names)
        for time in times
    ]
    said["balance"] = [_power(at, sites[at], time) for time in times for at in every]
    said["shares"] = [
        {"start": stamp(time), "end": _end(time), "workload": name}
        | {"site": sites[at]["site"], "share": _share(at, sites_count)}
        for name, _, _ in names
        for time in times
        for at in every
        if _share(at, sites_count) > 0.0
    ]
    said["queues"] = [
        {"start": stamp(time), "end": _end(time), "workload": name, "arrivals_mtok": 100.0}
        | {"served_mtok": 100.0 - 20.0 * _wave(time) * rank}
        | {"backlog_mtok": 40.0 * rank * (1.0 + _wave(time))}
        for rank, (name, _, _) in enumerate(names)
        for time in times
    ]
    return said


def _site(at: int) -> Row:
    name, north, east = PLACES[at % len(PLACES)]
    turn = at // len(PLACES)
    return {
        "site": name if turn == 0 else f"{name}-{turn}",
        "latitude_deg": north + 3.0 * math.sin(2.0 * turn),
        "longitude_deg": east + 4.0 * math.cos(2.0 * turn),
        "zone": name.upper(),
        "import_limit_mw": 100.0,
    }


def _workload(at: int) -> tuple[str, float, float]:
    name, north, east = WORKLOADS[at % len(WORKLOADS)]
    return (name if at < len(WORKLOADS) else f"{name}-{at}"), north, east


def _share(at: int, count: int) -> float:
    """Return the first three sites' shares, 0.5, 0.3, 0.2: of fewer sites the first has all."""
    if count < 3:
        return float(at == 0)
    return (0.5, 0.3, 0.2)[at] if at < 3 else 0.0


def _price(at: int, name: str, site: Row, time: datetime, rank: int, ratio: float) -> Row:
    """Return a price of energy 0.01 per place, MW rent 0.002, GPU rent 0.02, times a ratio."""
    parts = dict.fromkeys(PARTS, 0.0)
    parts |= {"energy": 0.01 * (at + 1) * ratio, "mw_rent": 0.002 * ratio, "gpu_rent": 0.02 * ratio}
    total = sum(parts.values()) * (rank + 1)
    share = _share(at, 3)
    return {
        "workload": name,
        "site": site["site"],
        "accelerator": "H100",
        "model": "large",
        "start": stamp(time),
        "in_use": share > 0.0,
        "share": share,
        **{f"{part}_usd_per_mtok": usd * (rank + 1) for part, usd in parts.items()},
        "total_usd_per_mtok": total,
        "low_usd_per_mtok": total * 0.9,
        "high_usd_per_mtok": total,
        "usd_per_item": None,
        "usd_per_video_s": None,
    }


def _power(at: int, site: Row, time: datetime) -> Row:
    wave = _wave(time)
    load = min(100.0, 60.0 + 50.0 * wave) / (at + 1)
    charge, discharge = (max(0.0, -20.0 * wave), max(0.0, 20.0 * wave)) if at == 0 else (0.0, 0.0)
    return {
        "start": stamp(time),
        "end": _end(time),
        "site": site["site"],
        "buy_usd_per_mwh": 40.0 + 30.0 * wave,
        "load_mw": load,
        "import_mw": min(100.0, max(0.0, load + charge - discharge)),
        "export_mw": 0.0,
        "import_limit_mw": 100.0,
        "take_mw": 0.0,
        "charge_mw": charge,
        "discharge_mw": discharge,
        "stored_mwh": 50.0 * (1.0 - wave) if at == 0 else 0.0,
        "mw_rent_usd_per_mwh": 7.0 if at == 0 and wave > 0.8 else 0.0,
    }


def _wave(time: datetime) -> float:
    return math.sin(2.0 * math.pi * time.hour / 24.0)


def _end(time: datetime) -> str:
    return stamp(time + timedelta(hours=1))


def with_name(value: Any, old: str, new: str) -> Any:
    """Return an outlook in which a name is another one everywhere."""
    if isinstance(value, dict):
        return {key: with_name(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_name(inner, old, new) for inner in value]
    return new if value == old else value
