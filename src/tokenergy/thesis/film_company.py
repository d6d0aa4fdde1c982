"""The company of the restraint experiment: a free video tier whose peaks are made on leased GPUs.

Invented, and small. Two sites; GPUs of its own that carry the mean of demand, paid for whether
they work or not; and GPUs leased by the awake hour for all that comes above, so that in dear
hours one clip more costs cash. Every clip is served if the company wants to: leases suffice for
the highest hour. A clip is one request: one GPU makes it alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from tokenergy.company.annuity import annuity_share
from tokenergy.company.company import Company
from tokenergy.company.inputs import Inputs
from tokenergy.company.preset import Range
from tokenergy.dispatch.build import build_world
from tokenergy.dispatch.duals import asked_usd_per_mtok
from tokenergy.dispatch.solve import Optimum, solve_horizon
from tokenergy.dispatch.world import FloatArray, World
from tokenergy.economics.heavy_tail import ValueClass
from tokenergy.errors import InputError, UnexpectedError
from tokenergy.synthetic.demand import demand_shape
from tokenergy.thesis.inputs import HourlyPrices, ThesisInputs
from tokenergy.thesis.three_company import PLACES, Place
from tokenergy.units import H_PER_DAY, H_PER_YEAR, S_PER_H, TOKENS_PER_MTOK

HOURS_MOST_COUNT: Final = 28 * 24
"""Four weeks from the first hour of the prices on, or as many whole days as there are."""
CLIPS_PER_S: Final = 1.0
"""Mean arrivals; everything is in proportion to it."""
UTC_OFFSET_H: Final = -6.0
MODEL: Final = "wan2.1-14b"
ACCELERATOR: Final = "H100"
SHAPE: Final[Mapping[str, float]] = {
    "height": 480, "width": 832, "frames": 81, "steps": 50, "fps": 16,
}  # fmt: skip
"""Five seconds of video, as the model was measured."""
PUE: Final = 1.25
TTFT_LIMIT_S: Final = S_PER_H
"""A clip within the hour: it waits for its place, never for a cheaper hour."""
OWNED_RATIO: Final = 1.0
"""Own GPUs over what mean demand keeps busy: owned for the mean, leased for the peaks."""
HEADROOM_SHARE: Final = 0.05
"""Leased GPUs, and megawatts, beyond what the highest hour needs: neither ever binds."""
REFUSES_NOTHING_USD_PER_CLIP: Final = 1e4
"""Worth of a clip to a company that refuses none: thousands of times what one costs."""

VIRGINIA: Final = Place(
    name="virginia",
    zones=("US-MIDA-PJM", "virginia"),
    latitude_deg=39.0,
    longitude_deg=-77.5,
    time_zone="America/New_York",
    utc_offset_h=-5.0,
    day_ahead_at="13:30",
)
SITES: Final = (PLACES[0], VIRGINIA)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Film:
    """The company as arrays, and what stands behind it.

    Attributes:
        world: one workload, every clip worth the same: see `valued`.
        zones: the price zone of each site.
        clip_mtok: latent tokens of a clip.
        owned_count, leased_count: GPUs of both sites.
        capital_usd_per_h: own GPUs with their upkeep and their building, working or not.
    """

    world: World
    zones: tuple[str, ...]
    clip_mtok: float
    owned_count: int
    leased_count: int
    capital_usd_per_h: float

    @property
    def clips_count(self) -> float:
        """Clips that are asked for."""
        return float(self.world.arrivals_mtok.sum()) / self.clip_mtok

    @property
    def capital_usd(self) -> float:
        """Capital of the horizon."""
        return self.capital_usd_per_h * self.world.count * self.world.step_h


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Served:
    """What the program did with a world.

    Attributes:
        cost_usd: power and leases; no value of what was refused.
        lease_usd: the leases in it.
        served_mtok, refused_mtok: by class and interval [K, T].
        asked_usd_per_mtok: what one Mtok more that is not refused costs in each interval [T].
    """

    cost_usd: float
    lease_usd: float
    served_mtok: FloatArray
    refused_mtok: FloatArray
    asked_usd_per_mtok: FloatArray


def film_of(inputs: ThesisInputs, *, owned_ratio: float = OWNED_RATIO) -> Film:
    """Return the company on the inputs' prices, with the base of every range.

    Raises:
        InputError: if there are not two zones, or less than a day of prices.
    """
    prices = inputs.prices
    zones = _zones(prices)
    hours_count = min(HOURS_MOST_COUNT, prices.hours_count - prices.hours_count % 24)
    if hours_count < H_PER_DAY:
        raise InputError(f"{prices.hours_count} h of prices; a day of 24 h is needed")
    shape = demand_shape(
        start=prices.start, hours_count=hours_count, seed=inputs.seed, utc_offset_h=UTC_OFFSET_H
    )
    said = _said(zones, inputs, hours_count=hours_count)
    first_guess = _world(said, inputs, zones, CLIPS_PER_S * shape)
    route = first_guess.routes[0]
    busy = first_guess.arrivals_mtok[0] / (route.rate_mtok_per_h * first_guess.step_h)
    owned = 2 * math.ceil(0.5 * owned_ratio * float(busy.mean()))
    above = (1.0 + HEADROOM_SHARE) * float(busy.max()) - owned
    leased = 2 * max(1, math.ceil(0.5 * above))
    for fleet in said["fleets"]:
        fleet["gpu_count"] = (owned if "owned" in fleet else leased) // 2
    base_mw = first_guess.deployments[0].base_mw
    for site in said["sites"]:
        limit_mw = (1.0 + HEADROOM_SHARE) * PUE * base_mw * 0.5 * (owned + leased)
        site["import_limit_mw"] = limit_mw
    return Film(
        world=_world(said, inputs, zones, CLIPS_PER_S * shape),
        zones=zones,
        clip_mtok=first_guess.workloads[0].tokens_per_request_count / TOKENS_PER_MTOK,
        owned_count=owned,
        leased_count=leased,
        capital_usd_per_h=owned * _capital_usd_per_h(inputs.ranges),
    )


def valued(
    film: Film,
    classes: tuple[ValueClass, ...],
    *,
    usd_per_clip: float,
    arrivals_mtok: FloatArray | None = None,
) -> World:
    """Return the world with its workload split into classes of value.

    The program then refuses a class where a Mtok of it is worth less than it costs: the
    threshold needs no rule of its own.

    Args:
        film: the company.
        classes: shares of the requests, and their value over the mean.
        usd_per_clip: mean value of a clip.
        arrivals_mtok: what is let in [T]; None: all that is asked for.
    """
    world = film.world
    asked = world.arrivals_mtok[0] if arrivals_mtok is None else arrivals_mtok
    spec = world.workloads[0]
    workloads = tuple(
        replace(
            spec,
            name=f"{spec.name}-{at}",
            value_usd_per_mtok=each.value_ratio * usd_per_clip / film.clip_mtok,
        )
        for at, each in enumerate(classes)
    )
    routes = tuple(
        replace(route, workload=at) for at in range(len(classes)) for route in world.routes
    )
    shares = np.array([each.requests_share for each in classes])
    return replace(
        world, workloads=workloads, routes=routes, arrivals_mtok=shares[:, None] * asked[None, :]
    )


def served(world: World) -> Served:
    """Return what the program does with perfect foresight."""
    optimum: Optimum = solve_horizon(world)
    refused = np.maximum(0.0, optimum.value("refused")).T
    value = np.array([load.value_usd_per_mtok for load in world.workloads])
    # A class that is refused costs its own value; the price is that of the dearest served.
    asked = [asked_usd_per_mtok(world, optimum, at).max() for at in range(world.count)]
    lease = [d.gpus_count * world.fleets[d.fleet].lease_usd_per_gpu_hour for d in world.deployments]
    return Served(
        cost_usd=optimum.objective_usd - float(value @ refused.sum(axis=1)),
        lease_usd=float(optimum.value("awake").sum(axis=0) @ np.array(lease)) * world.step_h,
        served_mtok=world.arrivals_mtok - refused,
        refused_mtok=refused,
        asked_usd_per_mtok=np.array(asked),
    )


def served_whole(film: Film, *, arrivals_mtok: FloatArray | None = None) -> Served:
    """Return what it takes to serve all that is let in, whatever it is worth.

    Raises:
        UnexpectedError: if something is refused all the same: leases were to suffice.
    """
    everyone = (ValueClass(requests_share=1.0, value_ratio=1.0),)
    world = valued(
        film, everyone, usd_per_clip=REFUSES_NOTHING_USD_PER_CLIP, arrivals_mtok=arrivals_mtok
    )
    found = served(world)
    refused_mtok = float(found.refused_mtok.sum())
    if refused_mtok > 1e-6 * float(world.arrivals_mtok.sum()):
        raise UnexpectedError(f"{refused_mtok:.3g} Mtok refused by a company that refuses nothing")
    return found


def _zones(prices: HourlyPrices) -> tuple[str, ...]:
    """Return the zones of the sites, else the first two of the inputs without a gap.

    Raises:
        InputError: if fewer than two have a price in every hour.
    """
    whole = [name for name, row in prices.usd_per_mwh.items() if bool(np.all(np.isfinite(row)))]
    for kind in range(2):
        wanted = tuple(place.zones[kind] for place in SITES)
        if all(name in whole for name in wanted):
            return wanted
    if len(whole) < len(SITES):
        raise InputError(
            f"{len(whole)} price zones without a missing hour, {len(SITES)} are needed: "
            f"{', '.join(whole) or 'none'}"
        )
    return tuple(whole[: len(SITES)])


def _world(
    said: Mapping[str, Any], inputs: ThesisInputs, zones: tuple[str, ...], clips_per_s: FloatArray
) -> World:
    hours = clips_per_s.size
    prices = inputs.prices.usd_per_mwh
    series = Inputs(
        start=inputs.prices.start,
        step_h=1.0,
        history_count=0,
        price_usd_per_mwh={
            place.name: prices[zone][:hours] for place, zone in zip(SITES, zones, strict=True)
        },
        outdoor_c={},
        profile_share={},
        requests_per_s={"clips": clips_per_s},
        lengths={},
        synthetic=tuple(zones) if inputs.prices.synthetic else (),
        sources={},
    )
    return build_world(Company.model_validate(said), series, inputs.catalogue)


def _said(zones: tuple[str, ...], inputs: ThesisInputs, *, hours_count: int) -> dict[str, Any]:
    """Return the company as its file would say it; counts and megawatts follow from demand."""
    ranges = inputs.ranges
    lease = {
        "kind": "on_demand",
        "usd_per_gpu_hour": ranges["lease_usd_per_gpu_hour"].base_quantity,
    }
    owned = {
        "usd_per_gpu": ranges["usd_per_gpu"].base_quantity,
        "life_y": ranges["gpu_life_y"].base_quantity,
        "ops_share_per_year": ranges["ops_share_per_year"].base_quantity,
    }
    fleets = [
        {"name": f"{place.name}-{kind}", "site": place.name, "accelerator": ACCELERATOR,
         "gpu_count": 1} | {key: paid}
        for place in SITES
        for kind, key, paid in (("own", "owned", owned), ("leased", "lease", lease))
    ]  # fmt: skip
    return {
        "company": "free film",
        "about": "Invented, for the thesis.",
        "horizon": {"start": inputs.prices.start, "days": hours_count / H_PER_DAY, "step_h": 1.0},
        "money": {"wacc_share": ranges["wacc_share"].base_quantity},
        "regions": [{"name": "america", "latitude_deg": 36.0, "longitude_deg": -90.0}],
        "sites": [
            {
                "name": place.name,
                "latitude_deg": place.latitude_deg,
                "longitude_deg": place.longitude_deg,
                "market": {"zone": zone, "time_zone": place.time_zone, "price": 0.0},
                "import_limit_mw": 1.0,
                "pue": PUE,
            }
            for place, zone in zip(SITES, zones, strict=True)
        ],
        "contracts": [
            {"kind": "spot", "id": f"{place.name}-spot", "site": place.name} for place in SITES
        ],
        "fleets": fleets,
        "models": [
            {"name": "film", "catalogue": MODEL, "quality_share": 1.0, "shape": dict(SHAPE)}
        ],
        "tiers": [
            {"name": "free", "service_tier": "default", "ttft_limit_s": TTFT_LIMIT_S,
             "tpot_limit_s": 1.0, "price_usd_per_request": 0.0, "value_usd_per_request": 1.0,
             "value_top_tenth_share": ranges["value_top_tenth_share"].base_quantity}
        ],
        "workloads": [
            {"name": "clips", "tier": "free", "origin": "america", "ladder": ["film"],
             "arrivals": {"mean_requests_per_s": CLIPS_PER_S}}
        ],
    }  # fmt: skip


def _capital_usd_per_h(ranges: Mapping[str, Range]) -> float:
    """Return what one own GPU costs by the hour: its annuity, its upkeep, and its building."""
    base = {name: held.base_quantity for name, held in ranges.items()}
    wacc = base["wacc_share"]
    gpu_share = annuity_share(wacc_share=wacc, life_y=base["gpu_life_y"])
    facility_share = annuity_share(wacc_share=wacc, life_y=base["facility_life_y"])
    usd_per_year = base["usd_per_gpu"] * (gpu_share + base["ops_share_per_year"])
    usd_per_year += base["facility_usd_per_kw"] * base["kw_per_gpu"] * facility_share
    return usd_per_year / H_PER_YEAR
