"""Price years of one zone, and what a company pays in each of them by hand: for T6.

Every year is another seed of the synthetic feed: prices, wind and sun of one weather. A year is
told by days spread evenly over it. By hand means without any program: what is contracted is
delivered hour by hour, what is short is bought, what is over is sold at the price less a spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

import numpy as np

from tokenergy.dispatch.world import FloatArray
from tokenergy.synthetic.climate import ZoneClimate, climate
from tokenergy.synthetic.demand import demand_shape
from tokenergy.units import H_PER_DAY, H_PER_YEAR

ZONE: Final = "texas"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
DAY_H: Final = int(H_PER_DAY)
YEAR_H: Final = int(H_PER_YEAR)
DAYS_COUNT: Final = 28
"""Days that stand for a year: every thirteenth."""
EVERY_DAYS: Final = 13
FIRST_DAY: Final = 6
LOAD_MW: Final = 100.0
"""Mean load at the meter; all figures are in proportion to it."""
OWN: Final = ("wind", "solar")
"""As-produced contracts."""
FLAT: Final = "baseload"
CONTRACTS: Final = (*OWN, FLAT)
SEEDS_APART: Final = 1_000
TENTHS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What power costs: the market's mean, the strikes, and what resale loses.

    Attributes:
        level_usd_per_mwh: mean price of the market over the planned years.
        wind_usd_per_mwh, solar_usd_per_mwh: strikes of as-produced contracts.
        premium_share: what a baseload contract costs over the market's mean.
        spread_usd_per_mwh: what resale earns less than the price.
    """

    level_usd_per_mwh: float
    wind_usd_per_mwh: float
    solar_usd_per_mwh: float
    premium_share: float
    spread_usd_per_mwh: float

    @property
    def strikes_usd_per_mwh(self) -> FloatArray:
        """Return the strike of each contract [3]."""
        flat_usd = (1.0 + self.premium_share) * self.level_usd_per_mwh
        return np.array([self.wind_usd_per_mwh, self.solar_usd_per_mwh, flat_usd])


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceYears:
    """Sampled hours of several years.

    Attributes:
        price_ratio: price over the mean of the planned years [Y, H].
        profile_share: output of each contract over its megawatts [Y, 3, H].
        load_mw: at the meter, the same in every year [H].
        planned_count: the first years, that contracts are chosen on; the others are held out.
    """

    price_ratio: FloatArray
    profile_share: FloatArray
    load_mw: FloatArray
    planned_count: int

    @classmethod
    def of(cls, zone: ZoneClimate, *, seed: int, planned: int, held: int) -> "PriceYears":
        """Make the years of a zone; every year is another seed."""
        days = FIRST_DAY + EVERY_DAYS * np.arange(DAYS_COUNT)
        hours = (days[:, None] * DAY_H + np.arange(DAY_H)).ravel()
        shape = demand_shape(
            start=START, hours_count=YEAR_H, seed=seed, utc_offset_h=zone.utc_offset_h
        )
        prices, profiles, flat = [], [], np.ones(hours.size)
        for year in range(planned + held):
            own = SEEDS_APART * seed + year
            made = climate([zone], start=START, hours_count=YEAR_H, seed=own)
            prices.append(made.price_usd_per_mwh[0, hours])
            profiles.append([made.wind_share[0, hours], made.solar_share[0, hours], flat])
        price = np.array(prices)
        return cls(
            price_ratio=price / price[:planned].mean(),
            profile_share=np.array(profiles),
            load_mw=LOAD_MW * shape[hours],
            planned_count=planned,
        )

    @property
    def count(self) -> int:
        """Number of years."""
        return int(self.price_ratio.shape[0])

    @property
    def scale_ratio(self) -> float:
        """Hours of a year over the sampled ones."""
        return float(H_PER_YEAR / self.price_ratio.shape[1])

    @cached_property
    def most_mw(self) -> FloatArray:
        """Megawatts of each contract that deliver, over the planned years, what is used [3]."""
        planned = slice(self.planned_count)
        mean_share = self.profile_share[planned].mean(axis=(0, 2))
        return np.asarray(self.load_mw.mean() / mean_share)

    def costs_by_hand(self, mw: FloatArray, offers: Offers) -> FloatArray:
        """Return what each year costs with these megawatts of each contract [Y], USD/year."""
        parts = [_Parts.of(self, year, mw[None, :]) for year in range(self.count)]
        return np.array([part.cost_usd(mw[None, :], offers)[0] for part in parts])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Parts:
    """What one year's cost is made of, before any price [G]: MWh a year, or times the price."""

    delivered_mwh_per_mw: FloatArray
    residual_priced: FloatArray
    surplus_mwh: FloatArray

    @classmethod
    def of(cls, years: PriceYears, year: int, mw: FloatArray) -> "_Parts":
        profile, price = years.profile_share[year], years.price_ratio[year]
        residual = years.load_mw - mw @ profile
        return cls(
            delivered_mwh_per_mw=profile.sum(axis=1) * years.scale_ratio,
            residual_priced=residual @ price * years.scale_ratio,
            surplus_mwh=np.maximum(0.0, -residual).sum(axis=1) * years.scale_ratio,
        )

    def cost_usd(self, mw: FloatArray, offers: Offers) -> FloatArray:
        """strikes x delivered + price x (load - delivered) + spread x what is sold."""
        signed = (mw * self.delivered_mwh_per_mw) @ offers.strikes_usd_per_mwh
        market = offers.level_usd_per_mwh * self.residual_priced
        return np.asarray(signed + market + offers.spread_usd_per_mwh * self.surplus_mwh)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """All mixes in tenths of what is used, and what makes their cost in every year.

    Attributes:
        mw: megawatts of each contract [G, 3]; together they deliver no more than is used.
        shares: the same as parts of what is used [G, 3].
    """

    mw: FloatArray
    shares: FloatArray
    parts: tuple[_Parts, ...]

    @classmethod
    def of(cls, years: PriceYears) -> "Lattice":
        """Lay the mixes out and deliver each in every year."""
        tenths = [
            (wind, solar, flat)
            for wind in range(TENTHS + 1)
            for solar in range(TENTHS + 1 - wind)
            for flat in range(TENTHS + 1 - wind - solar)
        ]
        shares = np.array(tenths) / TENTHS
        mw = shares * years.most_mw
        parts = tuple(_Parts.of(years, year, mw) for year in range(years.count))
        return cls(mw=mw, shares=shares, parts=parts)

    def costs_usd(self, offers: Offers) -> FloatArray:
        """Return what every mix costs in every year [Y, G], USD/year."""
        return np.array([part.cost_usd(self.mw, offers) for part in self.parts])

    def places(self) -> Mapping[str, FloatArray]:
        """Return which mixes each choice may take: nothing but the market, one contract, all."""
        alone = {
            name: (self.shares.sum(axis=1) == self.shares[:, at])
            for at, name in enumerate(CONTRACTS)
        }
        nothing = self.shares.sum(axis=1) == 0.0
        return {"market": nothing, **alone, "mix": np.ones(len(self.mw), dtype=bool)}
