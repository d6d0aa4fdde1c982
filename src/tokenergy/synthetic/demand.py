"""The shape of requests over time: day, week, growth and noise, with a mean of 1."""

from datetime import datetime
from typing import Final

import numpy as np

from tokenergy.errors import InputError
from tokenergy.synthetic.hours import SATURDAY, Floats, Hours, hours_from, split_by_year
from tokenergy.units import H_PER_YEAR

BLOCK_HOURS: Final = 720
LEAD_MEMORIES_COUNT: Final = 20
"""Memories by which the noise starts before a year: what it forgets is exp(-20)."""
EVENING_SHARE: Final = 0.35
"""Amplitude of the second harmonic over the first: a steep morning and a long evening."""
EVENING_LATER_H: Final = 1.5


def _noise(hours: Hours, *, seed: int, memory_h: float) -> Floats:
    """Return a first-order autoregression of unit variance, [hours], the same in any window."""
    remembered = float(np.exp(-1.0 / memory_h))
    lead_hours = int(np.ceil(LEAD_MEMORIES_COUNT * memory_h))
    parts = []
    for new_year, part in split_by_year(hours):
        first = new_year - lead_hours
        end = part.first + part.count
        blocks = [
            np.random.default_rng([seed, block]).standard_normal(BLOCK_HOURS)
            for block in range(first // BLOCK_HOURS, (end - 1) // BLOCK_HOURS + 1)
        ]
        offset = first % BLOCK_HOURS
        white = np.concatenate(blocks)[offset : offset + end - first]
        values: list[float] = [0.0]
        for innovation in (white * np.sqrt(1.0 - remembered**2)).tolist():
            values.append(remembered * values[-1] + innovation)
        parts.append(np.array(values[1:])[part.first - first :])
    return np.concatenate(parts)


def _day(clock_h: Floats, *, peak_h: float, daily_share: float) -> Floats:
    """Return the shape of a day, [hours]: mean 1, two harmonics, highest about `peak_h`."""
    first = np.cos(2.0 * np.pi * (clock_h - peak_h) / 24.0)
    second = np.cos(4.0 * np.pi * (clock_h - peak_h - EVENING_LATER_H) / 24.0)
    return 1.0 + daily_share * (first + EVENING_SHARE * second) / (1.0 + EVENING_SHARE)


def demand_shape(
    *,
    start: datetime,
    hours_count: int,
    seed: int,
    utc_offset_h: float,
    peak_h: float = 15.0,
    daily_share: float = 0.5,
    weekend_share: float = 0.25,
    noise_share: float = 0.06,
    noise_memory_h: float = 6.0,
    growth_per_year: float = 0.0,
    grows_from: datetime | None = None,
) -> Floats:
    """Return a synthetic demand for requests, [hours], whose expected mean is 1.

    The mean is 1 over whole weeks and over the noise, before growth; a value depends on the
    seed and on its own hour only (and on `start`, if it grows from there).

    Args:
        start: A whole hour, in UTC.
        hours_count: Hours to make.
        seed: Any integer from 0; two workloads of one company take two seeds.
        utc_offset_h: Local clock of the users minus UTC.
        peak_h: Local clock of the daily maximum.
        daily_share: Rise of the maximum over the mean of a day, below 1.
        weekend_share: Fall of Saturday and Sunday under a working day.
        noise_share: Standard deviation of the logarithm of the noise.
        noise_memory_h: Memory of the noise.
        growth_per_year: Growth of the level in a year of 8,760 h: 0.5 is half as much again.
        grows_from: When the growing level is 1; `start` if None.

    Raises:
        InputError: if an argument is not as above.
    """
    _check_shares(
        seed=seed,
        daily_share=daily_share,
        weekend_share=weekend_share,
        noise_share=noise_share,
        noise_memory_h=noise_memory_h,
        growth_per_year=growth_per_year,
    )
    hours = hours_from(start, hours_count=hours_count)
    anchor = hours_from(start if grows_from is None else grows_from, hours_count=1).first
    clock_h = hours.clock_h(utc_offset_h=utc_offset_h)
    weekend = hours.weekday(utc_offset_h=utc_offset_h) >= SATURDAY
    week = np.where(weekend, 1.0 - weekend_share, 1.0) / (1.0 - weekend_share * 2.0 / 7.0)
    noise = _noise(hours, seed=seed, memory_h=noise_memory_h)
    scatter = np.exp(noise_share * noise - 0.5 * noise_share**2)
    growth = (1.0 + growth_per_year) ** ((hours.index - anchor) / H_PER_YEAR)
    day = _day(clock_h, peak_h=peak_h, daily_share=daily_share)
    return np.asarray(day * week * scatter * growth)


def _check_shares(
    *,
    seed: int,
    daily_share: float,
    weekend_share: float,
    noise_share: float,
    noise_memory_h: float,
    growth_per_year: float,
) -> None:
    """Refuse a shape that could turn negative or never settle, with all its faults at once."""
    faults = []
    if seed < 0:
        faults.append(f"seed {seed} is below 0")
    for name, share in (("daily_share", daily_share), ("weekend_share", weekend_share)):
        if not 0.0 <= share < 1.0:
            faults.append(f"{name} {share:g} is not in [0, 1)")
    if noise_share < 0.0:
        faults.append(f"noise_share {noise_share:g} is below 0")
    if not 0.0 < noise_memory_h <= H_PER_YEAR:
        faults.append(f"noise_memory_h {noise_memory_h:g} is not in (0, {H_PER_YEAR:g}] h")
    if growth_per_year <= -1.0:
        faults.append(f"growth_per_year {growth_per_year:g} is -1 or below")
    if faults:
        raise InputError(f"synthetic demand: {'; '.join(faults)}")
