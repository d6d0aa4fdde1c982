"""A report by hand: six sites, a fortnight, seven workloads. Every series in it is synthetic."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import paying
import pytest
import report_views
import telling

from tokenergy.page.report import ReportData

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS, BOARD_H = 14, 48
BASELINE_USD = 682_650.0  # what `score` makes of greedy_battery
SITES = {  # import limit MW, battery MW, contract MW, behind the meter, mean price
    "texas": (18.0, 6.0, 9.0, False, 31.0),
    "virginia": (9.0, 0.0, 0.0, False, 52.0),
    "ontario": (5.0, 0.0, 0.0, False, 44.0),
    "frankfurt": (6.0, 0.0, 0.0, False, 88.0),
    "tokyo": (6.0, 0.0, 0.0, False, 96.0),
    "sydney": (6.0, 3.0, 9.0, True, 61.0),
}
WORKLOADS = {  # model, base price USD/Mtok, Mtok in an hour
    "chat-america": ("large", 1.9, 31_000.0),
    "chat-europe": ("large", 2.4, 24_000.0),
    "chat-japan": ("large", 2.1, 13_000.0),
    "agents-america": ("agent", 0.74, 46_000.0),
    "free-australia": ("small", 0.052, 17_000.0),
    "nightly-europe": ("agent", 0.61, 70_000.0),
    "films": ("film", 61.0, 120.0),
}
ACCELERATOR = {"texas": "B200", "ontario": "H200", "tokyo": "B200"}
PARTS = (
    "energy", "mw_rent", "demand_peak_rent", "cfe_rent", "gpu_rent", "wake", "network", "quality",
    "other",
)  # fmt: skip


def stamp(hour: float) -> str:
    return (START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%MZ")


def price_at(site: str, hour: float) -> float:
    mean = SITES[site][4]
    east = len(site) * 1.7
    day = math.sin((hour - 8 + east) / 24 * 2 * math.pi)
    sun = max(0.0, math.sin((hour % 24 - 6 + east) / 12 * math.pi)) ** 2
    gust = math.sin(hour / 31 + east) * 0.45 + math.sin(hour / 7.3) * 0.12
    spike = 3.4 if site == "texas" and int(hour) % 167 == 66 else 0.0
    return round(mean * (1 + 0.4 * day - 1.1 * sun * (mean < 70) + gust + spike), 3)


def balance_row(site: str, hour: int) -> dict[str, Any]:
    limit, power, contract, behind, mean = SITES[site]
    price = price_at(site, hour)
    wave = 0.5 + 0.5 * math.sin((hour + len(site) * 3) / 24 * 2 * math.pi)
    load = min(limit, 0.35 * limit + 0.6 * limit * wave * (1.2 if price < mean else 0.9))
    wind = (
        0.5 + 0.5 * math.sin(hour / 19)
        if not behind
        else max(0.0, math.sin((hour % 24 - 7) / 11 * math.pi))
    )
    take = contract * wind
    charge = power * (0.8 if price < 0.75 * mean else 0.0)
    discharge = power * (0.7 if price > 1.25 * mean else 0.0)
    net = load + charge - discharge - (take if behind else 0.0)
    export = min(3.0, max(0.0, -net)) if behind else 0.0
    if behind and net < -export:
        take += net + export
    return {
        "start": stamp(hour),
        "site": site,
        "buy_usd_per_mwh": price,
        "load_mw": round(load, 4),
        "import_mw": round(max(0.0, net), 4),
        "export_mw": round(export, 4),
        "take_mw": round(take, 4),
        "charge_mw": round(charge, 4),
        "discharge_mw": round(discharge, 4),
        "stored_mwh": round(power * 2 * (1 + math.sin(hour / 9)), 4),
        "import_limit_mw": limit,
    }


def price_row(workload: str, site: str, hour: int) -> dict[str, Any]:
    model, base, _ = WORKLOADS[workload]
    parts = dict.fromkeys(PARTS, 0.0)
    power = price_at(site, hour)
    parts["energy"] = base * power / 260
    parts["mw_rent"] = base * 0.5 if site == "frankfurt" and 8 <= hour % 24 <= 18 else 0.0
    parts["gpu_rent"] = base * (0.35 + 0.25 * math.sin((hour - len(workload)) / 24 * 2 * math.pi))
    parts["wake"] = base * 0.04 * math.sin(hour / 3)
    parts["network"] = base * 0.01 * len(site)
    parts["quality"] = base * 0.06 if workload == "chat-japan" and hour % 24 > 20 else 0.0
    total = sum(parts.values())
    place = (list(SITES).index(site) + list(WORKLOADS).index(workload) + hour // 8) % 6
    used = place < 2
    high = total if used else total / 1.3
    media = model == "film"
    return {
        "workload": workload,
        "site": site,
        "accelerator": ACCELERATOR.get(site, "H100"),
        "model": model,
        "start": stamp(hour),
        "in_use": used,
        "share": (0.7, 0.3)[place] if used else 0.0,
        **{f"{part}_usd_per_mtok": usd for part, usd in parts.items()},
        "total_usd_per_mtok": total,
        "low_usd_per_mtok": high * (0.8 if hour % 3 else 1.0),
        "high_usd_per_mtok": high,
        "energy_marginal_usd_per_mtok": parts["energy"] * 0.6,
        "energy_base_usd_per_mtok": parts["energy"] * 0.4,
        "energy_mwh_per_mtok": base / 260,
        "node_usd_per_mwh": power,
        "within_replica_usd_per_mtok": None,
        "usd_per_item": high * 0.0078 if media else None,
        "usd_per_video_s": high * 0.0016 if media else None,
    }


def segments(workload: str) -> list[dict[str, Any]]:
    model, base, demand = WORKLOADS[workload]
    steps, cum = [], 0.0
    kinds = ("behind the meter", "contract", "spot", "spot", "spot", "spot")
    for at, (site, kind) in enumerate(zip(("sydney", *SITES), kinds, strict=False)):
        cum += demand * (0.3 + 0.1 * at)
        energy = base * (0.06 + 0.05 * at) * (-0.4 if at == 0 else 1.0)
        steps.append(
            {
                "label": f"{model} on {ACCELERATOR.get(site, 'H100')} at {site}",
                "site": site,
                "capacity_mtok": demand * (0.3 + 0.1 * at),
                "cum_mtok": cum,
                "usd_per_mtok": energy + base * 0.3 + 0.04 * base * at,
                "energy_usd_per_mtok": energy,
                "energy_kind": kind,
            }
        )
    return steps


def score(power: float, lost: float, other: float, regret: float, captured: float | None) -> Any:
    parts = {
        "power": power, "cycling": 3_900.0, "lease": other, "network": 21_000.0, "api": 8_000.0,
        "refused": lost, "downgraded": lost / 3, "end_valuation": -1_250.0,
    }  # fmt: skip
    cost = sum(parts.values())
    return {
        "cost_usd": cost,
        "bill_usd": power,
        "regret_share": regret,
        "captured_share": captured,
        "served_mtok": 61_234_567.0 - lost,
        "refused_mtok": lost / 2,
        "zero_price_share": 0.031,
        "j_per_token": 0.612,
        "saving_greedy_battery": {"usd": BASELINE_USD - cost, "share": 1 - cost / BASELINE_USD},
        "parts": parts,
    }


def report_data(**changes: Any) -> ReportData:
    """Return the report; `changes` replace fields."""
    fields: dict[str, Any] = {
        "heading": {
            "company": "Meridian",
            "file": "meridian.yaml",
            "currency": "USD",
            "horizon": {"start": stamp(0), "end": stamp(24 * DAYS), "step_h": 1.0},
            "synthetic": [f"sites.{site}.market.price" for site in SITES],
            "warnings": [
                {
                    "code": "MUST_SERVE_REFUSED",
                    "path": "workloads[1]",
                    "value": "6.4",
                    "limit": "6",
                    "unit": "MW",
                    "severity": "warning",
                    "line": None,
                    "file": "",
                    "reason": "frankfurt would need 6.4 MW at 2026-03-04T18:00Z for chat-europe",
                    "remedy": "Raise import_limit_mw or let chat-europe run elsewhere",
                }
            ],
        },
        "policy": "mpc",
        "message": "Of a full cost of 1.93 USD/Mtok, kWh are 6.4%, powered capacity 16.8%, "
        "silicon 74.1%. Megawatts bind in 22 site-hours: there MW rent decides.",
        "full_cost": {
            "hours_h": 24.0 * DAYS,
            "served_mtok": 61_234_567.0,
            "power_usd": 7_563_000.0,
            "silicon_usd": 87_573_000.0,
            "powered_capacity_usd": 19_854_000.0,
            "other_usd": 3_190_000.0,
            "allocation_usd": 118_180_000.0,
            "usage_usd": 84_310_000.0,
            "unused_capacity_usd": 33_870_000.0,
            "allocation_usd_per_mtok": 1.93,
            "usage_usd_per_mtok": 1.377,
            "kwh_share": 0.064,
            "powered_capacity_share": 0.168,
            "silicon_share": 0.741,
            "missing": ("sites.ontario.facility_usd_per_kw",),
        },
        "scorecard": {
            "policies": {
                "nearest": score(702_000.0, 41_000.0, 160_000.0, 0.557, None),
                "static": score(598_000.0, 22_000.0, 120_000.0, 0.252, -1.4),
                "greedy": score(561_000.0, 6_000.0, 96_000.0, 0.141, -0.12),
                "greedy_battery": score(547_000.0, 6_000.0, 96_000.0, 0.118, 0.0),
                "mpc": score(492_000.0, 2_000.0, 90_000.0, 0.0134, 0.887),
                "clairvoyant": score(484_000.0, 1_500.0, 89_000.0, 0.0, 1.0),
            },
            "baseline": "greedy_battery",
            "bound": "clairvoyant",
            "synthetic": ["sites.texas.market.price"],
        },
        "balance": [balance_row(site, hour) for hour in range(24 * DAYS) for site in SITES],
        "prices": [
            price_row(workload, site, hour)
            for hour in range(BOARD_H)
            for workload in WORKLOADS
            for site in SITES
        ],
        "supply": {workload: segments(workload) for workload in WORKLOADS},
        "demand_mtok": {workload: mtok for workload, (_, _, mtok) in WORKLOADS.items()},
        "split": {
            "nearest_usd": 934_000.0,
            "clairvoyant_usd": 605_750.0,
            "deferral_first": order(("geography", "hour", "deferral", "storage"), 71e3, 40e3),
            "storage_first": order(("geography", "hour", "storage", "deferral"), 62e3, 49e3),
        },
        "economics": paying.economics(),
        "made": {"version": "0.1.0", "at": "2026-03-16T09:30Z", "digest": "0123456789ab"},
        "settlement": telling.settlement(),
        "decisions": telling.decisions(),
        "thesis": telling.thesis(),
    }
    fields |= report_views.views(fields["balance"])
    return ReportData(**fields | changes)


def order(steps: tuple[str, ...], deferral_usd: float, storage_usd: float) -> dict[str, Any]:
    usd = {"geography": 150e3, "hour": 67e3, "deferral": deferral_usd, "storage": storage_usd}
    return {
        "steps": steps,
        "saving_usd": {step: usd[step] for step in steps},
        "saving_share": {step: usd[step] / 934e3 for step in steps},
    }


@pytest.fixture(scope="session")
def data() -> ReportData:
    return report_data()


@pytest.fixture(scope="session")
def make_data() -> Callable[..., ReportData]:
    """Return what makes a report with some of its fields replaced."""
    return report_data
