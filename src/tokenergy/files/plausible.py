"""What a series of each quantity may hold: a slip of a unit is told before it costs money."""

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.files.grid import FloatArray, Grid, stamp_text

Quantity = Literal["price", "wind", "solar", "temperature", "profile", "rate", "shape"]
"""`shape` is any series that another is kept in proportion to."""

LEAST_MEDIAN_USD_PER_MWH: Final = 1.0
MOST_MEDIAN_USD_PER_MWH: Final = 1_000.0
CENTS_MEDIAN_USD_PER_MWH: Final = 10.0
"""Below it a price may be in cents per kWh; wet Nordic zones have been there for a year."""
MOST_PRICE_USD_PER_MWH: Final = 20_000.0
"""Dispatch sheet, section 9: real markets touch 0 and 9,000."""
LEAST_PEAK_SHARE: Final = 0.005
"""A month in which no plant ever reached this share of its nameplate names it in kW."""
SLACK_SHARE: Final = 0.05
"""How far a metered profile may lie outside 0 to 1: own use below, nameplates above."""
COLDEST_C: Final = -60.0
HOTTEST_C: Final = 60.0
MOST_RATE_PER_S: Final = 1e7


def check_values(
    values: FloatArray, quantity: Quantity, *, grid: Grid, path: str, constant: bool
) -> Iterator[Finding]:
    """Yield what no market, weather, plant or user has: errors, and a warning for clipping."""
    match quantity:
        case "price":
            yield from _price(values, grid=grid, path=path, constant=constant)
        case "temperature":
            yield from _temperature(values, grid=grid, path=path)
        case "profile" | "wind" | "solar":
            yield from _profile(values, grid=grid, path=path)
        case "rate":
            yield from _rate(values, grid=grid, path=path)


def clipped(values: FloatArray, quantity: Quantity) -> FloatArray:
    """Return the values that the program reads: a profile within 0 to 1, all else as it is."""
    if quantity in ("profile", "wind", "solar"):
        return np.clip(values, 0.0, 1.0)
    return values


def _price(values: FloatArray, *, grid: Grid, path: str, constant: bool) -> Iterator[Finding]:
    median = float(np.median(np.abs(values)))
    free = constant and median == 0.0  # a stated 0 is a statement
    if not free and not LEAST_MEDIAN_USD_PER_MWH <= median <= MOST_MEDIAN_USD_PER_MWH:
        low = median < LEAST_MEDIAN_USD_PER_MWH
        yield Finding(
            code="UNIT_SLIP",
            path=path,
            value=f"{median:g}",
            limit=f"{LEAST_MEDIAN_USD_PER_MWH:g} to {MOST_MEDIAN_USD_PER_MWH:,.0f}",
            unit="USD/MWh",
            reason="the median of the price's size is no market's: it is perhaps in "
            + ("USD/kWh" if low else "cents, or in another currency"),
            remedy="State a number in USD/MWh"
            if constant
            else f"State usd_per_unit, {1000 if low else 0.01:g} times what it is (1 if it is left "
            "out), or mend the file",
        )
    elif not free and median < CENTS_MEDIAN_USD_PER_MWH:
        yield Finding(
            code="PRICE_LOW",
            path=path,
            value=f"{median:g}",
            limit=f"{CENTS_MEDIAN_USD_PER_MWH:g}",
            unit="USD/MWh",
            reason="the median of the price's size is low for a market: it is perhaps in cents "
            "per kWh",
            remedy="Nothing, if it is meant; else state a number in USD/MWh"
            if constant
            else "Nothing, if it is meant; else state usd_per_unit, 10 times what it is (1 if it "
            "is left out)",
            severity="warning",
        )
    far = np.abs(values) > MOST_PRICE_USD_PER_MWH
    if far.any():
        yield _first_outside(
            values,
            far,
            grid=grid,
            path=path,
            limit=f"{MOST_PRICE_USD_PER_MWH:,.0f}",
            unit="USD/MWh",
            what="prices lie beyond the cap of any market",
        )


def _temperature(values: FloatArray, *, grid: Grid, path: str) -> Iterator[Finding]:
    far = (values < COLDEST_C) | (values > HOTTEST_C)
    if far.any():
        yield _first_outside(
            values,
            far,
            grid=grid,
            path=path,
            limit=f"{COLDEST_C:g} to {HOTTEST_C:g}",
            unit="°C",
            what="temperatures lie outside the weather: perhaps Fahrenheit or kelvin",
        )


def _profile(values: FloatArray, *, grid: Grid, path: str) -> Iterator[Finding]:
    peak = float(values.max())
    if 0.0 < peak < LEAST_PEAK_SHARE:
        yield Finding(
            code="UNIT_SLIP",
            path=path,
            value=f"{peak:g}",
            limit=f"{LEAST_PEAK_SHARE:g}",
            unit="share",
            reason="the profile never comes near its nameplate: nameplate_mw is perhaps in kW",
            remedy="State nameplate_mw in the unit of the column, MW",
        )
        return
    outside = (values < 0.0) | (values > 1.0)
    if not outside.any():
        return
    far = (values < -SLACK_SHARE) | (values > 1.0 + SLACK_SHARE)
    if far.any():
        yield _first_outside(
            values,
            far,
            grid=grid,
            path=path,
            limit="0 to 1",
            unit="share",
            what="values are no share of nameplate: perhaps MW or percent (state nameplate_mw)",
        )
        return
    yield Finding(
        code="PROFILE_CLIPPED",
        path=path,
        value=f"{values.min():.4f} to {values.max():.4f}",
        limit="0 to 1",
        unit="share",
        reason=f"{int(outside.sum())} values of the profile lie a little outside its nameplate "
        "and are clipped to 0 and 1",
        remedy="Nothing, if that is own use or an old nameplate",
        severity="warning",
    )


def _rate(values: FloatArray, *, grid: Grid, path: str) -> Iterator[Finding]:
    far = (values < 0.0) | (values > MOST_RATE_PER_S)
    if far.any():
        yield _first_outside(
            values,
            far,
            grid=grid,
            path=path,
            limit=f"0 to {MOST_RATE_PER_S:g}",
            unit="requests/s",
            what="rates are no requests per second: perhaps per hour or per day",
        )


def _first_outside(
    values: FloatArray,
    outside: np.ndarray,
    *,
    grid: Grid,
    path: str,
    limit: str,
    unit: str,
    what: str,
) -> Finding:
    at = int(np.argmax(outside))
    return Finding(
        code="UNIT_SLIP",
        path=path,
        value=f"{values[at]:g}",
        limit=limit,
        unit=unit,
        reason=f"{int(outside.sum())} {what}; the first at "
        f"{stamp_text(grid.start_us + at * grid.step_us)}",
        remedy="State the series in its unit",
    )
