"""What a series of each quantity may hold: a slip of a unit is told before it costs money."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import numpy as np

from tokenergy.company.finding import Finding
from tokenergy.files.grid import FloatArray, Grid, stamp_text

Quantity = Literal[
    "price", "wind", "solar", "temperature", "profile", "rate", "shape", "share", "load", "fuel",
    "carbon",
]  # fmt: skip
"""`shape` is any series that another is kept in proportion to; `share` any part of a whole;
`load` of a system or a baseline in MW; `fuel` a price by heat; `carbon` emissions of a MWh."""

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
MOST_LOAD_MW: Final = 3e6
"""No system on earth draws more: China peaks at 1.5e6 MW."""


class Size(NamedTuple):
    """What a quantity above 0 may be: its median between two sizes, no value above a third."""

    least_median: float
    most_median: float
    most: float
    unit: str
    below: str
    above: str


class Limits(NamedTuple):
    """Between which two values all of a quantity lie, and what those outside are told to be."""

    least: float
    most: float
    unit: str
    told: str
    code: str = "UNIT_SLIP"


LIMITS: Final[dict[Quantity, Limits]] = {
    "temperature": Limits(
        COLDEST_C,
        HOTTEST_C,
        "°C",
        "temperatures lie outside the weather: perhaps Fahrenheit or kelvin",
    ),
    "rate": Limits(
        0.0,
        MOST_RATE_PER_S,
        "requests/s",
        "rates are no requests per second: perhaps per hour or per day",
    ),
    "share": Limits(
        0.0, 1.0, "", "values are no shares: perhaps MW or percent", "SHARE_OUT_OF_RANGE"
    ),
}
FUEL: Final = Size(0.2, 100.0, 2_000.0, "USD/mmbtu", "USD/therm or cents", "cents, or USD/t")
"""Gas was 1.5 to 100 in any month of any hub, and 1,200 for days in Oklahoma in 2021."""
CARBON: Final = Size(2.0, 1_500.0, 3_000.0, "kg/MWh", "t/MWh or kg/kWh", "lb/MWh")
"""From Norway (about 10) to lignite alone (about 1,200)."""


def check_values(
    values: FloatArray, quantity: Quantity, *, grid: Grid, path: str, constant: bool
) -> Iterator[Finding]:
    """Yield what no market, weather, plant or user has: errors, and a warning for clipping."""
    match quantity:
        case "price":
            yield from _price(values, grid=grid, path=path, constant=constant)
        case "temperature" | "rate" | "share":
            yield from _within(values, LIMITS[quantity], grid=grid, path=path)
        case "profile" | "wind" | "solar":
            yield from _profile(values, grid=grid, path=path)
        case "load":
            yield from _load(values, grid=grid, path=path)
        case "fuel":
            yield from _sized(values, FUEL, grid=grid, path=path, constant=constant)
        case "carbon":
            yield from _sized(values, CARBON, grid=grid, path=path, constant=constant)


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


def _within(values: FloatArray, limits: Limits, *, grid: Grid, path: str) -> Iterator[Finding]:
    far = (values < limits.least) | (values > limits.most)
    if far.any():
        yield _first_outside(
            values,
            far,
            grid=grid,
            path=path,
            limit=f"{limits.least:g} to {limits.most:g}",
            unit=limits.unit,
            what=limits.told,
            code=limits.code,
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


def _load(values: FloatArray, *, grid: Grid, path: str) -> Iterator[Finding]:
    for far, what, code in (
        (
            values <= 0.0,
            "values are no load: nothing was drawn, or recorded",
            "SERIES_NOT_POSITIVE",
        ),
        (values > MOST_LOAD_MW, "values are no system's load: perhaps kW", "UNIT_SLIP"),
    ):
        if far.any():
            yield _first_outside(
                values,
                far,
                grid=grid,
                path=path,
                limit=f"above 0, up to {MOST_LOAD_MW:g}",
                unit="MW",
                what=what,
                code=code,
            )


def _sized(
    values: FloatArray, size: Size, *, grid: Grid, path: str, constant: bool
) -> Iterator[Finding]:
    far = (values < 0.0) | (values > size.most)
    if far.any():
        yield _first_outside(
            values,
            far,
            grid=grid,
            path=path,
            limit=f"0 to {size.most:g}",
            unit=size.unit,
            what=f"values are beyond any in {size.unit}",
        )
        return
    median = float(np.median(values))
    if constant and median == 0.0:
        return  # a stated 0 is a statement
    if not size.least_median <= median <= size.most_median:
        yield Finding(
            code="UNIT_SLIP",
            path=path,
            value=f"{median:g}",
            limit=f"{size.least_median:g} to {size.most_median:g}",
            unit=size.unit,
            reason="the median is no usual one: the series is perhaps in "
            + (size.below if median < size.least_median else size.above),
            remedy=f"State it in {size.unit}",
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
    code: str = "UNIT_SLIP",
) -> Finding:
    at = int(np.argmax(outside))
    return Finding(
        code=code,
        path=path,
        value=f"{values[at]:g}",
        limit=limit,
        unit=unit,
        reason=f"{int(outside.sum())} {what}; the first at "
        f"{stamp_text(grid.start_us + at * grid.step_us)}",
        remedy="State the series in its unit",
    )
