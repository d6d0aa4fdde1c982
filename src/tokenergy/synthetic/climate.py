"""The synthetic climate: prices and weather of several zones at once, from one seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from tokenergy.errors import InputError
from tokenergy.synthetic.field import Place, field
from tokenergy.synthetic.hours import Floats, Hours, hours_from
from tokenergy.synthetic.prices import PriceClimate, price_usd_per_mwh
from tokenergy.synthetic.weather import (
    WeatherClimate,
    solar_share,
    temperature_c,
    wind_share,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneClimate:
    """The parameters of one zone: where it lies, its weather, its prices, and whence."""

    name: str
    market: str
    """The public market whose summary statistics the zone resembles."""
    currency: str
    """The currency that the market settles in; every price here is in USD."""
    day_ahead: bool
    """Whether prices are published a day ahead (else they are known when they come)."""
    latitude_deg: float
    longitude_deg: float
    utc_offset_h: float
    """Local clock minus UTC, averaged over the year where there is summer time."""
    weather: WeatherClimate
    prices: PriceClimate
    source: str
    source_kind: Literal["synthetic"] = "synthetic"
    retrieved_on: str

    @property
    def place(self) -> Place:
        """The zone's point on the globe."""
        return Place(latitude_deg=self.latitude_deg, longitude_deg=self.longitude_deg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """Hourly series of several zones, [zones, hours]: synthetic, never measured."""

    zones: tuple[str, ...]
    start: datetime
    seed: int
    price_usd_per_mwh: Floats
    wind_share: Floats
    solar_share: Floats
    temperature_c: Floats

    @property
    def hours_count(self) -> int:
        """Number of hours."""
        return int(self.price_usd_per_mwh.shape[1])

    @property
    def label(self) -> str:
        """What every table, chart and report that shows this must carry."""
        return f"synthetic (seed {self.seed})"


def _zone_series(zone: ZoneClimate, *, hours: Hours, noise: Floats) -> tuple[Floats, ...]:
    """Return price, wind, sun and temperature of one zone, each [hours]."""
    place = zone.place
    air_c = temperature_c(zone.weather, place=place, hours=hours, noise=noise)
    sun = solar_share(zone.weather, place=place, hours=hours, noise=noise)
    wind = wind_share(zone.weather, utc_offset_h=zone.utc_offset_h, hours=hours, noise=noise)
    price = price_usd_per_mwh(
        zone.prices,
        utc_offset_h=zone.utc_offset_h,
        hours=hours,
        temperature_c=air_c,
        solar_share=sun,
        wind_share=wind,
        noise=noise,
    )
    return price, wind, sun, air_c


def climate(
    zones: Sequence[ZoneClimate], *, start: datetime, hours_count: int, seed: int
) -> Climate:
    """Return the synthetic climate of `zones` for `hours_count` hours from `start`.

    A value depends on the seed, its own zone and its own hour only: a longer window, an earlier
    start or other zones beside it leave it as it is. (The noise is numpy's `default_rng`, whose
    stream may change with a major version of numpy.)

    Args:
        zones: At least one zone, no name twice.
        start: A whole hour, in UTC.
        hours_count: Hours to make.
        seed: Any integer from 0.

    Raises:
        InputError: if an argument is not as above.
    """
    names = tuple(zone.name for zone in zones)
    if not names:
        raise InputError("a synthetic climate needs one zone or more")
    if len(set(names)) < len(names):
        raise InputError(f"a synthetic climate names each zone once: {', '.join(names)}")
    hours = hours_from(start, hours_count=hours_count)
    noise = field([zone.place for zone in zones], seed=seed, hours=hours)
    series = [
        _zone_series(zone, hours=hours, noise=noise[position])
        for position, zone in enumerate(zones)
    ]
    stacked = np.moveaxis(np.array(series), 0, 1)
    stacked.flags.writeable = False
    price, wind, sun, air_c = stacked
    return Climate(
        zones=names,
        start=start,
        seed=seed,
        price_usd_per_mwh=price,
        wind_share=wind,
        solar_share=sun,
        temperature_c=air_c,
    )
