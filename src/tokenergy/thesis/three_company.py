"""The company of the experiments on three sites, as its file would say it.

Invented, and small: one model on one SKU, chat that may not wait from a region beside each site,
and batch work that may wait a day. What is an assumption says so; prices and capital are not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from tokenergy.company.company import Company
from tokenergy.company.preset import Range
from tokenergy.units import H_PER_DAY, S_PER_H

SITES_COUNT: Final = 3
HISTORY_H: Final = 672
"""Hours before a horizon that only the forecaster reads: 28 days, as a company file's default."""
REQUESTS_PER_S: Final = 2_000.0
"""Mean arrivals of chat by region; all but the fixed load is in proportion to it."""
BATCH_PRICE_SHARE: Final = 0.5
"""Price of batch work over that of chat: half is what the large APIs list."""
INPUT_TOKENS: Final = 900.0
OUTPUT_TOKENS: Final = 300.0
TPOT_LIMIT_S: Final = 0.05
BATCH_TPOT_LIMIT_S: Final = 0.2
DEADLINE_S: Final = H_PER_DAY * S_PER_H
MODEL: Final = "llama-3.1-70b"
ACCELERATOR: Final = "H100"
GPUS_PER_REPLICA: Final = 4
PUE: Final = 1.25
"""The same everywhere: only prices and distances tell the sites apart."""
FIXED_MW: Final = 0.1
"""Storage, network and control of a site, at the racks, whatever its size: an extra site pays all
of it again. About 5 % of what a third of the company can draw; an assumption."""
RESALE_SPREAD_USD_PER_MWH: Final = 1.0
"""Power is bought at the spot price itself, without grid fees, and nothing is ever resold."""
EGRESS_USD_PER_GB: Final = 0.02
"""An assumption; at 6 bytes a token it is nearly nothing."""
TTFT_LIMIT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a site stands, with a region of users beside it."""

    name: str
    zones: tuple[str, ...]
    """Names of its price zone: in the real series, and in the synthetic feed."""
    latitude_deg: float
    longitude_deg: float
    time_zone: str
    utc_offset_h: float
    day_ahead_at: str


PLACES: Final = (
    Place(
        name="texas",
        zones=("US-TEX-ERCO", "texas"),
        latitude_deg=32.8,
        longitude_deg=-96.8,
        time_zone="America/Chicago",
        utc_offset_h=-6.0,
        day_ahead_at="13:30",
    ),
    Place(
        name="california",
        zones=("US-CAL-CISO", "california"),
        latitude_deg=37.4,
        longitude_deg=-122.0,
        time_zone="America/Los_Angeles",
        utc_offset_h=-8.0,
        day_ahead_at="13:00",
    ),
    Place(
        name="new-york",
        zones=("US-NY-NYIS", "new-york"),
        latitude_deg=40.7,
        longitude_deg=-74.0,
        time_zone="America/New_York",
        utc_offset_h=-5.0,
        day_ahead_at="11:00",
    ),
)
"""Dallas, San Jose and New York, whose day-ahead prices are out at these local hours (recalled)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How many GPUs and megawatts stand at each place; 0 GPUs: nothing is built there."""

    gpus_count: tuple[int, ...]
    import_limit_mw: tuple[float, ...]

    def built(self) -> tuple[int, ...]:
        """Return the places where something is built."""
        return tuple(at for at, count in enumerate(self.gpus_count) if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What tokens are worth and what capital costs, from the sourced ranges, and the promise."""

    token_usd_per_mtok: float
    usd_per_gpu: float
    gpu_life_y: float
    ops_share_per_year: float
    wacc_share: float
    facility_usd_per_kw: float
    facility_life_y: float
    ttft_limit_s: float = TTFT_LIMIT_S

    @classmethod
    def base(cls, ranges: Mapping[str, Range]) -> "Terms":
        """Return the base of each range."""
        return cls(
            token_usd_per_mtok=ranges["token_price_usd_per_mtok"].base_quantity,
            usd_per_gpu=ranges["usd_per_gpu"].base_quantity,
            gpu_life_y=ranges["gpu_life_y"].base_quantity,
            ops_share_per_year=ranges["ops_share_per_year"].base_quantity,
            wacc_share=ranges["wacc_share"].base_quantity,
            facility_usd_per_kw=ranges["facility_usd_per_kw"].base_quantity,
            facility_life_y=ranges["facility_life_y"].base_quantity,
        )


def workload_names() -> tuple[str, ...]:
    """Return the chat of each region, and the batch work."""
    return (*(f"chat-{place.name}" for place in PLACES), "batch")


def company_of(
    layout: Layout, terms: Terms, *, zones: tuple[str, ...], start: datetime, hours_count: int
) -> Company:
    """Return the company of a layout on a horizon; `zones` are those of the places."""
    built = layout.built()
    said = {
        "company": "three sites",
        "about": "Invented, for the thesis.",
        "horizon": {"start": start, "days": hours_count / H_PER_DAY, "step_h": 1.0},
        "history_days": HISTORY_H / H_PER_DAY,
        "money": {"wacc_share": terms.wacc_share},
        "network": {"egress_usd_per_gb": EGRESS_USD_PER_GB},
        "regions": [_where(place) for place in PLACES],
        "sites": [_site(layout, terms, at, zone=zones[at]) for at in built],
        "contracts": [
            {"kind": "spot", "id": f"{PLACES[at].name}-spot", "site": PLACES[at].name,
             "resale_spread_usd_per_mwh": RESALE_SPREAD_USD_PER_MWH}
            for at in built
        ],
        "fleets": [_fleet(layout, terms, at) for at in built],
        "models": [
            {"name": "large", "catalogue": MODEL, "gpus_per_replica": GPUS_PER_REPLICA,
             "quality_share": 1.0}
        ],
        "tiers": [_tier("chat", terms), _tier("batch", terms)],
        "workloads": [
            {"name": name, "tier": name.partition("-")[0], "ladder": ["large"],
             "origin": place.name, "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS,
             "arrivals": {"mean_requests_per_s": REQUESTS_PER_S}}
            for name, place in zip(workload_names(), (*PLACES, PLACES[0]), strict=True)
        ],
    }  # fmt: skip
    return Company.model_validate(said)


def _where(place: Place) -> dict[str, Any]:
    return {
        "name": place.name,
        "latitude_deg": place.latitude_deg,
        "longitude_deg": place.longitude_deg,
    }


def _site(layout: Layout, terms: Terms, at: int, *, zone: str) -> dict[str, Any]:
    place = PLACES[at]
    return _where(place) | {
        "market": {
            "zone": zone,
            "time_zone": place.time_zone,
            "price": 0.0,
            "day_ahead_at": place.day_ahead_at,
        },
        "import_limit_mw": layout.import_limit_mw[at],
        "pue": PUE,
        "fixed_load_mw": FIXED_MW,
        "facility_usd_per_kw": terms.facility_usd_per_kw,
        "facility_life_y": terms.facility_life_y,
    }


def _fleet(layout: Layout, terms: Terms, at: int) -> dict[str, Any]:
    return {
        "name": f"{PLACES[at].name}-gpus",
        "site": PLACES[at].name,
        "accelerator": ACCELERATOR,
        "gpu_count": layout.gpus_count[at],
        "owned": {
            "usd_per_gpu": terms.usd_per_gpu,
            "life_y": terms.gpu_life_y,
            "ops_share_per_year": terms.ops_share_per_year,
        },
    }


def _tier(name: Literal["chat", "batch"], terms: Terms) -> dict[str, Any]:
    if name == "chat":
        return {
            "name": name,
            "service_tier": "priority",
            "ttft_limit_s": terms.ttft_limit_s,
            "tpot_limit_s": TPOT_LIMIT_S,
            "price_usd_per_mtok": terms.token_usd_per_mtok,
            "value": "from_price",
        }
    return {
        "name": name,
        "service_tier": "batch",
        "ttft_limit_s": S_PER_H,
        "tpot_limit_s": BATCH_TPOT_LIMIT_S,
        "deadline_s": DEADLINE_S,
        "price_usd_per_mtok": terms.token_usd_per_mtok * BATCH_PRICE_SHARE,
        "value": "from_price",
    }
