"""What the views of a report read beside the verbs' own objects, by hand: hours, places, money."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = dict[str, Any]
PLACES = {  # latitude, longitude
    "texas": (32.4, -99.7), "virginia": (39.0, -77.5), "ontario": (43.7, -79.4),
    "frankfurt": (50.1, 8.7), "tokyo": (35.7, 139.8), "sydney": (-33.9, 151.0),
}  # fmt: skip
ORIGINS = {"us-east": (40.7, -74.0), "japan": (35.7, 139.7)}
CLEAN = ("texas", "tokyo")
"""The sites that say what their grid emits."""


def views(balance: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of a report that `api.report_rows` fills."""
    starts = list(dict.fromkeys(str(row["start"]) for row in balance))
    return {
        "hours": hours(starts),
        "asked": asked(starts),
        "places": places(),
        "flows": flows(),
        "invoice": invoice(),
    }


def hours(starts: Sequence[str]) -> list[Row]:
    """Return carbon: texas 400 kg/MWh by day and 200 by night, tokyo 500 always."""
    by_hour = {"texas": lambda hour: 400.0 if 6 <= hour < 18 else 200.0, "tokyo": lambda _: 500.0}
    return [
        {"start": start, "site": site, "carbon_ledger": "location"}
        | {"carbon_kg_per_mwh": by_hour[site](int(start[11:13]))}
        for start in starts
        for site in CLEAN
    ]


def asked(starts: Sequence[str]) -> list[Row]:
    """Return the price of asking: chat 3 USD by day and 1 by night, free half, films an item."""
    rows = []
    for start in starts:
        usd = 3.0 if 6 <= int(start[11:13]) < 18 else 1.0
        for workload, ratio, item in (
            ("chat", 1.0, None),
            ("free", 0.5, None),
            ("films", 20.0, 0.2),
        ):
            rows.append(
                {
                    "start": start,
                    "workload": workload,
                    "usd_per_mtok": usd * ratio,
                    "usd_per_item": None if item is None else usd * item,
                    "arrived_mtok": 10.0,
                }
            )
    return rows


def places() -> list[Row]:
    """Return six sites and two origins."""
    names = ("latitude_deg", "longitude_deg")
    sites = [
        {"kind": "site", "name": name, "time_zone": f"Zone/{name}"}
        | dict(zip(names, at, strict=True))
        for name, at in PLACES.items()
    ]
    return sites + [
        {"kind": "origin", "name": name, "time_zone": None} | dict(zip(names, at, strict=True))
        for name, at in ORIGINS.items()
    ]


def flow(workload: str, origin: str, site: str, mtok: float, share: float) -> Row:
    """Return one flow; somebody else's servers have no distance."""
    return {
        "workload": workload,
        "tier": "chat",
        "origin": origin,
        "site": site,
        "served_mtok": mtok,
        "share": share,
        "rtt_ms": 40.0 if site else None,
        "distance_km": 2500.0 if site else None,
        "network_usd_per_mtok": 1.2e-4,
    }


def flows() -> list[Row]:
    """Return 100 Mtok: 60 from us-east to texas, 30 from japan to tokyo, 10 to nobody's site."""
    return [
        flow("chat-america", "us-east", "texas", 60.0, 1.0),
        flow("chat-japan", "japan", "tokyo", 30.0, 0.75),
        flow("chat-japan", "japan", "", 10.0, 0.25),
    ]


def path(kind: str, site: str, model: str, tenant: str, usd: float) -> Row:
    """Return one path of money."""
    return {"kind": kind, "site": site, "model": model, "tenant": tenant, "usd": usd}


def invoice() -> list[Row]:
    """Return paths that sum to 1,000 USD.

    Power 180 and a sale of 30, GPUs 600, an API 50, staff 200.
    """
    return [
        path("power", "texas", "large", "chat", 120.0),
        path("power", "tokyo", "large", "chat", 60.0),
        path("power", "sydney", "large", "chat", -30.0),
        path("gpu", "texas", "large", "chat", 300.0),
        path("gpu", "texas", "small", "free", 100.0),
        path("gpu", "tokyo", "", "", 200.0),
        path("api", "", "large", "chat", 50.0),
        path("staff", "", "", "", 200.0),
    ]
