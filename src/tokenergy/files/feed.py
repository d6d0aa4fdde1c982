"""The synthetic feed of a company: one climate for every zone it names, laid on the grid."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np

from tokenergy.company.noun import nearest_names
from tokenergy.company.refusal import refuse
from tokenergy.company.tier import ArrivalShape
from tokenergy.errors import InputError
from tokenergy.files.grid import US_PER_H, FloatArray, Grid, fits, lay, moment
from tokenergy.files.synthetic_zones import load_zones
from tokenergy.synthetic.climate import Climate, climate
from tokenergy.synthetic.demand import demand_shape

SyntheticQuantity = Literal["price", "wind", "solar", "temperature"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Synthetic series on a grid; `made` is None where no zone is named."""

    grid: Grid
    seed: int
    made: Climate | None

    @classmethod
    def of(cls, zones: Iterable[str], *, grid: Grid, seed: int) -> "Feed":
        """Make the climate of the known ones among `zones`, all at once."""
        names = sorted(set(zones))
        known = load_zones() if names else {}
        wanted = [known[name] for name in names if name in known]
        if not wanted:
            return cls(grid=grid, seed=seed, made=None)
        first_h, last_h = _hours(grid)
        made = climate(
            wanted, start=moment(first_h * US_PER_H), hours_count=last_h - first_h, seed=seed
        )
        return cls(grid=grid, seed=seed, made=made)

    def series(self, zone: str, quantity: SyntheticQuantity, *, path: str) -> FloatArray:
        """Return a quantity of a zone, one value per interval of the grid.

        Raises:
            FindingsError: for a zone that the feed does not have.
        """
        if self.made is None or zone not in self.made.zones:
            known = sorted(load_zones())
            near = nearest_names(zone, known)
            refuse(
                "UNKNOWN_SYNTHETIC_ZONE",
                path=f"{path}.synthetic",
                value=zone,
                reason=f"the synthetic feed has no zone {zone!r}",
                remedy=f"Did you mean {', '.join(map(repr, near))}?"
                if near
                else f"Its zones are {', '.join(known)}",
            )
        made = self.made
        by_quantity = {
            "price": made.price_usd_per_mwh,
            "wind": made.wind_share,
            "solar": made.solar_share,
            "temperature": made.temperature_c,
        }
        return self._laid(by_quantity[quantity][made.zones.index(zone)])

    def demand(self, shape: ArrivalShape, *, workload: str, path: str) -> FloatArray:
        """Return a day and a week of demand around 1, with noise of the workload's own.

        Raises:
            FindingsError: for a shape that would turn negative.
        """
        first_h, last_h = _hours(self.grid)
        try:
            values = demand_shape(
                start=moment(first_h * US_PER_H),
                hours_count=last_h - first_h,
                seed=self.seed + crc32(workload.encode()),
                utc_offset_h=shape.utc_offset_h,
                daily_share=shape.daily_swing_share,
                weekend_share=1.0 - shape.weekend_share,
                noise_share=shape.noise_share,
            )
        except InputError as error:
            refuse(
                "SYNTHETIC_SHAPE",
                path=f"{path}.shape",
                reason=f"no such demand can be made: {error}",
                remedy="Keep daily_swing_share below 1, and weekend_share above 0 and up to 1",
            )
        return self._laid(values)

    def _laid(self, hourly: FloatArray) -> FloatArray:
        first_h, _ = _hours(self.grid)
        stamps_us = (first_h + np.arange(hourly.size, dtype=np.int64)) * US_PER_H
        if not fits(self.grid, first_us=int(stamps_us[0]), source_step_us=US_PER_H):
            refuse(
                "SERIES_MISALIGNED",
                path="horizon.start",
                reason="the synthetic feed is hourly, and the horizon cuts its hours",
                remedy="Start the horizon on a whole hour",
            )
        return lay(stamps_us, hourly, source_step_us=US_PER_H, grid=self.grid)


def _hours(grid: Grid) -> tuple[int, int]:
    """Return the whole hours since 1970 that hold the grid: first, and first after."""
    return grid.start_us // US_PER_H, -(-grid.end_us // US_PER_H)
