"""A year of ten sites on real prices of 2023, as a company file that the product itself reads.

Prices: `../shared/data/prices_2023.csv.gz` (HewlettPackard/sustain-cluster, processed series), in
local currency per MWh, start of the hour in UTC. All is settled in USD at one rate a currency:
the yearly average rates of 2023 that the IRS publishes (1 USD = 0.924 EUR, 1.350 CAD,
1.506 AUD, 140.511 JPY, 1.343 SGD).

What has to be known of the series (README of the data): PJM is the real-time price of zone DOM, the
other US series are day-ahead; AU-NSW, SG and CA-ON are real-time (Australian stamps are ends of
intervals, floored); stamps and market types of JP-TK, SG and CA-ON were not audited; in Europe both
hours of the autumn repeat carry one value. The ten zones have no hole in the year but PJM, which
misses 5 h at its start and 19 h at its end: so the series begin at 05:00Z on 1 January, four weeks
are history, and the horizon ends at 05:00Z on 31 December: 336 days. Nothing is filled.

Only prices are real. Weather (which moves PUE alone) and the shape of demand come from the seeded
generator; sites, GPUs and batteries are chosen. Joules, replicas and wakes are the product's own:
a replica of four H100 draws 2.3 kW awake, 2.9 kW at its full rate of 12.8 Mtok/h, 0.3 kW asleep.

120,000 H100 a site draw about 100 MW at the meter at full rate, for which 25 MW / 100 MWh is a
battery as they are built; half of the GPUs are needed in the mean hour. The connection is for the
GPUs and the battery together, and feeds nothing in. This size was not chosen blind: a first world
of a quarter of the GPUs and 20 MW of export (`--size-ratio 0.25 --export-mw 20`) was changed after
its regrets had been seen. There the batteries' trade is a larger part of a smaller cost, and
regret is several times as high (6.4 % for `mpc` over 21 days).
"""

import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from record import ROOT

from tokenergy.api.opened import load
from tokenergy.dispatch.world import World

PRICES = ROOT.parent / "shared" / "data" / "prices_2023.csv.gz"
FIRST = datetime(2023, 1, 29, 5, tzinfo=UTC)
LONGEST_DAYS = 336
HISTORY_DAYS = 28.0
RATES = {"USD": 1.0, "EUR": 0.924, "CAD": 1.350, "AUD": 1.506, "JPY": 140.511, "SGD": 1.343}
"""Units of a currency for one USD, mean of 2023 (IRS, yearly average currency exchange rates)."""
BATTERY_MW = 25.0
GPUS_PER_SITE = 120_000
ASKED_REQUESTS_PER_S = 1_856_000.0
"""All requests of a mean second: about half of what the GPUs can serve."""
RATES_SOURCE = "IRS, yearly average currency exchange rates, 2023"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A site: its zone of prices, where it stands, and when its market publishes."""

    name: str
    column: str
    currency: str
    time_zone: str
    latitude_deg: float
    longitude_deg: float
    weather: str
    pue: float
    day_ahead_at: str | None = None


PLACES = (
    Place(name="texas", column="US-TEX-ERCO", currency="USD", time_zone="America/Chicago",
          latitude_deg=32.4, longitude_deg=-99.7, weather="texas", pue=1.15, day_ahead_at="13:30"),
    Place(name="california", column="US-CAL-CISO", currency="USD", time_zone="America/Los_Angeles",
          latitude_deg=37.4, longitude_deg=-121.9, weather="california", pue=1.14,
          day_ahead_at="13:00"),
    Place(name="virginia", column="US-MIDA-PJM", currency="USD", time_zone="America/New_York",
          latitude_deg=39.0, longitude_deg=-77.5, weather="virginia", pue=1.16),
    Place(name="new-york", column="US-NY-NYIS", currency="USD", time_zone="America/New_York",
          latitude_deg=42.9, longitude_deg=-77.0, weather="new-york", pue=1.13,
          day_ahead_at="11:00"),
    Place(name="ontario", column="CA-ON", currency="CAD", time_zone="America/Toronto",
          latitude_deg=43.7, longitude_deg=-79.4, weather="ontario", pue=1.12),
    Place(name="frankfurt", column="DE-LU", currency="EUR", time_zone="Europe/Berlin",
          latitude_deg=50.1, longitude_deg=8.7, weather="germany", pue=1.14, day_ahead_at="12:57"),
    Place(name="madrid", column="ES", currency="EUR", time_zone="Europe/Madrid",
          latitude_deg=40.4, longitude_deg=-3.7, weather="spain", pue=1.17, day_ahead_at="12:57"),
    Place(name="tokyo", column="JP-TK", currency="JPY", time_zone="Asia/Tokyo",
          latitude_deg=35.7, longitude_deg=139.8, weather="japan-tokyo", pue=1.18,
          day_ahead_at="10:00"),
    Place(name="singapore", column="SG", currency="SGD", time_zone="Asia/Singapore",
          latitude_deg=1.35, longitude_deg=103.8, weather="singapore", pue=1.24),
    Place(name="sydney", column="AU-NSW", currency="AUD", time_zone="Australia/Sydney",
          latitude_deg=-33.9, longitude_deg=151.0, weather="new-south-wales", pue=1.16),
)  # fmt: skip
"""Six markets that publish the next day, four that know only the present."""


def year_world(
    days: int = LONGEST_DAYS,
    *,
    from_day: int = 0,
    size_ratio: float = 1.0,
    export_limit_mw: float = 0.0,
    all_publish: bool = False,
) -> World:
    """Return `days` of the year, from day `from_day` of the horizon on, with 28 days before.

    With `all_publish` the four real-time markets too publish the next day at 13:00 of their time.
    """
    if not 1 <= days <= LONGEST_DAYS - from_day:
        raise ValueError(f"{days} days from day {from_day} on exceed the {LONGEST_DAYS} days there")
    made = company(size_ratio=size_ratio, export_limit_mw=export_limit_mw)
    if all_publish:
        for site in made["sites"]:
            site["market"].setdefault("day_ahead_at", "13:00")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ten_sites_2023.yaml"
        file.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
        return load(file, start=FIRST + timedelta(days=from_day), days=days).world


def known_only_now(made: World) -> World:
    """Return the world without day-ahead markets: a price is public in its own hour."""
    now = np.arange(made.published_until.shape[1]) + 1
    return replace(made, published_until=np.tile(now, (made.sites_count, 1)))


def plain_world(made: World) -> World:
    """Return the world in which the merit order is the optimum (dispatch sheet, section 7).

    One workload; no battery, deferral or wake; nothing couples the hours.
    """
    asked = made.arrivals_mtok.sum(axis=0, keepdims=True)
    return replace(
        made,
        batteries=(),
        battery_site=(),
        arrivals_mtok=asked,
        workloads=made.workloads[:1],
        routes=tuple(route for route in made.routes if route.workload == 0),
        deployments=tuple(replace(d, wake_h=0.0, wake_mwh=0.0) for d in made.deployments),
    )


def company(*, size_ratio: float = 1.0, export_limit_mw: float = 0.0) -> dict[str, Any]:
    """Return the company file of the benchmark, its prices named beside their rates."""
    asked = ASKED_REQUESTS_PER_S * size_ratio
    return {
        "company": "Ten sites of 2023",
        "seed": 11,
        "horizon": {"start": FIRST.isoformat(), "days": LONGEST_DAYS, "step_h": 1},
        "history_days": HISTORY_DAYS,
        "network": {"egress_usd_per_gb": 0.02},
        "regions": [
            {"name": "us", "latitude_deg": 40.7, "longitude_deg": -74.0},
            {"name": "europe", "latitude_deg": 48.9, "longitude_deg": 2.4},
            {"name": "asia", "latitude_deg": 35.7, "longitude_deg": 139.7},
        ],
        "sites": [_site(place, size_ratio, export_limit_mw) for place in PLACES],
        "contracts": [
            {
                "kind": "spot",
                "id": f"{place.name}-spot",
                "site": place.name,
                "resale_spread_usd_per_mwh": 2.0,
            }
            for place in PLACES
        ],
        "batteries": [
            {
                "name": f"{place.name}-battery",
                "site": place.name,
                "power_mw": BATTERY_MW,
                "capacity_mwh": 100.0,
                "cycle_usd_per_mwh_discharged": 5.0,
            }
            for place in PLACES
        ],
        "fleets": [
            {
                "name": f"{place.name}-h100",
                "site": place.name,
                "accelerator": "H100",
                "gpu_count": round(GPUS_PER_SITE * size_ratio),
                "owned": {"usd_per_gpu": 33_000},
            }
            for place in PLACES
        ],
        "models": [
            {"name": "large", "catalogue": "llama-3.1-70b", "gpus_per_replica": 4,
             "quality_share": 1.0},
        ],
        "tiers": [
            {"name": "chat", "service_tier": "default", "ttft_limit_s": 2.0, "tpot_limit_s": 0.05,
             "price_usd_per_mtok": 8.0, "value": "from_price"},
            {"name": "nightly", "service_tier": "batch", "ttft_limit_s": 60.0, "tpot_limit_s": 0.2,
             "deadline_s": 86_400, "price_usd_per_mtok": 4.0, "value": "from_price"},
        ],
        "workloads": [
            _workload("chat-us", "chat", "us", 0.35 * asked, utc_offset_h=-6),
            _workload("chat-europe", "chat", "europe", 0.20 * asked, utc_offset_h=1),
            _workload("chat-asia", "chat", "asia", 0.15 * asked, utc_offset_h=9),
            _workload("nightly", "nightly", "us", 0.30 * asked, utc_offset_h=-8),
        ],
    }  # fmt: skip


def _workload(name: str, tier: str, origin: str, asked: float, *, utc_offset_h: int) -> Any:
    shape = {"synthetic": "demand", "utc_offset_h": utc_offset_h}
    return {
        "name": name,
        "tier": tier,
        "origin": origin,
        "ladder": ["large"],
        "input_tokens": 900,
        "output_tokens": 300,
        "arrivals": {"mean_requests_per_s": asked, "shape": shape},
    }


def _site(place: Place, size_ratio: float, export_limit_mw: float) -> dict[str, Any]:
    market: dict[str, Any] = {
        "zone": place.column,
        "time_zone": place.time_zone,
        "price": {
            "file": str(PRICES),
            "column": place.column,
            "usd_per_unit": 1.0 / RATES[place.currency],
            "rate_note": f"{RATES_SOURCE}: 1 USD = {RATES[place.currency]:g} {place.currency}",
        },
    }
    if place.day_ahead_at:
        market["day_ahead_at"] = place.day_ahead_at
    warm = ((10, 0.0), (25, 0.05), (40, 0.2))
    return {
        "name": place.name,
        "latitude_deg": place.latitude_deg,
        "longitude_deg": place.longitude_deg,
        "market": market,
        "import_limit_mw": 100.0 * size_ratio + BATTERY_MW,
        "export_limit_mw": export_limit_mw,
        "fixed_load_mw": 4.0 * size_ratio,
        "pue": [{"outdoor_c": c, "pue": round(place.pue + more, 3)} for c, more in warm],
        "outdoor_c": {"synthetic": place.weather},
    }
