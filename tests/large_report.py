"""A report by hand of sixty sites and a year of hours: the fortnight of six, again and again."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tokenergy.page.report import ReportData

START = datetime(2026, 1, 1, tzinfo=UTC)
SITES_COUNT, YEAR_H, BOARD_H = 60, 365 * 24, 48


def large_report(make_data: Callable[..., ReportData]) -> ReportData:
    """Return the report that `make_data` makes, with ten times the sites and a year of hours.

    Each group of six sites draws a little less than the one before it, so that an order of the
    sites by load exists.
    """
    small = make_data()
    start = [
        (START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%MZ") for hour in range(YEAR_H + 1)
    ]
    sites = [str(row["site"]) for row in small.balance[:6]]
    fortnight = [small.balance[at : at + 6] for at in range(0, len(small.balance), 6)]
    names = {
        (site, group): site if group == 0 else f"{site}-{group + 1:02}"
        for site in sites
        for group in range(SITES_COUNT // 6)
    }
    balance = [
        dict(row)
        | {
            "start": start[hour],
            "site": names[row["site"], group],
            "load_mw": row["load_mw"] * (1.0 - group / 100.0),
        }
        for hour in range(YEAR_H)
        for group in range(SITES_COUNT // 6)
        for row in fortnight[hour % len(fortnight)]
    ]
    first = datetime.fromisoformat(str(small.prices[0]["start"]))
    hour_of = {
        stamp: round((datetime.fromisoformat(stamp) - first) / timedelta(hours=1))
        for stamp in {str(row["start"]) for row in small.prices}
    }
    prices = [
        dict(row)
        | {"start": start[hour_of[row["start"]]], "site": names[row["site"], group]}
        | ({"in_use": False, "share": 0.0} if group else {})
        for row in small.prices
        for group in range(SITES_COUNT // 6)
    ]
    return make_data(
        balance=balance,
        prices=prices,
        heading=_heading(small, start, list(names.values())),
        **carbon(balance),
    )


def _heading(small: ReportData, start: list[str], sites: list[str]) -> dict[str, Any]:
    return dict(small.heading) | {
        "horizon": {"start": start[0], "end": start[-1], "step_h": 1.0},
        "synthetic": [f"sites.{site}.market.price" for site in sites],
    }


def carbon(balance: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what carpets read beside the balance: carbon by site, the price of asking."""
    hours = [
        {
            "start": row["start"],
            "site": row["site"],
            "carbon_kg_per_mwh": 200.0 + row["buy_usd_per_mwh"],
            "carbon_ledger": "location",
        }
        for row in balance
    ]
    asked = [
        {
            "start": row["start"],
            "workload": "chat-america",
            "usd_per_mtok": row["buy_usd_per_mwh"] / 100.0,
            "arrived_mtok": 31_000.0,
        }
        for row in {row["start"]: row for row in balance}.values()
    ]
    return {"hours": hours, "asked": asked}
